"""The whole course on a pocket-size dataset."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

from toolbox.models.vgg16 import WEIGHTS_FILE

import nbformat
import numpy as np
import pandas as pd
import pytest
import run_course as runner
from clean import clean

REPOSITORY = Path(__file__).resolve().parent.parent
POCKET_CLASSES = ("Crawl", "GetUp", "Walk")
POCKET_CLIPS = {
    "g01": 1,
    "g02": 1,
    "g04": 1,
    "g05": 1,
    "g06": 1,
}  # of a class; the first two test
KNOBS = (
    *("MAX_EPOCHS=4", "PATIENCE=4"),
    *("FINE_TUNE_CLIPS=15", "FINE_TUNE_SIZE=64", "FINE_TUNE_EPOCHS=1", "EXPLAINED=3"),
    *("EPOCHS=4", "STEPS=8"),
    *("CLIPS=8", "CLIPS_A_PART=1", "WORKERS=1", "COMPARE=[]", "FRAMES_AT_ONCE=4"),
)
PARTS = ("validation", "test", "all groups")
POCKET_KNOBS = [option for knob in KNOBS for option in ("--set", knob)]


def run_course(course, *options):
    """Run the course's own runner on a copy of the course; returns the finished
    process.
    """
    command = [
        sys.executable,
        REPOSITORY / "tools" / "run_course.py",
        "--course",
        course,
        *options,
    ]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture(scope="module")
def course(tmp_path_factory, base, weights_folder):
    """A copy of the notebooks, with VGG16's weights (`base` has fetched them if need
    be).
    """
    root = tmp_path_factory.mktemp("course")
    shutil.copytree(REPOSITORY / "notebooks", root / "notebooks")
    (root / "weights").mkdir()
    shutil.copy2(weights_folder / WEIGHTS_FILE, root / "weights" / WEIGHTS_FILE)
    return root


@pytest.fixture(scope="module")
def pocket(tmp_path_factory):
    """A pocket-size mocap: three classes, three training groups and a test group."""
    root, mocap = (
        tmp_path_factory.mktemp("videos") / "pocket",
        REPOSITORY / "data" / "mocap",
    )
    root.mkdir()
    for name in ("trainlist01.txt", "testlist01.txt"):
        lines = []
        for line in (mocap / name).read_text().splitlines():
            video = line.split()[0]
            label, (group, clip) = video.split("/")[0], Path(video).stem.split("_")[-2:]
            if label in POCKET_CLASSES and int(clip[1:]) <= POCKET_CLIPS.get(group, 0):
                lines.append(line)
                (root / "videos" / label).mkdir(parents=True, exist_ok=True)
                shutil.copy2(mocap / "videos" / video, root / "videos" / video)
        (root / name).write_text("\n".join(lines) + "\n")
    return root


@pytest.fixture(scope="module")
def finished(course, pocket):
    """The course, run from start to end on the pocket dataset; takes minutes, for
    VGG16.
    """
    return run_course(course, "--dataset", pocket, "--notebooks", "all", *POCKET_KNOBS)


@pytest.fixture
def results(finished, course):
    """The rows of results.json after that run."""
    return json.loads((course / "data" / "pocket" / "results.json").read_text())


def test_the_whole_course_runs(finished, course):
    assert finished.returncode == 0, finished.stderr
    for notebook in runner.without_extras(
        sorted((course / "notebooks").glob("*.ipynb"))
    ):
        assert f"{notebook.stem} " in finished.stdout
        executed = nbformat.read(
            course / "executed" / "pocket" / notebook.name, as_version=4
        )
        outputs = [
            output for cell in executed.cells for output in cell.get("outputs", [])
        ]
        assert not [output for output in outputs if output.get("name") == "stderr"]
        assert (
            notebook.read_bytes()
            == (REPOSITORY / "notebooks" / notebook.name).read_bytes()
        )


def test_the_results_name_their_protocol(finished, results):
    measured = {(row["method"], row["level"], row["part"]): row for row in results}
    vote = measured["majority vote", "video", "test"]
    assert vote["n"] == len(POCKET_CLASSES) * 2
    assert vote["chance"] == pytest.approx(1 / len(POCKET_CLASSES))
    sure = [r for r in results if r["groups"] > 1 and r["method"] != "majority class"]
    assert all(row["low"] <= row["accuracy"] <= row["high"] for row in sure)
    assert all(row["low"] is row["high"] is None for row in results if row not in sure)
    assert {row["groups"] for row in results if row["part"] == "test"} == {2}
    assert ("dense head", "frame", "validation") in measured
    assert f"{vote['accuracy']:.3f}" in finished.stdout


def test_the_files_that_notebooks_pass_on_agree(finished, course):
    data = course / "data" / "pocket"
    table = pd.read_csv(data / "train_new.csv")
    assert sorted(table["image"]) == sorted(
        path.name for path in (data / "train_1").iterdir()
    )
    features = np.load(data / "features.npy", mmap_mode="r")
    assert features.shape == (len(table), 7, 7, 512)
    assert features.dtype == np.float16
    split = pd.read_csv(data / "split.csv")
    assert split["image"].tolist() == table["image"].tolist()
    assert (
        set(split["split_by_frame"])
        == set(split["split_by_group"])
        == {"train", "validation"}
    )
    classes = np.load(data / "classes.npy")
    assert (
        classes[np.load(data / "labels.npy").argmax(axis=1)].tolist()
        == table["class"].tolist()
    )
    predictions = pd.read_csv(data / "predictions.csv")
    assert len(predictions) == len(POCKET_CLASSES) * 2
    assert not set(predictions["group"]) & set(table["group"])


def test_every_rung_of_the_ladder_is_measured_on_the_same_clips(results):
    ladder = [row for row in results if row["notebook"] == "06"]
    by_part = {part: [row for row in ladder if row["part"] == part] for part in PARTS}
    rungs = {
        part: [row["method"].split()[0] for row in rows]
        for part, rows in by_part.items()
    }
    assert rungs["validation"] == rungs["all groups"] == list("3456789")
    assert rungs["test"][:3] == list("012") and rungs["test"][4:] == ["10", "10"]
    for part, groups in (("validation", 3), ("test", 2), ("all groups", 5)):
        assert {row["n"] for row in by_part[part]} == {len(POCKET_CLASSES) * groups}
        assert {row["groups"] for row in by_part[part]} == {groups}
    best = max(by_part["validation"], key=lambda row: row["accuracy"])
    assert (
        rungs["test"][3] == best["method"].split()[0]
    )  # what validation chose, and no other


def test_one_store_of_pooled_features_serves_all_notebooks(finished, course):
    data = course / "data" / "pocket"
    videos = pd.read_csv(data / "videos.csv")
    kept = [np.load(data / "pooled" / f"{clip}.npy") for clip in videos["clip"]]
    seconds = videos["frames"] / videos["fps"]
    assert [len(features) for features in kept] == pytest.approx(4 * seconds, abs=1)
    assert {features.shape[1] for features in kept} == {512}
    last = max((data / "pooled").glob("*.npy"), key=lambda path: path.stat().st_mtime)
    frames = (
        data.parent.parent
        / "executed"
        / "pocket"
        / "07_see_what_the_network_sees.ipynb"
    )
    assert last.stat().st_mtime < frames.stat().st_mtime  # 11 looked at no clip again


def test_the_control_moves_only_what_reads_the_order(results):
    right = {
        (row["notebook"], row["method"]): row["accuracy"]
        for row in results
        if row["part"] == "all groups"
    }
    for notebook in ("08", "09"):
        blind = right[notebook, "mean and deviation"]
        assert right[notebook, "mean and deviation, frames shuffled"] == blind
    assert right["09", "flow histogram"] > 0.7  # chance: 1/3


def test_small_clips_are_stored_for_every_video(course, results):
    data = course / "data" / "pocket"
    stored = np.load(data / "clips_32x48.npy", mmap_mode="r")
    assert stored.shape == (len(pd.read_csv(data / "videos.csv")), 32, 48, 48, 3)
    assert all(clip.any() for clip in stored)
    for part in ("validation", "test"):
        rows = [
            row for row in results if row["notebook"] == "10" and row["part"] == part
        ]
        assert [row["method"].removeprefix("(2+1)D, trained ") for row in rows] == [
            "mean and deviation, linear",
            "ordered, tested ordered",
            "shuffled, tested shuffled",
            "ordered, tested shuffled",
        ]  # the pocket's three classes hold no reversed pair


def test_the_command_uses_the_classifier_of_notebook_11(finished, course, pocket):
    note = course / "weights" / "pocket" / "classifier.keras.json"
    facts = json.loads(note.read_text())
    assert facts["classes"] == sorted(POCKET_CLASSES)
    assert (facts["per_second"], facts["size"]) == (4, 8)
    command = [sys.executable, REPOSITORY / "tools" / "classify.py", "--course", course]
    clip = pocket / "videos" / "Walk" / "v_Walk_g01_c01.avi"
    done = subprocess.run([*command, clip], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "making it" not in done.stdout
    assert (
        course / "classified" / "pocket" / "v_Walk_g01_c01" / "annotated.mp4"
    ).exists()


def test_features_of_one_action_are_alike(finished, course):
    """Genuine features tell the pocket's actions apart: nearest neighbours, groups
    kept apart.
    """
    data = course / "data" / "pocket"
    table = pd.read_csv(data / "train_new.csv")
    features = np.load(data / "features.npy").reshape(len(table), -1).astype("float32")
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    likeness = features @ features.T
    groups, classes = table["group"].to_numpy(), table["class"].to_numpy()
    likeness[groups[:, None] == groups[None, :]] = -1
    is_walk = classes == "Walk"
    right = (is_walk[likeness.argmax(axis=1)] == is_walk).mean()
    assert (
        right > 0.75
    )  # walking or on the ground; always the larger part would get about 0.67


def test_scaled_out_features_are_those_of_the_store(finished, course):
    parts = pytest.importorskip(
        "toolbox.store.parquet", reason="pyarrow comes with Ray, an extra"
    )
    data = course / "data" / "pocket"
    scaled_out = parts.Parts(data / "features_parquet")
    clips = scaled_out.about()["clip"]
    assert len(clips) == 8 and clips.is_unique
    for clip, features in scaled_out.features().items():
        kept = np.load(data / "pooled" / f"{clip}.npy").astype("float32")
        apart = np.linalg.norm(features - kept, axis=1) / np.linalg.norm(kept, axis=1)
        assert apart.max() <= 0.005
    executed = (course / "executed" / "pocket" / "12_scale_out.ipynb").read_text()
    assert "was killed; workers that reported" in executed


def test_the_committed_page_shows_the_kill():
    """Run again over finished parts, there would be nothing to kill, and no picture
    of it.
    """
    notebook = nbformat.read(
        REPOSITORY / "notebooks" / "12_scale_out.ipynb", as_version=4
    )
    [killing] = [cell for cell in notebook.cells if ".kill()" in cell.source]
    assert "was killed; workers that reported" in str(killing.outputs)
    [drawing] = [
        cell for cell in notebook.cells if cell.source.startswith("draw_workers(")
    ]
    assert "image/png" in str(drawing.outputs)


def test_patience_lasts_longer_where_epochs_are_short(finished, course):
    """The pocket's frames make one batch: four updates would be over on the first
    plateau.
    """
    executed = course / "executed" / "pocket" / "04_train_on_vgg16_features.ipynb"
    assert "wait at most 70 epochs of 1 updates" in executed.read_text()


def test_figures_keep_their_alt_texts(finished, course):
    for path in (course / "executed" / "pocket").glob("*.ipynb"):
        for cell in nbformat.read(path, as_version=4).cells:
            for output in cell.get("outputs", []):
                data = output.get("data", {})
                for kind in filter(lambda kind: kind.startswith("image/"), data):
                    assert len(output.metadata[kind]["alt"]) > 20, (
                        path.name,
                        cell.source,
                    )
                assert data.get("text/html", "").count("<img") == data.get(
                    "text/html", ""
                ).count("<img alt=")


@pytest.fixture
def second(finished, course, pocket):
    """What 04 and 05 left, and a way to run single notebooks again."""

    def run(*notebooks, knobs=()):
        options = [option for knob in knobs for option in ("--set", knob)]
        return run_course(
            course, "--dataset", pocket, "--notebooks", " ".join(notebooks), *options
        )

    return run


def test_a_second_run_finds_its_work_done(second, course):
    data, weights = course / "data" / "pocket", course / "weights" / "pocket"
    kept = [
        data / "features.npy",
        data / "test_features.npy",
        weights / "training" / "best.hdf5",
    ]
    before = [path.stat().st_mtime_ns for path in kept]
    again = second("04", "05", knobs=["MAX_EPOCHS=4", "PATIENCE=4"])
    assert again.returncode == 0, again.stderr
    assert before == [path.stat().st_mtime_ns for path in kept]
    assert "06_fix" not in again.stdout


def test_a_notebook_says_what_no_longer_fits(second, course):
    """Another split of the frames, and the head still knows the old one."""
    try:
        assert second("03", knobs=["SEED=7"]).returncode == 0
        refused = second("05")
        assert refused.returncode == 1
        assert "run notebook 04 again" in refused.stderr
    finally:
        second("03")


def test_no_notebook_runs_before_those_that_it_rests_on(course, pocket, tmp_path):
    """In a fresh clone each names the first that is missing."""
    root = tmp_path / "fresh"
    shutil.copytree(course / "notebooks", root / "notebooks")
    for notebook in ("01", "03", "05"):
        refused = run_course(root, "--dataset", pocket, "--notebooks", notebook)
        assert refused.returncode == 1
        assert "Run notebook 00 first: the table of clips of pocket" in refused.stderr


def test_clean_leaves_nothing_that_the_course_made(finished, course, tmp_path):
    shutil.copytree(course / "data" / "pocket", tmp_path / "data" / "pocket")
    clean(tmp_path, "pocket")
    assert not (tmp_path / "data" / "pocket").exists()
