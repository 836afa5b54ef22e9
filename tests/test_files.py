"""toolbox.store.files: whole files, CSV and JSON that say when they are damaged,
JPEG.
"""

import errno
import os

from toolbox.store.files import (
    is_whole_jpeg,
    read_csv,
    read_json,
    save_array,
    whole,
    write_csv,
    write_jpeg,
    write_json,
)

import numpy as np
import pandas as pd
import pytest
from clips import as_another_user, cv2


def files_in(folder):
    """The text of each file of a folder, by name."""
    return {path.name: path.read_text() for path in folder.iterdir()}


# Whole files


def test_a_file_appears_only_when_it_is_complete(tmp_path):
    target = tmp_path / "new" / "file.txt"
    with whole(target) as temporary:
        temporary.write_text("complete")
        assert not target.exists()
    assert files_in(target.parent) == {"file.txt": "complete"}


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path, error):
    target = tmp_path / "file.txt"
    target.write_text("old")
    with pytest.raises(error), whole(target) as temporary:
        temporary.write_text("half of the n")
        raise error
    assert files_in(tmp_path) == {"file.txt": "old"}


def test_an_array_comes_back(tmp_path):
    array = np.arange(6, dtype=np.float16).reshape(2, 3)
    save_array(array, tmp_path / "array.npy")
    loaded = np.load(tmp_path / "array.npy")
    assert loaded.dtype == np.float16
    assert np.array_equal(loaded, array)


# CSV

ODD_NAMES = [
    "a,b.avi",
    'say "hi".avi',
    "走.avi",
    "100%.avi",
    "two\nlines.avi",
    "carriage\rreturn.avi",
    "both\r\n.avi",
    "None",
    "007",
    "NA",
    "True",
    " ",
    "",
]


def test_names_come_back_as_they_are_and_numbers_as_numbers(tmp_path):
    table = pd.DataFrame({"clip": ODD_NAMES, "class": ODD_NAMES[::-1]})
    table["second"] = table["third"] = table["label"] = ODD_NAMES
    table["frames"] = range(len(table))
    table["fps"] = [None, *[29.97] * (len(table) - 1)]
    write_csv(table, tmp_path / "table.csv")
    back = read_csv(tmp_path / "table.csv")
    pd.testing.assert_frame_equal(back, table, check_dtype=False, check_exact=True)
    assert back["frames"].dtype == int
    assert back["fps"].isna().tolist() == [True] + [False] * (len(table) - 1)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'"clip","frames"\n"a,1\n',
        b'"clip","frames"\n"a",1,2,3\n"b",1,2,3,4\n',
        b"\xff\xfe\x00",
    ],
)
def test_a_damaged_table_is_named(tmp_path, content):
    path = tmp_path / "videos.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"videos\.csv"):
        read_csv(path)


def test_only_the_columns_that_are_asked_for_are_read(tmp_path):
    path = tmp_path / "videos.csv"
    write_csv(pd.DataFrame({"clip": ["007"], "fps": [25.0], "class": ["None"]}), path)
    assert read_csv(path, ["clip", "fps"]).to_dict("list") == {
        "clip": ["007"],
        "fps": [25],
    }
    with pytest.raises(ValueError, match=r"videos\.csv"):
        read_csv(path, ["clip", "seconds"])


def test_a_missing_table_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_csv(tmp_path / "videos.csv")


# JSON


def test_facts_come_back(tmp_path):
    write_json(tmp_path / "note.json", name="走", numbers=[1, 2.5], nothing=None)
    expected = {"name": "走", "numbers": [1, 2.5], "nothing": None}
    assert read_json(tmp_path / "note.json") == expected


def test_no_file_is_no_facts(tmp_path):
    assert read_json(tmp_path / "note.json") == {}
    assert read_json(tmp_path / "rows.json", list) == []


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


# JPEG


def test_what_counts_as_a_whole_jpeg(tmp_path):
    path = tmp_path / "frame.jpg"
    write_jpeg(np.full((48, 64, 3), 200, np.uint8), path)
    whole = path.read_bytes()
    assert is_whole_jpeg(path)
    assert not is_whole_jpeg(tmp_path / "missing.jpg")
    assert not is_whole_jpeg(tmp_path)
    for content in (
        b"",
        b"\xff",
        whole[:2],
        whole[:-1],
        whole[: len(whole) // 2],
        whole[2:],
    ):
        path.write_bytes(content)
        assert not is_whole_jpeg(path), content[:4]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + whole)
    assert not is_whole_jpeg(path)


def test_a_frame_too_large_for_jpeg_is_refused(tmp_path):
    write_jpeg(np.zeros((8, 65_500, 3), np.uint8), tmp_path / "fits.jpg")
    assert cv2.imread(str(tmp_path / "fits.jpg")).shape == (8, 65_500, 3)
    for shape, size in (((8, 65_501, 3), "65501 x 8"), ((65_501, 8, 3), "8 x 65501")):
        with pytest.raises(ValueError, match=f"{size} pixels are too many for JPEG"):
            write_jpeg(np.zeros(shape, np.uint8), tmp_path / "large.jpg")
    assert not (tmp_path / "large.jpg").exists()


def test_a_disk_that_fails_is_no_bad_frame(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(OSError) as caught:
        write_jpeg(np.zeros((8, 8, 3), np.uint8), tmp_path / "file" / "frame.jpg")
    assert caught.value.errno in (errno.ENOTDIR, errno.EEXIST)
