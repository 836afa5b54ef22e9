"""`make classify`, with one classifier for all tests, trained by a quick network."""

import io
import json
import os
import shutil
import sys

from toolbox.clips.dataset import choose_dataset, find_dataset
from toolbox.clips.write import caption_tile, join_clips
from toolbox.models import clip_features
from toolbox.models.efficientnet import efficientnet_weights
from toolbox.models.saved_model import read_classifier
from toolbox.store.files import one_writer, read_csv, write_json

import classify
import numpy as np
import pytest
from clips import cut, disk_of, make_dataset, read_all, write_clip

from lessons import own_videos
from lessons.own_videos import SavedClassifier, likeliest, probabilities_of


class SomePixels:
    """A network for tests: RGB uint8 (n, 224, 224, 3) to 1,824 numbers of each."""

    name, facts, size = "pixels", ["pixels"], 224

    def __call__(self, frames):
        return frames[:, ::14, ::6].reshape(-1, 1824).astype("float32")


def command(course, *options, **variables):
    """Run the command: (exit code, said, complaints)."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8") for _ in range(2))
    arguments = ["classify.py", "--course", str(course), *map(str, options)]
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as stop:
        for name, value in ("argv", arguments), ("stdout", out), ("stderr", err):
            patch.setattr(sys, name, value)
        for name in ("VIDEO", "DATASET"):
            patch.setenv(name, str(variables.get(name, "")))
        patch.setenv("MPLBACKEND", "agg")  # else it would stay set
        classify.exit_with(classify.main)
    code = stop.value.code
    if isinstance(code, str):  # Python prints it, and ends with 1
        err.write(code)
    said = [stream.seek(0) or stream.read() for stream in (out, err)]
    return code if isinstance(code, int) else 1, *said


@pytest.fixture(scope="module")
def trained(tmp_path_factory, weights_folder):
    """A course in which the command trained on two classes to classify a first video,
    and what `command` returned.
    """
    folder = tmp_path_factory.mktemp("classify")
    pets = make_dataset(folder / "pets", groups=4, clips=1, frames=75)
    (pets / "Run" / "broken.avi").write_bytes(b"")
    weights, course = efficientnet_weights(weights_folder), folder / "course"
    (course / "weights").mkdir(parents=True)
    (course / "weights" / weights.name).symlink_to(weights)
    first = write_clip(folder / "first.mp4", frames=50)
    with pytest.MonkeyPatch.context() as patch:
        for module in (clip_features, own_videos):
            patch.setattr(module, "pooled_network", lambda dataset: SomePixels())
        yield course, *command(course, first, "--dataset", pets)


@pytest.fixture(scope="module")
def head(trained):
    """The head of that classifier, loaded once for all tests."""
    return SavedClassifier(find_dataset(trained[0].parent / "pets", trained[0])).head


@pytest.fixture
def course(trained, head, tmp_path, monkeypatch):
    """A copy of that course, to change."""
    monkeypatch.setattr(SavedClassifier, "head", head)
    copy = tmp_path / "course"
    return shutil.copytree(trained[0], copy, symlinks=True, copy_function=os.link)


@pytest.fixture
def home(course):
    return course / "classified" / "pets"


@pytest.fixture
def first(trained):
    return trained[0].parent / "first.mp4"


@pytest.fixture
def videos(tmp_path):
    """A folder of three short videos, two of the same name."""
    for look, name in enumerate(("a.mp4", "b.avi", "more/a.mp4")):
        write_clip(tmp_path / "videos" / name, frames=10, look=look)
    return tmp_path / "videos"


def whole(folder):
    """Whether all that is written of a video is there, and nothing half written."""
    outputs = "annotated.mp4 annotated.mp4.json timeline.csv timeline.jpg"
    return " ".join(sorted(path.name for path in folder.iterdir())) == outputs


def all_whole(home):
    return sum(map(whole, [home / "b", *home.glob("a*")])) == 3


def times_of(folder):
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}


def predictions(home):
    """The rows of `predictions.csv`, a dict from the video's path."""
    return read_csv(home / "predictions.csv").set_index("video").to_dict("index")


