"""`make classify`: from a folder of class folders and a few videos to answers,
timelines and annotated copies. One classifier is trained for all tests, with VGG16, on
eight clips of three seconds.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from toolbox.clips.dataset import choose_dataset, find_dataset
from toolbox.clips.write import caption_tile
from toolbox.models.clip_features import pooled_network
from toolbox.models.saved_model import read_classifier
from toolbox.store.files import one_writer, read_csv, write_json

import classify
import numpy as np
import pytest
from clips import (
    COURSE,
    bar_frames,
    cut,
    disk_of,
    make_dataset,
    read_all,
    write_clip,
    write_with_pyav,
)

from lessons.own_videos import SavedClassifier, likeliest, probabilities_of

OUTPUTS = {"timeline.csv", "timeline.jpg", "annotated.mp4", "annotated.mp4.json"}


def start(course, *options):
    """Start the command on a course; returns the process."""
    command = [sys.executable, COURSE / "tools" / "classify.py", "--course", course]
    settings = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([*command, *map(str, options)], **settings)


@pytest.fixture(scope="module")
def trained(tmp_path_factory, weights_folder):
    """A course in which the command trained on two classes to classify a first
    video: (the course, what it said, what it complained of).
    """
    folder = tmp_path_factory.mktemp("classify")
    pets = make_dataset(folder / "pets", groups=4, clips=1, frames=75)
    (pets / "Run" / "broken.avi").write_bytes(b"")
    (folder / "course" / "weights").mkdir(parents=True)
    weights = next(weights_folder.glob("vgg16*.h5"))
    (folder / "course" / "weights" / weights.name).symlink_to(weights)
    first = write_clip(folder / "first.mp4", frames=50)
    process = start(folder / "course", first, "--dataset", pets)
    said, complaints = process.communicate(timeout=300)
    assert process.returncode == 0, complaints
    return folder / "course", said, complaints


@pytest.fixture(scope="module")
def loaded(trained):
    """The network and the head of that classifier, loaded once for all tests."""
    classifier = SavedClassifier(find_dataset(trained[0].parent / "pets", trained[0]))
    return pooled_network(classifier.dataset), classifier.head


@pytest.fixture
def course(trained, tmp_path):
    """A copy of that course, to change."""
    copy = tmp_path / "course"
    return shutil.copytree(trained[0], copy, symlinks=True, copy_function=os.link)


@pytest.fixture
def first(trained):
    """The video that was classified when the course was trained."""
    return trained[0].parent / "first.mp4"


@pytest.fixture
def videos(tmp_path):
    """A folder of three short videos, one of them in a folder of its own."""
    for look, name in enumerate(("a.mp4", "b.avi", "more/c.mp4")):
        write_clip(tmp_path / "videos" / name, frames=10, look=look)
    return tmp_path / "videos"


@pytest.fixture
def run(course, loaded, monkeypatch, capsys):
    """A function that runs the command in this process: (exit code, said,
    complaints).
    """
    network, head = loaded
    monkeypatch.setattr(SavedClassifier, "network", network)
    monkeypatch.setattr(SavedClassifier, "head", head)

    def run_here(*options, video="", dataset=""):
        arguments = ["classify.py", "--course", str(course), *map(str, options)]
        monkeypatch.setattr(sys, "argv", arguments)
        monkeypatch.setenv("VIDEO", str(video))
        monkeypatch.setenv("DATASET", dataset)
        try:
            code, complaints = classify.main(), ""
        except SystemExit as stop:
            code = 1 if isinstance(stop.code, str) else stop.code
            complaints = stop.code if isinstance(stop.code, str) else ""
        streams = capsys.readouterr()
        return code, streams.out, complaints + streams.err

    return run_here


def whole(folder):
    """Whether all that is written of a video is there, and nothing half written."""
    return {path.name for path in folder.iterdir()} == OUTPUTS


def times_of(folder):
    """When each file of a folder was written."""
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}


def predictions(course):
    """The rows of `predictions.csv`, a dict from the video's path."""
    table = read_csv(course / "classified" / "pets" / "predictions.csv")
    assert not table["video"].duplicated().any()
    return {row["video"]: row for row in table.to_dict("records")}


def set_threshold(course, threshold):
    """Have the classifier say "none of these" below another highest probability."""
    note = course / "weights" / "pets" / "classifier.keras.json"
    write_json(note, **json.loads(note.read_text()) | {"threshold": threshold})


