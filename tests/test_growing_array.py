"""An array that grows on disk: it stops, goes on, and is never taken for another."""

import os

from toolbox.store.arrays import growing_array
from toolbox.store.made import is_made, note_of

import numpy as np
import pytest
from clips import files_of, kill_when, run_python, start_python

ROWS = np.arange(60, dtype="float32").reshape(10, 2, 3) + 1  # none of them zero
GROW = """
import sys, time, pathlib, test_growing_array
pause = lambda: time.sleep(float(sys.argv[2]))
print(test_growing_array.write(pathlib.Path(sys.argv[1]), step=2, pause=pause))
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
    return tmp_path / "data" / "features.npy"


def complete(path, of=("a",)):
    """Whether all rows are there, and noted."""
    return is_made(path, ROWS.shape, *of) and np.array_equal(np.load(path), ROWS)


def test_all_rows_make_a_file_that_numpy_reads_and_that_is_kept(path):
    assert write(path) == 0 and complete(path)
    assert np.load(path, mmap_mode="r").dtype == np.float16
    written = path.stat().st_mtime_ns
    assert write(path) == 10 and path.stat().st_mtime_ns == written


def test_killed_and_resumed_it_is_that_of_an_undisturbed_run(path, tmp_path):
    unfinished = path.with_suffix(".unfinished")
    run = start_python(GROW, path, 1)
    kill_when(run, lambda: unfinished.exists() and unfinished.stat().st_size > 128)
    assert not path.exists()
    assert 2 <= int(run_python(GROW, path, 0)) < 10
    write(tmp_path / "undisturbed" / path.name)
    killed, undisturbed = map(files_of, (path.parent, tmp_path / "undisturbed"))
    for name in ("features.npy", "features.npy.json"):
        assert killed[name] == undisturbed[name]


def test_other_facts_begin_anew(path):
    write(path, upto=4)
    assert write(path, upto=6, of=("b",)) == 0
    assert write(path, of=("b",)) == 6 and complete(path, ("b",))


# twelve bytes a row: what is cut off costs whole rows, or whole steps
@pytest.mark.parametrize(("lost", "step", "left"), [(0, 4, 4), (1, 1, 5), (172, 1, 0)])
def test_rows_not_written_whole_are_written_again(path, lost, step, left):
    write(path, upto=6)
    unfinished = path.with_suffix(".unfinished")
    os.truncate(unfinished, unfinished.stat().st_size - lost)
    assert write(path, step=step) == left and complete(path)


@pytest.mark.parametrize("damage", ["cut", "note"])
def test_a_whole_array_that_was_damaged_since_is_not_believed(path, damage):
    write(path)
    damaged = path if damage == "cut" else note_of(path)
    os.truncate(damaged, damaged.stat().st_size - 2)
    assert write(path) == 0 and complete(path)


def test_two_writers_at_once_are_told_apart(path):
    with growing_array(path, ROWS.shape, "a") as (_, append):
        append(ROWS[:4])
        said = start_python(GROW, path, 0).communicate()[1]
        assert f"Process {os.getpid()} is writing features.npy" in said
    assert run_python(GROW, path, 0) == "4\n"
