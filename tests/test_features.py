"""Feature files: they grow, stop, go on, and are never taken for what they are not."""

import json
import os

from toolbox.store.growing_array import FeatureFile, way_of

import numpy as np
import pytest
from clips import run_python

ROWS = np.arange(60, dtype="float32").reshape(10, 2, 3) + 1  # none of them zero


def write(target, upto=10, facts=("a",), step=1, size=2):
    """Write rows to a file of ten, `size` at a time; returns where it began."""
    with FeatureFile(target, ROWS.shape, facts, "plain", step) as file:
        begun = file.done
        for start in range(begun, upto, size):
            file.append(ROWS[start : start + size])
    return begun


@pytest.fixture
def target(tmp_path):
    """Where the features go."""
    return tmp_path / "data" / "features.npy"


def test_all_rows_make_a_file_that_numpy_reads(target):
    assert write(target) == 0
    features = np.load(target, mmap_mode="r")
    assert features.dtype == np.float16
    assert np.array_equal(features, ROWS)
    assert way_of(target) == "plain"
    assert sorted(path.suffix for path in target.parent.iterdir()) == [
        ".json",
        ".lock",
        ".npy",
    ]


def test_a_whole_file_is_kept(target):
    write(target)
    assert json.loads(target.with_suffix(".json").read_text())["rows_per_second"] > 0
    written = target.stat().st_mtime_ns
    assert write(target) == 10
    assert target.stat().st_mtime_ns == written


def test_a_second_run_goes_on_where_the_first_stopped(target):
    write(target, upto=4)
    assert not target.exists()
    assert write(target) == 4
    assert np.array_equal(np.load(target), ROWS)


def test_other_facts_begin_anew(target):
    write(target, upto=4)
    assert write(target, upto=6, facts=("b",)) == 0
    assert write(target, facts=("b",)) == 6
    assert write(target, upto=0, facts=("a",)) == 0
    assert not target.exists()


@pytest.mark.parametrize("lost", [1, 5, 12, 13, 40])
def test_rows_that_were_not_written_whole_are_written_again(target, lost):
    """Six bytes a place, twelve a row: what is cut off costs whole rows, and nothing
    else.
    """
    write(target, upto=6)
    unfinished = target.with_suffix(".unfinished")
    os.truncate(unfinished, unfinished.stat().st_size - lost)
    assert write(target) == 6 - -(-lost // 12)
    assert np.array_equal(np.load(target), ROWS)


def test_a_file_shorter_than_the_note_says_is_never_lengthened(target):
    """As after a power cut: not even the header is whole."""
    write(target, upto=6)
    os.truncate(target.with_suffix(".unfinished"), 20)
    assert write(target) == 0
    assert np.array_equal(np.load(target), ROWS)


def test_it_goes_on_at_whole_batches(target):
    write(target, upto=6)
    assert write(target, step=4) == 4
    assert np.array_equal(np.load(target), ROWS)


def test_all_rows_there_but_not_yet_in_place_are_put_in_place(target):
    write(target)
    target.rename(target.with_suffix(".unfinished"))
    assert write(target, step=4) == 10
    assert np.array_equal(np.load(target), ROWS)


def test_a_whole_file_that_was_cut_since_is_not_believed(target):
    write(target)
    os.truncate(target, target.stat().st_size - 2)
    assert write(target) == 0
    assert np.array_equal(np.load(target), ROWS)


def test_a_damaged_note_counts_as_none(target):
    write(target, upto=4)
    target.with_suffix(".json").write_text('{"facts": ')
    assert way_of(target) is None
    assert write(target) == 0
    assert json.loads(target.with_suffix(".json").read_text())["way"] == "plain"


def test_an_error_in_the_middle_keeps_the_rows_and_lets_go_of_the_file(target):
    with (
        pytest.raises(OSError, match="disk"),
        FeatureFile(target, ROWS.shape, ("a",)) as file,
    ):
        file.append(ROWS[:3])
        raise OSError("disk full")
    assert not target.exists()
    assert write(target) == 3


def test_two_writers_at_once_are_told_apart(target):
    script = """
import sys
from pathlib import Path
from toolbox.store.growing_array import FeatureFile
try:
    with FeatureFile(Path(sys.argv[1]), (10, 2, 3), ("a",)) as file:
        print(file.done)
except RuntimeError as error:
    print(error)
"""
    with FeatureFile(target, ROWS.shape, ("a",)) as file:
        file.append(ROWS[:3])
        assert f"Process {os.getpid()} is writing features.npy" in run_python(
            script, target
        )
    assert run_python(script, target) == "3\n"