# One video


def test_a_first_video_trains_and_is_answered(trained):
    course, said, complaints = trained
    assert complaints == ""
    assert "Run/broken.avi: the file is empty" in said
    assert "of 4 clips held out, of new groups: 2" in said
    [line] = [line for line in said.splitlines() if line.startswith("first.mp4: ")]
    assert "Run" in line and "Walk" in line and line.endswith("in 2.0 s")
    home = course / "classified" / "pets"
    assert whole(home / "first")
    timeline = read_csv(home / "first" / "timeline.csv")
    assert timeline["start"].iloc[0] == 0 and timeline["end"].iloc[-1] == 2
    assert timeline["start"].tolist()[1:] == timeline["end"].tolist()[:-1]
    [row] = predictions(course).values()
    assert Path(row["video"]).name == "first.mp4" and row["problem"] == ""
    assert row["seconds"] == 2 and row["segments"] == len(timeline)
    assert {row["class"], row["second"], row["third"]} >= {"Run", "Walk"}


def test_the_captions_of_the_annotated_video_are_the_timeline(course, run, tmp_path):
    set_threshold(course, 0)
    pictures = [frame for look in (0, 1) for frame in bar_frames(75, look=look)]
    code, _, complaints = run(write_with_pyav(tmp_path / "both.mp4", frames=pictures))
    assert code == 0, complaints
    folder = course / "classified" / "pets" / "both"
    timeline = read_csv(folder / "timeline.csv")
    assert timeline["class"].tolist() == ["Run", "Walk"]
    assert timeline["end"].iloc[0] == pytest.approx(3, abs=0.5)
    frames = read_all(folder / "annotated.mp4")
    assert len(frames) == 150
    texts = [f"{name} {chance}%" for name in ("Run", "Walk") for chance in range(101)]
    tiles = [caption_tile(text, frames[0].shape[1])[..., 0] for text in texts]
    tiles = np.array(tiles, "float32")
    for index, frame in enumerate(frames):
        strip = frame[-tiles.shape[1] :].mean(axis=2)
        nearest = texts[np.abs(tiles - strip).mean(axis=(1, 2)).argmin()]
        now = timeline[timeline["start"] <= index / 25].iloc[-1]
        assert nearest.split()[0] == now["class"]


def test_a_video_of_no_class_is_none_of_these(course, run, videos):
    set_threshold(course, 1.01)
    code, said, _ = run(videos / "a.mp4")
    assert code == 0 and "a.mp4: none of these" in said and "101.0%" in said
    home = course / "classified" / "pets"
    assert set(read_csv(home / "a" / "timeline.csv")["class"]) == {"none of these"}
    row = predictions(course)[str(videos / "a.mp4")]
    assert row["class"] == "none of these"
    assert {row["second"], row["third"]} == {"Run", "Walk"}
    assert row["probability"] == row["second_probability"] >= row["third_probability"]


def test_the_verdict_is_the_mean_of_the_windows():
    windows = np.array([[0.5, 0.3, 0.2, 0], [0.3, 0.2, 0.4, 0.1]])
    expected = [("a", 0.4), ("c", 0.3), ("b", 0.25), ("d", 0.05)]
    assert likeliest(windows, list("abcd"), threshold=0.4) == expected
    refused = [("none of these", 0.4), *expected]
    assert likeliest(windows, list("abcd"), threshold=0.41) == refused


@pytest.mark.parametrize("frames", [3, 8, 1007, 1008, 2500])
def test_windows_are_the_same_in_blocks_as_all_at_once(frames):
    features = np.random.default_rng(0).random((frames, 2), "float32")
    found = probabilities_of(features, lambda windows: windows[:, -1], size=8)
    assert np.array_equal(found, features[min(7, frames - 1) :])


# Several, and again


def test_a_folder_with_a_broken_video(course, run, videos):
    cut(write_clip(videos / "broken.mp4", frames=10), 0.5)
    (videos / "notes.txt").write_text("a text")
    write_clip(videos / ".hidden" / "d.mp4", frames=10)
    code, said, complaints = run(videos)
    assert code == 1
    assert complaints.startswith(f"{videos}/broken.mp4: ")
    assert "not videos by their suffix: 1" in said
    home = course / "classified" / "pets"
    assert all(whole(home / name) for name in "abc")
    rows = predictions(course)
    names = ["a.mp4", "b.avi", "broken.mp4", "more/c.mp4"]
    assert rows.keys() > {str(videos / name) for name in names} and len(rows) == 5
    broken = rows[str(videos / "broken.mp4")]
    assert broken["class"] == "" and broken["problem"] in complaints
    assert rows[str(videos / "b.avi")]["problem"] == ""


