"""Files that are whole or not there: CSV and JSON that say when they are damaged."""

import errno

from toolbox.store import files
from toolbox.store.files import (
    one_writer,
    read_csv,
    read_json,
    whole,
    write_csv,
    write_json,
)

import numpy as np
import pandas as pd
import portalocker
import pytest


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_file_appears_when_complete_and_an_error_leaves_the_old(tmp_path, error):
    target = tmp_path / "new" / "file.txt"
    with whole(target) as temporary:
        temporary.write_text("old")
        assert not target.exists()
    with pytest.raises(error), whole(target) as temporary:
        temporary.write_text("half of the n")
        raise error
    assert [*target.parent.iterdir()] == [target] and target.read_text() == "old"


ODD_NAMES = ["a,b.avi", 'say "hi".avi', "走.avi", "100%.avi", "two\nlines.avi"]
ODD_NAMES += ["carriage\rreturn.avi", "None", "007", "NA", "True", " ", ""]


def test_names_come_back_as_they_are_and_numbers_as_numbers(tmp_path):
    table = pd.DataFrame({"clip": ODD_NAMES, "class": ODD_NAMES[::-1]})
    table["next"] = table["summary"] = table["label"] = ODD_NAMES
    table["frames"] = range(len(table))
    table["fps"] = [None, *[29.97] * (len(table) - 1)]
    write_csv(table, tmp_path / "table.csv")
    back = read_csv(tmp_path / "table.csv")
    pd.testing.assert_frame_equal(back, table, check_dtype=False, check_exact=True)
    assert back["frames"].dtype == int and back["fps"].isna().sum() == 1
    some = read_csv(tmp_path / "table.csv", ["clip", "fps"])
    assert some.equals(back[["clip", "fps"]])
    with pytest.raises(ValueError, match=r"table\.csv"):
        read_csv(tmp_path / "table.csv", ["clip", "seconds"])


@pytest.mark.parametrize("content", [b"", b'"clip","frames"\n"a,1\n', b"\xff"])
def test_a_damaged_table_is_named(tmp_path, content):
    with pytest.raises(FileNotFoundError):
        read_csv(tmp_path / "videos.csv")
    (tmp_path / "videos.csv").write_bytes(content)
    with pytest.raises(ValueError, match=r"videos\.csv"):
        read_csv(tmp_path / "videos.csv")


@pytest.mark.parametrize("content", [b"", b'{"done": 3', b"\xff{}", b"[]"])
def test_facts_come_back_and_a_damaged_note_is_named(tmp_path, content):
    facts, path = {"name": "走", "nothing": None}, tmp_path / "note.json"
    assert read_json(path) == {} and read_json(path, list) == []
    write_json(path, **facts)
    assert read_json(path) == facts
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"note\.json"):
        read_json(path)
    assert path.read_bytes() == content


def test_what_counts_as_a_whole_jpeg(tmp_path):
    path = tmp_path / "frame.jpg"
    files.write_jpeg(np.full((48, 64, 3), 200, np.uint8), path)
    jpeg = path.read_bytes()
    assert files.is_whole_jpeg(path) and not files.is_whole_jpeg(tmp_path / "none.jpg")
    for content in (b"", b"\xff", jpeg[:2], jpeg[:-1], jpeg[2:], b"\x89PNG" + jpeg):
        path.write_bytes(content)
        assert not files.is_whole_jpeg(path), content[:4]


def test_a_drive_without_locks_is_written_to_and_told(tmp_path, monkeypatch, capsys):
    """As some network drives: ENOLCK."""

    def no_locks(*_):
        raise portalocker.LockException(OSError(errno.ENOLCK, "No locks available"))

    monkeypatch.setattr(portalocker, "lock", no_locks)
    with one_writer(tmp_path / "lock", "data/pets") as file:
        assert file.writable()
    assert "knows no locks" in capsys.readouterr().out
