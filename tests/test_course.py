"""Notebooks 00 to 06 on a pocket-size dataset."""

import shutil

import numpy as np
import pandas as pd
import pytest
from clips import COURSE
from pocket import CLASSES, accuracy_of, check_pages, results_of, run_course

NOTEBOOKS = "00 01 02 03 04 05 06"
KNOBS = ("MAX_EPOCHS=4", "PATIENCE=4")


@pytest.fixture(scope="module")
def finished(course, pocket):
    return run_course(course, pocket, NOTEBOOKS, *KNOBS)


@pytest.fixture
def results(finished, course):
    return results_of(course)


def test_the_notebooks_run(finished, course):
    assert finished.returncode == 0, finished.stderr
    check_pages(course, NOTEBOOKS)


def test_the_results_name_their_protocol(finished, results):
    [vote] = results.query("method == 'majority vote'").to_dict("records")
    assert (vote["level"], vote["part"], vote["n"]) == ("video", "test", 6)
    assert vote["chance"] == pytest.approx(1 / len(CLASSES))
    assert f"{vote['accuracy']:.3f}" in finished.stdout
    bare = results["method"] == "majority class"  # nothing varies
    bare |= (results["method"] == "dense head") & (results["part"] == "validation")
    sure = (results["groups"] > 1) & ~bare
    assert (results[sure]["low"] <= results[sure]["accuracy"]).all()
    assert (results[sure]["accuracy"] <= results[sure]["high"]).all()
    assert results[~sure][["low", "high"]].isna().all(axis=None)
    assert set(results.query("part == 'test'")["groups"]) == {2}


def test_the_files_that_notebooks_pass_on_agree(finished, course):
    data = course / "data" / "pocket"
    table = pd.read_csv(data / "train_new.csv")
    frames = sorted(path.name for path in (data / "train_1").glob("*.jpg"))
    assert sorted(table["image"]) == frames
    features = np.load(data / "features.npy", mmap_mode="r")
    assert features.shape == (len(table), 7, 7, 512)
    assert features.dtype == np.float16
    split = pd.read_csv(data / "split.csv")
    assert split["image"].tolist() == table["image"].tolist()
    by_frame, by_group = (split["split_by_" + unit] for unit in ("frame", "group"))
    assert by_frame.eq("validation").mean() == pytest.approx(0.2, abs=0.05)
    assert set(split["class"][by_frame == "validation"]) == set(CLASSES)
    assert split["group"].groupby(by_group).nunique().to_dict() == {
        "train": 2,
        "validation": 1,
    }
    assert split.groupby("group")["split_by_group"].nunique().max() == 1
    classes = np.load(data / "classes.npy")
    labels = classes[np.load(data / "labels.npy").argmax(axis=1)]
    assert labels.tolist() == table["class"].tolist()
    predictions = pd.read_csv(data / "predictions.csv")
    assert sorted(set(predictions["group"])) == ["g01", "g02"]
    assert sorted(set(table["group"])) == ["g04", "g05", "g06"]


def test_every_rung_of_the_ladder_sits_the_same_exams(results):
    ladder, rungs = results[results["notebook"] == "06"], {}
    for part, groups in (("test", 2), ("all groups", 5)):
        rows = ladder[ladder["part"] == part]
        rungs[part] = rows["method"].str.split().str[0].tolist()
        assert set(rows["n"]) == {len(CLASSES) * groups}
        assert set(rows["groups"]) == {groups}
    assert rungs["test"] == [str(rung) for rung in range(12)]
    assert rungs["all groups"] == rungs["test"][4:]  # what is linear
    climbed = accuracy_of(results, "06", "all groups")
    assert climbed["8 square roots"] > 0.5  # chance: 1/3


@pytest.mark.slow
def test_a_second_run_finds_its_work_or_what_no_longer_fits(finished, course, pocket):
    """Another split of the frames, and the head still knows the old one."""
    features = course / "data" / "pocket" / "features.npy"
    before = features.stat().st_mtime_ns
    again = run_course(course, pocket, "04", *KNOBS)
    assert again.returncode == 0, again.stderr
    assert before == features.stat().st_mtime_ns
    refused = run_course(course, pocket, "03 05", "SEED=7")
    assert refused.returncode == 1
    assert "run notebook 04 again" in refused.stderr


def test_no_notebook_runs_before_those_that_it_rests_on(pocket, tmp_path):
    shutil.copytree(COURSE / "notebooks", tmp_path / "notebooks")
    refused = run_course(tmp_path, pocket, "03")
    assert refused.returncode == 1 and "Run notebook 00 first" in refused.stderr
