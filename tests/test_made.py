"""Kept results: whole or not there, and never taken for what they are not."""

import errno
import os
import shutil

from toolbox.store import made
from toolbox.store.files import one_writer
from toolbox.store.made import digest_of, is_made, making, note_of, read_note

import numpy as np
import pytest
from clips import disk_of, kill_when, run_python, start_python

MAKE = """
import sys, time
from pathlib import Path
from toolbox.store import made
folder, pause = Path(sys.argv[1]), float(sys.argv[2])
if sys.argv[3] == "before the note":
    made.sizes_of = lambda path: time.sleep(pause)
with made.making(folder / "file.txt", 1) as temporary:
    temporary.write_text("whole")
with made.making(folder / "result", folder / "source", "facts") as temporary:
    for number in range(3):
        time.sleep(pause)
        (temporary / "in").mkdir(parents=True, exist_ok=True)
        (temporary / "in" / f"{number}.txt").write_text(str(number))
"""


@pytest.fixture
def place(tmp_path):
    """A folder with a source, of which results can be made."""
    (tmp_path / "source").write_text("a video")
    return tmp_path


@pytest.fixture
def result(place):
    """A folder made of the source: its path, and what it was made of."""
    path, of = place / "result", (place / "source", "facts")
    with making(path, *of, odd=["a"]) as temporary:
        temporary.mkdir()
        for name in "ab":
            (temporary / name).write_text("content")
    return path, of


def content_of(folder):
    """The content of all files below a folder, by their path below it."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.mark.parametrize("moment", ["before the note", "in the block"])
def test_killed_and_started_again_it_ends_as_an_undisturbed_run(place, moment):
    source = place / "source"
    for folder in ("killed", "undisturbed"):
        (place / folder).mkdir()
        shutil.copy2(source, place / folder / "source")
    run_python(MAKE, place / "undisturbed", 0, "")
    killed = place / "killed"
    seen = {
        "before the note": killed / "file.txt",
        "in the block": killed / ".partial-result" / "in" / "0.txt",
    }[moment]
    run = start_python(MAKE, killed, 100 if "note" in moment else 0.5, moment)
    kill_when(run, seen.exists)
    assert is_made(killed / "file.txt", 1) == (moment == "in the block")
    assert not is_made(killed / "result", killed / "source", "facts")
    run_python(MAKE, killed, 0, "")
    assert content_of(killed) == content_of(place / "undisturbed")
    assert is_made(killed / "result", killed / "source", "facts")


def test_a_result_and_what_was_noted_with_it_come_back(result):
    path, of = result
    assert is_made(path, *of)
    assert read_note(path)["odd"] == ["a"]
    (path / ".DS_Store").write_text("what a file browser leaves")
    assert is_made(path, *of)


def test_other_facts_are_another_result(result):
    path, (source, _) = result
    assert not is_made(path, source, "other facts")
    source.write_text("another video")
    assert not is_made(path, source, "facts")
    source.unlink()
    assert not is_made(path, source, "facts")


@pytest.mark.parametrize("damage", ["delete", "cut", "add", "all", "note", "no note"])
def test_what_was_changed_by_hand_is_noticed_and_made_anew(result, damage):
    path, of = result
    if damage == "add":
        (path / "c").write_text("content")
    elif damage == "cut":
        (path / "a").write_text("con")
    elif damage == "note":
        note_of(path).write_bytes(note_of(path).read_bytes()[:-1])
    else:
        {
            "delete": (path / "a").unlink,
            "all": lambda: shutil.rmtree(path),
            "no note": note_of(path).unlink,
        }[damage]()
    assert not is_made(path, *of)
    with making(path, *of) as temporary:
        temporary.mkdir()
        (temporary / "new").write_text("content")
    assert is_made(path, *of) and [file.name for file in path.iterdir()] == ["new"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_what_breaks_off_leaves_nothing(result, error):
    path, of = result
    before = {path.parent / "source"}
    with pytest.raises(error), making(path, *of) as temporary:
        temporary.mkdir()
        raise error
    assert set(path.parent.iterdir()) == before


def test_a_video_that_changes_meanwhile_is_noticed(result):
    path, (source, facts) = result
    with making(path, source, facts) as temporary:
        temporary.write_text("of the old video")
        source.write_text("a longer video")
    assert not is_made(path, source, facts)


def test_a_full_disk_leaves_neither_result_nor_note(tmp_path):
    with disk_of("600k", tmp_path) as enlarge:
        for _ in range(2):
            with (
                pytest.raises(OSError) as caught,
                making(tmp_path / "result", 1) as temporary,
            ):
                temporary.write_bytes(bytes(1_000_000))
            assert caught.value.errno == errno.ENOSPC
            assert not list(tmp_path.iterdir())
        enlarge()
        with making(tmp_path / "result", 1) as temporary:
            temporary.write_bytes(bytes(1_000_000))
        assert is_made(tmp_path / "result", 1)


def test_a_disk_too_full_for_the_note_leaves_no_result(result, monkeypatch):
    path, of = result

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(made.json, "dump", full)
    with pytest.raises(OSError, match="No space"), making(path, *of) as temporary:
        temporary.write_text("content")
    assert not path.exists() and not note_of(path).exists()


def test_a_second_maker_is_told_who_makes_it(place):
    with making(place / "file.txt", 1) as temporary:
        temporary.write_text("whole")
        run = start_python(MAKE, place, 0, "")
        assert f"Process {os.getpid()} is writing file.txt" in run.communicate()[1]
    assert is_made(place / "file.txt", 1)
    with one_writer(note_of(place / "result"), "it"):
        assert not is_made(place / "result", place / "source", "facts")


def test_what_an_older_version_left_is_made_anew_and_said_so(tmp_path, capsys):
    path = tmp_path / "result.npy"
    path.write_text("of an older version")
    assert not is_made(path, 1)
    with making(path, 1) as temporary:
        temporary.write_text("new")
    assert "result.npy is of an older version" in capsys.readouterr().out
    with making(path, 2) as temporary:
        temporary.write_text("newer")
    assert not capsys.readouterr().out


def test_digests_tell_values_types_and_files_apart(tmp_path):
    file = tmp_path / "a.jpg"
    file.write_bytes(b"123")
    facts = [
        [np.array([1, 2])],
        [np.array([1, 2], "float32")],
        [np.array([[1, 2]])],
        [[1, 2]],
        ["1", "2"],
        [file],
        [tmp_path / "missing.jpg"],
        [0.5, {"a": 1}],
    ]
    digests = [digest_of(*fact) for fact in facts]
    assert len(set(digests)) == len(facts)
    assert digests == [digest_of(*fact) for fact in facts]
    file.write_bytes(b"1234")
    assert digest_of(file) != digests[5]