def set_threshold(course, threshold):
    """Have the classifier say "none of these" below another highest probability."""
    note = course / "weights" / "pets" / "classifier.keras.json"
    write_json(note, **json.loads(note.read_text()) | {"threshold": threshold})


def test_a_first_video_trains_and_is_answered(trained):
    course, code, said, complaints = trained
    assert (code, complaints) == (0, "")
    assert "Run/broken.avi: the file is empty" in said
    assert "of 4 clips held out, of new groups: 2" in said
    assert "first.mp4: " in said and "in 2.0 s" in said
    home = course / "classified" / "pets"
    assert whole(home / "first")
    timeline = read_csv(home / "first" / "timeline.csv")
    [(video, row)] = predictions(home).items()
    assert video.endswith("first.mp4") and row["problem"] == ""
    assert row["seconds"] == timeline["end"].iloc[-1] == 2
    assert {row["class"], row["second"], row["third"]} >= {"Run", "Walk"}


def test_the_captions_of_the_annotated_video_are_the_timeline(course, home, trained):
    set_threshold(course, 0)
    pets, both = trained[0].parent / "pets", course / "both.avi"
    join_clips(sorted(pets.glob("*/*_g01_c01.avi")), both)
    assert command(course, both)[0] == 0
    timeline = read_csv(home / "both" / "timeline.csv")
    assert timeline["class"].tolist() == ["Run", "Walk"]
    assert timeline["end"].tolist() == [pytest.approx(3, abs=0.5), 6]
    frames = read_all(home / "both" / "annotated.mp4")
    texts = [f"{name} {chance}%" for name in ("Run", "Walk") for chance in range(101)]
    tiles = np.array([caption_tile(text, frames[0].shape[1]) for text in texts], float)
    strips = (frame[-tiles.shape[1] :].mean(axis=2) for frame in frames[::5])
    walks = [np.abs(tiles - one).mean(axis=(1, 2)).argmin() > 100 for one in strips]
    assert walks == (np.arange(30) >= round(5 * timeline["end"][0] + 0.49)).tolist()


def test_the_verdict_is_the_mean_of_the_windows():
    windows = np.array([[0.5, 0.3, 0.2, 0], [0.3, 0.2, 0.4, 0.1]])
    expected = [("a", 0.4), ("c", 0.3), ("b", 0.25), ("d", 0.05)]
    assert likeliest(windows, list("abcd"), threshold=0.4) == expected
    refused = [("none of these", 0.4), *expected]
    assert likeliest(windows, list("abcd"), threshold=0.41) == refused
    features = np.random.default_rng(0).random((2500, 2), "float32")
    in_blocks = probabilities_of(features, lambda windows: windows[:, -1], size=8)
    assert np.array_equal(in_blocks, features[7:])


def test_a_folder_with_a_broken_video(course, home, videos):
    cut(write_clip(videos / "broken.mp4", frames=10), 0.5)
    code, _, complaints = command(course, videos, "/no/clip.mp4")
    broken, missing = complaints.splitlines()
    assert code == 1 and missing == "/no/clip.mp4: the file is missing"
    assert all_whole(home)
    rows = predictions(home)
    assert len(rows) == 5  # without the missing one: perhaps it was mistyped
    row = rows[video := str(videos / "broken.mp4")]
    assert row["class"] == "" and broken == f"{video}: {row['problem']}"


def test_what_is_done_stays_until_what_it_is_made_of_changes(course, home, tmp_path):
    clip, folder = write_clip(tmp_path / "clip.mp4", frames=10), home / "clip"
    assert "in 0.5 s" in command(course, clip)[1]
    times = times_of(folder)
    assert "in 0.5 s" in command(course, clip)[1] and times_of(folder) == times
    write_clip(clip, frames=20)
    assert "in 1.0 s" in command(course, clip)[1]
    assert predictions(home)[str(clip)]["seconds"] == 1
    set_threshold(course, 1.01)
    assert "clip.mp4: none of these" in command(course, clip)[1]


