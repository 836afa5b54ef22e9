"""Notebooks 07 to 10 on a pocket-size dataset: they need 00, and clips' features."""

import numpy as np
import pytest
from pocket import CLIPS, accuracy_of, check_pages, results_of, run_course

NOTEBOOKS = "00 07 08 09 10"
KNOBS = ("EXPLAINED=3", "STEPS=8", "EPOCHS=2", "FRAMES=4", "SIZE=32", "STORED=8")
SETUPS = [
    "ordered, tested ordered",
    "shuffled, tested shuffled",
    "ordered, tested shuffled",
]


@pytest.fixture(scope="module")
def finished(course, pocket):
    """These notebooks, run from start to end."""
    return run_course(course, pocket, NOTEBOOKS, *KNOBS)


@pytest.fixture
def results(finished, course):
    """The rows of results.json after that run."""
    return results_of(course)


def test_the_notebooks_run(finished, course):
    assert finished.returncode == 0, finished.stderr
    check_pages(course, NOTEBOOKS)


def test_the_control_moves_only_what_reads_the_order(results):
    for notebook in ("08", "09"):
        right = accuracy_of(results, notebook, "all groups")
        blind = "mean and deviation"
        assert right[blind] == right[f"{blind}, frames shuffled"]
    assert right["flow histogram"] > 0.7  # chance: 1/3
    assert right["… + change"] > 0.6


def test_small_clips_are_stored_for_every_video(finished, course):
    stored = np.load(course / "data" / "pocket" / "clips_8x32.npy", mmap_mode="r")
    assert stored.shape == (len(CLIPS), 8, 32, 32, 3)
    assert all(clip.any() for clip in stored)


def test_the_network_is_judged_in_and_out_of_order(results):
    expected = ["mean and deviation, linear", *(f"(2+1)D, trained {s}" for s in SETUPS)]
    for part in ("validation", "test"):  # the pocket's classes hold no reversed pair
        assert list(accuracy_of(results, "10", part)) == expected
