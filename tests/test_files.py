"""Files that are whole or not there: CSV and JSON that say when they are damaged."""

import os

from toolbox.store import files
from toolbox.store.files import read_csv, read_json, whole, write_csv, write_json

import numpy as np
import pandas as pd
import pytest
from clips import as_another_user, cv2


def test_a_file_appears_only_when_it_is_complete(tmp_path):
    target = tmp_path / "new" / "file.txt"
    with whole(target) as temporary:
        temporary.write_text("complete")
        assert not target.exists()
    assert [*target.parent.iterdir()] == [target] and target.read_text() == "complete"


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path, error):
    target = tmp_path / "file.txt"
    target.write_text("old")
    with pytest.raises(error), whole(target) as temporary:
        temporary.write_text("half of the n")
        raise error
    assert [*tmp_path.iterdir()] == [target] and target.read_text() == "old"


ODD_NAMES = ["a,b.avi", 'say "hi".avi', "走.avi", "100%.avi", "two\nlines.avi"]
ODD_NAMES += ["carriage\rreturn.avi", "None", "007", "NA", "True", " ", ""]


def test_names_come_back_as_they_are_and_numbers_as_numbers(tmp_path):
    table = pd.DataFrame({"clip": ODD_NAMES, "class": ODD_NAMES[::-1]})
    table["second"] = table["third"] = table["label"] = ODD_NAMES
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


DAMAGED = [
    b"",
    b'"clip","frames"\n"a,1\n',
    b'"clip"\n"a",1,2,3\n"b",1,2,3,4\n',
    b"\xff",
]


@pytest.mark.parametrize("content", DAMAGED)
def test_a_damaged_table_is_named(tmp_path, content):
    with pytest.raises(FileNotFoundError):
        read_csv(tmp_path / "videos.csv")
    (tmp_path / "videos.csv").write_bytes(content)
    with pytest.raises(ValueError, match=r"videos\.csv"):
        read_csv(tmp_path / "videos.csv")


def test_facts_come_back(tmp_path):
    facts = {"name": "走", "numbers": [1, 2.5], "nothing": None}
    write_json(tmp_path / "note.json", **facts)
    assert read_json(tmp_path / "note.json") == facts
    assert read_json(tmp_path / "none.json") == {}
    assert read_json(tmp_path / "none.json", list) == []


@pytest.mark.parametrize("content", [b"", b'{"done": 3', b"\xff{}", b"[]"])
def test_a_damaged_note_is_named(tmp_path, content):
    path = tmp_path / "note.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"note\.json"):
        read_json(path)
    assert path.read_bytes() == content


@pytest.mark.skipif(os.name == "nt", reason="Windows locks files in another way")
def test_a_locked_note_is_not_taken_for_none(shared_folder):
    note = shared_folder / "note.json"
    write_json(note, done=3)
    note.chmod(0)
    with as_another_user(), pytest.raises(PermissionError, match=r"note\.json"):
        read_json(note)


def test_what_counts_as_a_whole_jpeg(tmp_path):
    path = tmp_path / "frame.jpg"
    files.write_jpeg(np.full((48, 64, 3), 200, np.uint8), path)
    jpeg = path.read_bytes()
    assert files.is_whole_jpeg(path) and not files.is_whole_jpeg(tmp_path / "none.jpg")
    for content in (b"", b"\xff", jpeg[:2], jpeg[:-1], jpeg[2:], b"\x89PNG" + jpeg):
        path.write_bytes(content)
        assert not files.is_whole_jpeg(path), content[:4]


def test_a_frame_too_large_for_jpeg_is_refused(tmp_path):
    files.write_jpeg(np.zeros((8, 65_500, 3), np.uint8), tmp_path / "fits.jpg")
    assert cv2.imread(str(tmp_path / "fits.jpg")).shape == (8, 65_500, 3)
    with pytest.raises(ValueError, match="65501"):
        files.write_jpeg(np.zeros((65_501, 8, 3), np.uint8), tmp_path / "large.jpg")
    assert not (tmp_path / "large.jpg").exists()