def test_what_is_done_stays_until_the_video_or_the_classifier_changes(
    course, run, tmp_path
):
    clip = write_clip(tmp_path / "clip.mp4", frames=10)
    folder = course / "classified" / "pets" / "clip"
    assert "in 0.5 s" in run(clip)[1]
    (folder / "my notes.txt").write_text("mine")
    times, row = times_of(folder), predictions(course)[str(clip)]
    assert "in 0.5 s" in run(clip)[1] and times_of(folder) == times
    (folder / "timeline.jpg").unlink()
    assert run(clip)[0] == 0 and times_of(folder).keys() == times.keys()
    assert predictions(course)[str(clip)] == row
    write_clip(clip, frames=20)
    assert "in 1.0 s" in run(clip)[1]
    assert predictions(course)[str(clip)]["seconds"] == 1
    set_threshold(course, 1.01)
    assert "clip.mp4: none of these" in run(clip)[1]
    assert (folder / "my notes.txt").read_text() == "mine"


def test_videos_of_the_same_name_have_a_folder_each(course, run, tmp_path):
    clips = [write_clip(tmp_path / place / "clip.mp4", frames=10) for place in "xy"]
    for _ in range(2):
        assert run(*clips)[0] == 0
        folders = sorted((course / "classified" / "pets").glob("clip*"))
        assert len(folders) == 2 and all(map(whole, folders))
        notes = [json.loads((f / "annotated.mp4.json").read_text()) for f in folders]
        assert [note["row"]["video"] for note in notes] == list(map(str, clips))


@pytest.mark.skipif(os.name == "nt", reason="Windows knows no such signal")
def test_interrupted_and_started_again_it_goes_on(course, run, videos):
    home = course / "classified" / "pets"
    process = start(course, videos)
    for line in process.stdout:
        if line.startswith("a.mp4: "):
            break
    process.send_signal(signal.SIGINT)
    _, complaints = process.communicate(timeout=300)
    assert process.returncode == 130 and "Traceback" not in complaints
    before = times_of(home / "a")
    code, _, complaints = run(videos)
    assert code == 0, complaints
    assert all(whole(home / name) for name in "abc") and times_of(home / "a") == before
    assert len(predictions(course)) == 4


def test_one_run_at_a_time(course, run, first):
    with one_writer(course / "classified" / "pets" / ".lock", "it"):
        code, _, complaints = run(first)
    assert code == 1 and f"Process {os.getpid()} is writing" in complaints
    assert run(first)[0] == 0


def test_a_full_disk_ends_in_a_sentence_and_the_next_run_goes_on(course, run, videos):
    disk = course / "classified"
    shutil.rmtree(disk)
    disk.mkdir()
    with disk_of("80k", disk) as enlarge:
        code, _, complaints = run(videos)
        assert code == 1 and "The disk is full" in complaints
        assert not list(disk.rglob(".partial*"))
        enlarge()
        assert run(videos)[0] == 0
        assert all(whole(disk / "pets" / name) for name in "abc")


# What it learns from


def test_without_a_dataset_it_is_the_one_chosen_last(course, run, first, tmp_path):
    assert "dataset: pets in " in run(first)[1]
    other = make_dataset(tmp_path / "other", groups=2, clips=1, frames=5)
    choose_dataset(other, course)
    (other / "Run" / "v_Run_g01_c01.avi").unlink()
    with one_writer(course / "classified" / "other" / ".lock", "it"):
        code, said, _ = run(first)
    assert code == 1
    assert "dataset: other in " in said and "3 clips in 2 classes to learn from" in said
    table = read_csv(course / "data" / "other" / "videos.csv")
    assert table["class"].tolist() == ["Run", "Walk", "Walk"]


def test_new_videos_of_the_dataset_are_told(trained, run, first):
    pets = trained[0].parent / "pets"
    new = write_clip(pets / "Run" / "new.avi", frames=5)
    code, said, _ = run(first)
    new.unlink()
    assert code == 0 and f"{pets} has changed since its table was made" in said


