"""An array that grows on disk: it stops, goes on, and is never taken for another."""

import os

from toolbox.store.growing_array import growing_array
from toolbox.store.made import is_made, note_of, read_note

import numpy as np
import pytest
from clips import disk_of, files_of, kill_when, run_python, start_python

ROWS = np.arange(60, dtype="float32").reshape(10, 2, 3) + 1  # none of them zero
GROW = """
import sys, time
from pathlib import Path
import test_growing_array
path, pause = Path(sys.argv[1]), float(sys.argv[2])
print(test_growing_array.write(path, step=2, pause=lambda: time.sleep(pause)))
"""


def write(path, upto=10, of=("a",), step=1, size=2, pause=lambda: None):
    """Append rows to an array of ten, `size` at a time; returns where it began."""
    with growing_array(path, ROWS.shape, *of, step=step) as (done, append):
        for start in range(done, upto, size):
            append(ROWS[start : start + size])
            pause()
    return done


@pytest.fixture
def path(tmp_path):
    """Where the array goes."""
    return tmp_path / "data" / "features.npy"


def complete(path, of=("a",)):
    """Whether all rows are there, and noted."""
    return is_made(path, ROWS.shape, *of) and np.array_equal(np.load(path), ROWS)


def test_all_rows_make_a_file_that_numpy_reads(path):
    assert write(path) == 0 and complete(path)
    assert np.load(path, mmap_mode="r").dtype == np.float16
    written = path.stat().st_mtime_ns
    assert write(path) == 10
    assert path.stat().st_mtime_ns == written
    assert not path.with_suffix(".unfinished").exists()


def test_killed_and_resumed_it_is_that_of_an_undisturbed_run(path, tmp_path):
    unfinished = path.with_suffix(".unfinished")
    run = start_python(GROW, path, 1)
    kill_when(run, lambda: unfinished.exists() and unfinished.stat().st_size > 128)
    assert not path.exists() and not complete(path)
    assert 2 <= int(run_python(GROW, path, 0)) < 10
    write(tmp_path / "undisturbed" / "features.npy")
    killed, undisturbed = (
        files_of(tmp_path / name) for name in ("data", "undisturbed")
    )
    for name in ("features.npy", "features.npy.json"):
        assert killed[name] == undisturbed[name]


def test_other_facts_begin_anew(path):
    write(path, upto=4)
    assert write(path, upto=6, of=("b",)) == 0
    assert write(path, of=("b",)) == 6 and complete(path, ("b",))
    assert write(path, upto=0) == 0
    assert not path.exists()


@pytest.mark.parametrize("lost", [1, 5, 12, 13, 40])
def test_rows_that_were_not_written_whole_are_written_again(path, lost):
    """Six bytes a place, twelve a row: what is cut off costs whole rows, and nothing
    else.
    """
    write(path, upto=6)
    unfinished = path.with_suffix(".unfinished")
    os.truncate(unfinished, unfinished.stat().st_size - lost)
    assert write(path) == 6 - -(-lost // 12)
    assert complete(path)


def test_a_file_without_a_whole_header_is_never_lengthened(path):
    write(path, upto=6)
    os.truncate(path.with_suffix(".unfinished"), 20)
    assert write(path) == 0 and complete(path)


def test_it_goes_on_at_whole_batches(path):
    write(path, upto=6)
    assert write(path, step=4) == 4 and complete(path)


def test_all_rows_there_but_not_yet_in_place_are_put_in_place(path):
    write(path)
    path.rename(path.with_suffix(".unfinished"))
    assert write(path, step=4) == 10 and complete(path)


@pytest.mark.parametrize("damage", ["cut", "note"])
def test_a_whole_array_that_was_damaged_since_is_not_believed(path, damage):
    write(path)
    damaged = path if damage == "cut" else note_of(path)
    os.truncate(damaged, damaged.stat().st_size - 2)
    assert write(path) == 0 and complete(path)


def test_an_error_in_the_middle_keeps_the_rows_and_lets_go_of_the_file(path):
    with (
        pytest.raises(OSError, match="disk"),
        growing_array(path, ROWS.shape, "a") as (_, append),
    ):
        append(ROWS[:3])
        raise OSError("disk full")
    assert not path.exists()
    assert write(path) == 3


def test_a_beginning_that_fails_lets_go_of_the_file(tmp_path):
    """The disk is full, and whoever keeps the error must not keep the lock."""
    path = tmp_path / "features.npy"
    with disk_of("8k", tmp_path) as enlarge:
        (tmp_path / "filler").write_bytes(bytes(4096))
        with pytest.raises(OSError) as kept:
            write(path)
        enlarge()
        assert run_python(GROW, path, 0) == "0\n"
        assert complete(path) and kept.value.errno
    assert read_note(path) == {}


def test_two_writers_at_once_are_told_apart(path):
    with growing_array(path, ROWS.shape, "a") as (_, append):
        append(ROWS[:4])
        said = start_python(GROW, path, 0).communicate()[1]
        assert f"Process {os.getpid()} is writing features.npy" in said
    assert run_python(GROW, path, 0) == "4\n"
