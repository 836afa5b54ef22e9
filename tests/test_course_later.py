"""Notebooks 07 to 11 on a pocket-size dataset: they need 00, and clips' features."""

import numpy as np
import pandas as pd
import pytest
from pocket import CLIPS, accuracy_of, check_pages, results_of, run_course, run_tool

NOTEBOOKS = "00 07 08 09 10 11"
KNOBS = ("EXPLAINED=3", "STEPS=8", "EPOCHS=2", "FRAMES=4", "SIZE=32", "STORED=8")
SETUPS = ["ordered, tested ordered", "shuffled, tested shuffled"]
SETUPS += ["ordered, tested shuffled"]


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
    for network, width, first in (
        ("VGG16", 512, "07"),
        ("EfficientNet-Lite0", 1824, "11"),
    ):
        kept = [data / "pooled" / network / f"{clip}.npy" for clip in videos["clip"]]
        features = [np.load(path) for path in kept]
        assert [*map(len, features)] == pytest.approx(4 * seconds, abs=1)
        assert {rows.shape[1] for rows in features} == {width}
        [page] = (course / "executed" / "pocket").glob(f"{first}_*.ipynb")
        assert max(path.stat().st_mtime for path in kept) < page.stat().st_mtime


def test_the_control_moves_only_what_reads_the_order(results):
    for notebook in ("08", "09"):
        right = accuracy_of(results, notebook, "all groups")
        blind = "mean and deviation"
        assert right[blind] == right[f"{blind}, frames shuffled"]
    assert right["flow histogram"] > 0.7  # chance: 1/3
    assert right["… + change"] > 0.6


def test_the_network_is_judged_in_and_out_of_order(finished, course, results):
    stored = np.load(course / "data" / "pocket" / "clips_8x32.npy", mmap_mode="r")
    assert stored.shape == (len(CLIPS), 8, 32, 32, 3)
    assert all(clip.any() for clip in stored)
    expected = ["mean and deviation, linear", *(f"(2+1)D, trained {s}" for s in SETUPS)]
    for part in ("validation", "test"):  # the pocket's classes hold no reversed pair
        assert list(accuracy_of(results, "10", part)) == expected


def test_the_command_uses_the_classifier_of_notebook_11(finished, course, pocket):
    clip = pocket / "videos" / "Walk" / "v_Walk_g01_c01.avi"
    done = run_tool("classify.py", course, clip)
    assert done.returncode == 0, done.stderr
    assert "training one" not in done.stdout
    assert (course / "classified" / "pocket" / clip.stem / "annotated.mp4").exists()
