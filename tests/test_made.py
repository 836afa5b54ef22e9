"""Kept results: whole or not there, and never taken for what they are not."""

import os
import shutil

from toolbox.store.files import one_writer
from toolbox.store.made import digest_of, is_made, making, note_of, read_note

import numpy as np
import pytest
from clips import disk_of, files_of, kill_when, run_python, start_python

MAKE = """
import sys, time, pathlib
from toolbox.store.made import making
folder = pathlib.Path(sys.argv[1])
with making(folder / "file.txt", 1) as temporary:
    temporary.write_text("whole")
with making(folder / "result", folder / "source", "facts") as temporary:
    for number in range(3):
        time.sleep(float(sys.argv[2]))
        temporary.mkdir(exist_ok=True)
        (temporary / f"{number}.txt").write_text(str(number))
"""


@pytest.fixture
def result(tmp_path):
    """A folder made of a source: its path, and what it was made of."""
    (tmp_path / "source").write_text("a video")
    path, of = tmp_path / "result", (tmp_path / "source", "facts")
    with making(path, *of, odd=["a"]) as temporary:
        temporary.mkdir()
        for name in "ab":
            (temporary / name).write_text("content")
    return path, of


def test_killed_and_started_again_it_ends_as_an_undisturbed_run(tmp_path):
    killed, undisturbed = tmp_path / "killed", tmp_path / "undisturbed"
    (tmp_path / "source").write_text("a video")
    for folder in (killed, undisturbed):
        folder.mkdir()
        shutil.copy2(tmp_path / "source", folder)
    run_python(MAKE, undisturbed, 0)
    seen = killed / ".partial-result/0.txt"
    kill_when(start_python(MAKE, killed, 0.5), seen.exists)
    assert is_made(killed / "file.txt", 1) and not (killed / "result").exists()
    run_python(MAKE, killed, 0)
    assert files_of(killed / "result") == files_of(undisturbed / "result")
    assert is_made(killed / "result", killed / "source", "facts")
    assert len(list(killed.iterdir())) == len(list(undisturbed.iterdir()))


def test_a_result_comes_back_and_other_facts_are_another(result):
    path, (source, _) = result
    (path / ".DS_Store").write_text("what a file browser leaves")
    assert is_made(path, source, "facts") and read_note(path)["odd"] == ["a"]
    assert not is_made(path, source, "other facts")
    source.write_text("another video")
    assert not is_made(path, source, "facts")
    source.unlink()
    assert not is_made(path, source, "facts")


DAMAGES = {
    "delete": lambda path: (path / "a").unlink(),
    "cut": lambda path: (path / "a").write_text("con"),
    "add": lambda path: (path / "c").write_text("content"),
    "note": lambda path: os.truncate(note_of(path), 60),
    "no note": lambda path: note_of(path).unlink(),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_was_changed_by_hand_is_noticed_and_made_anew(result, damage, capsys):
    path, of = result
    DAMAGES[damage](path)
    assert not is_made(path, *of)
    with making(path, *of) as temporary:
        temporary.mkdir()
        (temporary / "new").write_text("content")
    assert is_made(path, *of) and [file.name for file in path.iterdir()] == ["new"]
    assert ("older version" in capsys.readouterr().out) == (damage == "no note")


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_what_breaks_off_leaves_nothing(result, error):
    path, of = result
    with pytest.raises(error), making(path, *of) as temporary:
        temporary.mkdir()
        raise error
    assert [*path.parent.iterdir()] == [of[0]]


def test_a_video_that_changes_meanwhile_is_noticed(result):
    path, (source, facts) = result
    with making(path, source, facts) as temporary:
        temporary.write_text("of the old video")
        source.write_text("a longer video")
    assert not is_made(path, source, facts)


def test_a_full_disk_leaves_neither_result_nor_note(tmp_path):
    path, content = tmp_path / "result", bytes(1_000_000)
    with disk_of("600k", tmp_path) as enlarge:
        with pytest.raises(OSError, match="space"), making(path, 1) as temporary:
            temporary.write_bytes(content)
        assert not list(tmp_path.iterdir())
        enlarge()
        with making(path, 1) as temporary:
            temporary.write_bytes(content)
        assert is_made(path, 1)


def test_a_second_maker_is_told_who_makes_it(tmp_path):
    with making(tmp_path / "file.txt", 1) as temporary:
        temporary.write_text("whole")
        run = start_python(MAKE, tmp_path, 0)
        assert f"Process {os.getpid()} is writing file.txt" in run.communicate()[1]
    assert is_made(tmp_path / "file.txt", 1)
    with one_writer(note_of(tmp_path / "result"), "it"):
        assert not is_made(tmp_path / "result", tmp_path / "source", "facts")


def test_digests_tell_values_types_and_files_apart(tmp_path):
    file = tmp_path / "a.jpg"
    file.write_bytes(b"123")
    arrays = [np.array([1, 2]), np.array([1, 2], "float32"), np.array([[1, 2]])]
    facts = [*arrays, [1, 2], ["1", "2"], file, tmp_path / "missing.jpg", {"a": 0.5}]
    digests = [digest_of(fact) for fact in facts]
    assert len({*digests, digest_of("1", "2")}) == len(facts) + 1
    assert digest_of(1, 23) != digest_of(12, 3)
    parts = [file.with_name(f"{file.name}#t={times}") for times in ("0,1", "1,2")]
    before = {digest_of(part) for part in parts}
    file.write_bytes(b"1234")
    assert len({*before, *map(digest_of, parts), digest_of(file)}) == 5
    again = [digest_of(fact) for fact in facts]
    os.utime(file, ns=(1, 1))  # another one of the same size
    assert len({digests.pop(5), again.pop(5), digest_of(file)}) == 3
    assert again == digests