def test_a_classifier_that_does_not_fit_is_none(trained, course):
    dataset = find_dataset(trained[0].parent / "pets", course)
    assert read_classifier(dataset)["classes"] == ["Run", "Walk"]
    for path in (dataset.data / "videos.csv", dataset.weights / "classifier.keras"):
        content = path.read_bytes()
        path.unlink()  # it is a link to the first course's
        path.write_bytes(content[:-1])
        assert read_classifier(dataset) == {}
        path.write_bytes(content)
    assert read_classifier(dataset)


def test_a_classifier_of_an_older_version_is_made_anew(course, run, first):
    weights = course / "weights" / "pets"
    note = json.loads((weights / "classifier.keras.json").read_text())
    (weights / "classifier.keras.json").rename(weights / "classifier.json")
    code, said, complaints = run(first)
    assert code == 0, complaints
    assert "older version" in said and "of 4 clips held out" in said
    made = json.loads((weights / "classifier.keras.json").read_text())
    assert {name: made[name] for name in ("of", "classes", "size", "threshold")} == {
        name: note[name] for name in ("of", "classes", "size", "threshold")
    }


@pytest.mark.parametrize("dataset", ["ucf101", "/no/pets"])
def test_a_dataset_that_is_not_there(run, videos, dataset):
    code, _, complaints = run(videos, "--dataset", dataset)
    assert code == 1 and "There is no folder" in complaints and dataset in complaints


# Which videos


def test_wrong_usage_is_told(run):
    for arguments in ([], [""], ["--datasets", "x", "clip.mp4"]):
        code, _, complaints = run(*arguments)
        assert code == 2 and complaints.startswith("usage: ")


def test_names_stand_for_files_folders_and_patterns(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = ["a.mp4", "b.MOV", "deep/er/c.webm", "deep/d.txt", ".f/g.mp4", "[1].mp4"]
    for name in map(Path, names):
        name.parent.mkdir(parents=True, exist_ok=True)
        name.touch()

    def found(*names):
        sources = classify.sources_of(names)
        return [path.relative_to(tmp_path).as_posix() for path in sources]

    assert found(".") == ["[1].mp4", "a.mp4", "b.MOV", "deep/er/c.webm"]
    assert capsys.readouterr().out == "left out, not videos by their suffix: 1\n"
    assert found("deep", "deep/d.txt", "deep/er/../er/c.webm") == [
        "deep/er/c.webm",
        "deep/d.txt",
    ]
    patterns = ["**/*.webm", "[1].mp4", "no.mp4"]
    assert found(*patterns) == ["deep/er/c.webm", "[1].mp4", "no.mp4"]


def test_the_text_of_make_is_a_path_or_what_a_shell_would_make_of_it(
    run, first, tmp_path
):
    for name in ("my clip.mp4", "it's.mp4"):
        assert run(video=shutil.copy(first, tmp_path / name))[0] == 0
    code, said, _ = run(video=f"'{tmp_path / 'my clip.mp4'}' {first}")
    assert code == 0 and "my clip.mp4: " in said and "first.mp4: " in said
    assert run(video="isn't.mp4")[2] == "There is no video at isn't.mp4."


def test_a_missing_video_is_told_and_the_others_are_classified(course, run, first):
    code, said, complaints = run("/no/clip.mp4", first)
    assert code == 1 and complaints == "/no/clip.mp4: the file is missing\n"
    assert "first.mp4: " in said
    assert "/no/clip.mp4" not in predictions(course)  # perhaps a mistyped name


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_a_name_that_is_not_unicode_is_told(course, run, tmp_path):
    path = tmp_path / os.fsdecode(b"caf\xe9.mp4")
    write_clip(tmp_path / "clip.mp4", frames=5).rename(path)
    code, _, complaints = run(path)
    assert code == 1 and complaints.startswith(f"{tmp_path}/caf\\xe9.mp4: ")
    assert predictions(course)[f"{tmp_path}/caf\\xe9.mp4"]["problem"] in complaints


@pytest.mark.skipif(not shutil.which("make"), reason="make is not here")
def test_a_video_passes_through_make_unharmed(tmp_path):
    (tmp_path / "$5 $(HOME)").mkdir()
    command = ["make", "-o", ".venv/installed", "classify", f"RUN={sys.executable}"]
    video = f"VIDEO={tmp_path}/$5 $(HOME)"
    done = subprocess.run([*command, video], cwd=COURSE, capture_output=True, text=True)
    assert done.returncode
    assert f"There is no video at {tmp_path}/$5 $(HOME)." in done.stderr