def test_interrupted_and_started_again_it_goes_on(course, home, videos, monkeypatch):
    annotate = own_videos.annotate

    def interrupted(path, *rest):  # as by Ctrl-C, when a video has been written
        annotate(path, *rest)
        if path.suffix == ".avi":
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(own_videos, "annotate", interrupted)
        assert command(course, videos)[0] == 130
    before = times_of(home / "a")
    assert not (home / "b" / "annotated.mp4").exists()
    assert command(course, videos)[0] == 0
    assert all_whole(home) and times_of(home / "a") == before


def test_a_full_disk_ends_in_a_sentence_and_the_next_run_goes_on(course, home, videos):
    shutil.rmtree(home)
    with disk_of("80k", home.parent) as enlarge:
        code, _, complaints = command(course, videos)
        assert code == 1 and "The disk is full" in complaints
        assert not list(home.rglob(".partial*"))
        enlarge()
        assert command(course, videos)[0] == 0
        assert all_whole(home)


def test_one_run_at_a_time_on_the_dataset_chosen_last(course, first, tmp_path):
    assert "dataset: pets in " in command(course, first)[1]
    other = make_dataset(tmp_path / "other", groups=2, clips=1, frames=5)
    choose_dataset(other, course)
    with one_writer(course / "classified" / "other" / ".lock", "it"):
        code, said, complaints = command(course, first)
    assert code == 1 and f"Process {os.getpid()} is writing" in complaints
    assert "dataset: other in " in said


def test_new_videos_are_told_and_a_classifier_that_does_not_fit_is_none(course, first):
    pets = first.parent / "pets"
    new = write_clip(pets / "Run" / "new.avi", frames=5)
    code, said, _ = command(course, first)
    new.unlink()
    assert code == 0 and "pets has changed" in said
    dataset = find_dataset(pets, course)
    assert read_classifier(dataset)["classes"] == ["Run", "Walk"]
    for path in (dataset.data / "videos.csv", dataset.weights / "classifier.keras"):
        content = path.read_bytes()
        path.unlink()  # it is a link to the first course's
        path.write_bytes(content[:-1])
        assert read_classifier(dataset) == {}
        path.write_bytes(content)


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        (["--dataset", "ucf101"], 1, "There is no folder"),
        (["--dataset", "/no/pets"], 1, "There is no folder"),
        (["--datasets", "x"], 2, "usage: "),
        ([""], 2, "usage: "),
    ],
)
def test_what_is_not_there_or_wrongly_used_is_told(course, first, options, code, told):
    found, _, complaints = command(course, first, *options)
    assert found == code and told in complaints


def test_names_stand_for_files_folders_and_patterns(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    c, d = "deep/er/c.webm", "deep/d.txt"
    for name in ("b.MOV", c, d, ".f/g.mp4", "[1].mp4"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    for names, expected in (
        (["."], ["[1].mp4", "b.MOV", c]),
        (["deep", d, "deep/er/../er/c.webm"], [c, d]),
        (["**/*.webm", "[1].mp4", "no.mp4"], [c, "[1].mp4", "no.mp4"]),
    ):
        assert classify.sources_of(names) == [tmp_path / name for name in expected]
    assert "not videos by their suffix: 1\n" in capsys.readouterr().out


def test_the_text_of_make_is_a_path_or_words_as_in_a_shell(course, first, tmp_path):
    clip = shutil.copy(first, tmp_path / "it's my clip.mp4")
    assert command(course, VIDEO=clip)[0] == 0
    code, said, _ = command(course, VIDEO=f'"{clip}" {first}')
    assert code == 0 and "it's my clip.mp4: " in said and "first.mp4: " in said


def test_a_video_called_as_the_table_of_answers_gets_another_folder(tmp_path):
    folder = classify.folder_for(tmp_path / "predictions.csv.mp4", tmp_path)
    assert folder.parent == tmp_path and folder.name.startswith("predictions.csv_")
    assert classify.folder_for(tmp_path / "clip.mp4", tmp_path) == tmp_path / "clip"
