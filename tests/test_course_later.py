"""Notebooks 07 to 11 on a pocket-size dataset: they need 00, and clips' features."""

import numpy as np
import pandas as pd
import pytest
from pocket import CLIPS, accuracy_of, check_pages, results_of, run_course, run_tool

NOTEBOOKS = "00 07 08 09 10 11"
KNOBS = ("EXPLAINED=3", "STEPS=8", "EPOCHS=2", "FRAMES=4", "SIZE=32")
TRAININGS = ["(2+1)D, in order", "(2+1)D, shuffled", "(2+1)D, both ways"]


@pytest.fixture(scope="module")
def finished(course, pocket):
    return run_course(course, pocket, NOTEBOOKS, *KNOBS)


@pytest.fixture
def results(finished, course):
    return results_of(course)


def test_the_notebooks_run(finished, course):
    assert finished.returncode == 0, finished.stderr
    check_pages(course, NOTEBOOKS)


def test_one_store_of_pooled_features_serves_all_notebooks(finished, course):
    data = course / "data" / "pocket"
    videos = pd.read_csv(data / "videos.csv")
    assert set(videos["clip"]) == set(CLIPS)
    seconds = videos["frames"] / videos["fps"]
    folder = data / "pooled" / "EfficientNet-Lite0"
    kept = [folder / f"{clip}.npy" for clip in videos["clip"]]
    features = [np.load(path) for path in kept]
    assert [*map(len, features)] == pytest.approx(4 * seconds, abs=1)
    assert {rows.shape[1] for rows in features} == {1824}
    [page] = (course / "executed" / "pocket").glob("07_*.ipynb")
    assert max(path.stat().st_mtime for path in kept) < page.stat().st_mtime


def test_the_control_moves_only_what_reads_the_order(results):
    right, blind = accuracy_of(results, "08", "all groups"), "mean and deviation"
    assert right[blind] == right[f"{blind}, frames shuffled"]
    assert right["… + change"] > 0.6  # chance: 1/3


def test_motion_alone_names_actions(results):
    for part in ("validation", "all groups", "test"):
        right = accuracy_of(results, "09", part)
        assert list(right) == ["features", "flow histogram", "flow and features"]
    assert accuracy_of(results, "09", "all groups")["flow histogram"] > 0.6


def test_the_network_is_judged_in_and_out_of_order(finished, course, results):
    stored = np.load(course / "data" / "pocket" / "clips_8x32.npy", mmap_mode="r")
    assert stored.shape == (len(CLIPS), 8, 32, 32, 3)
    assert all(clip.any() for clip in stored)
    linear = ["linear, mean and deviation", "linear, with step and change"]
    for part in ("unseen groups", "test"):
        assert list(accuracy_of(results, "10", part)) == linear + TRAININGS


def test_the_command_uses_the_classifier_of_notebook_11(finished, course, pocket):
    clip = pocket / "videos" / "Walk" / "v_Walk_g01_c01.avi"
    done = run_tool("classify.py", course, clip)
    assert done.returncode == 0, done.stderr
    assert "training one" not in done.stdout
    assert (course / "classified" / "pocket" / clip.stem / "annotated.mp4").exists()
