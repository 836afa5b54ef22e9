"""`make classify`: from a folder of class folders and a few videos to answers,
timelines and annotated copies. One classifier is trained for all tests, with VGG16,
on eight clips of three seconds.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from toolbox.clips.dataset import choose_dataset
from toolbox.clips.write import caption_tile, join_clips
from toolbox.store.files import one_writer, read_csv

import classify
import numpy as np
import pytest
from clips import (
    COURSE,
    bar_frames,
    cut,
    disk_of,
    kill_when,
    make_dataset,
    read_all,
    run_python,
    start_python,
    write_clip,
    write_with_pyav,
)

COMMAND = [sys.executable, COURSE / "tools" / "classify.py"]
NO_TENSORFLOW = "import sys; sys.modules['tensorflow'] = sys.modules['keras'] = None; "
RUN_MAIN = (
    f"sys.path.insert(0, {str(COURSE / 'tools')!r}); import classify; classify.main()"
)


def start(course, *options, **environment):
    """Start the command on a course; returns the process."""
    settings = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    command = [*COMMAND, "--course", course, *map(str, options)]
    return subprocess.Popen(command, env=os.environ | environment, **settings)


def finish(process):
    """Wait for a process; returns (exit code, what it said, what it complained of)."""
    said, complaints = process.communicate(timeout=300)
    return process.returncode, said, complaints


@pytest.fixture(scope="module")
def trained(tmp_path_factory, weights_folder):
    """A course in which the command trained on two classes to classify a first
    video: (the course, what it said, what it complained of).
    """
    folder = tmp_path_factory.mktemp("classify")
    pets = make_dataset(folder / "pets", groups=4, clips=1, frames=75)
    (pets / "Run" / "broken.avi").write_bytes(b"")
    course = folder / "course"
    (course / "weights").mkdir(parents=True)
    weights = next(weights_folder.glob("vgg16*.h5"))
    (course / "weights" / weights.name).symlink_to(weights)
    first = write_clip(folder / "first.mp4", frames=50)
    code, said, complaints = finish(start(course, first, "--dataset", pets))
    assert code == 0, complaints
    return course, said, complaints


@pytest.fixture
def course(trained, tmp_path):
    """A copy of that course, to change."""
    return Path(shutil.copytree(trained[0], tmp_path / "course", symlinks=True))


@pytest.fixture
def videos(tmp_path):
    """A folder of three short videos, one of them in a folder of its own."""
    for look, name in enumerate(("a.mp4", "b.avi", "more/c.mp4")):
        write_clip(tmp_path / "videos" / name, frames=10, look=look)
    return tmp_path / "videos"


@pytest.fixture
def run(course, monkeypatch, capsys):
    """A function that runs the command in this process: (exit code, said,
    complaints).
    """

    def run_here(*options):
        arguments = ["classify.py", "--course", str(course), *map(str, options)]
        monkeypatch.setattr(sys, "argv", arguments)
        for name in ("VIDEO", "DATASET"):
            monkeypatch.delenv(name, raising=False)
        try:
            code, complaints = classify.main(), ""
        except SystemExit as stop:
            code, complaints = (
                (1, stop.code) if isinstance(stop.code, str) else (stop.code, "")
            )
        streams = capsys.readouterr()
        return code, streams.out, complaints + streams.err

    yield run_here
    classify.network_of.cache_clear()
    classify.head_of_classifier.cache_clear()


def whole(folder):
    """Whether everything is there that is written of a video, and nothing half
    written.
    """
    names = {path.name for path in folder.iterdir()}
    return names == {*classify.OUTPUTS, "summary.json", "source.txt", ".lock"}


# One video


def test_a_first_video_trains_and_is_answered(trained):
    course, said, complaints = trained
    assert complaints == ""
    assert "dataset: pets, for this and all later notebooks" in said
    assert "Run/broken.avi: the file is empty" in said
    assert "of 4 clips held out, of new groups: 2" in said
    [line] = [line for line in said.splitlines() if line.startswith("first.mp4: ")]
    assert "Run" in line and "Walk" in line and line.endswith("in 2.0 s")
    assert whole(course / "classified" / "pets" / "first")


def test_the_timeline_and_the_predictions_are_tables(trained):
    home = trained[0] / "classified" / "pets"
    timeline = read_csv(home / "first" / "timeline.csv")
    assert list(timeline) == ["start", "end", "class", "probability"]
    assert timeline["start"].iloc[0] == 0 and timeline["end"].iloc[-1] == 2
    assert timeline["start"].tolist()[1:] == timeline["end"].tolist()[:-1]
    [row] = predictions(trained[0]).values()
    assert list(row) == classify.COLUMNS
    assert Path(row["video"]).name == "first.mp4" and row["problem"] == ""
    assert row["seconds"] == 2 and row["segments"] == len(timeline)
    assert {row["class"], row["second"], row["third"]} >= {"Run", "Walk"}


def set_threshold(course, threshold):
    """Have the classifier say "none of these" below another highest probability."""
    path = course / "weights" / "pets" / "classifier.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"threshold": threshold}))


def test_the_captions_of_the_annotated_video_are_the_timeline(course, run, tmp_path):
    set_threshold(course, 0)
    pictures = [frame for look in (0, 1) for frame in bar_frames(75, look=look)]
    code, _, complaints = run(write_with_pyav(tmp_path / "both.mp4", frames=pictures))
    assert (code, complaints) == (0, "")
    folder = course / "classified" / "pets" / "both"
    timeline = read_csv(folder / "timeline.csv")
    assert timeline["class"].tolist() == ["Run", "Walk"]
    assert timeline["end"].iloc[0] == pytest.approx(3, abs=0.5)
    frames = read_all(folder / "annotated.mp4")
    assert len(frames) == 150
    texts = [
        f"{label} {percent}%" for label in ("Run", "Walk") for percent in range(101)
    ]
    tiles = [
        caption_tile(text, frames[0].shape[1])[..., 0]
        for text in [*texts, "none of these"]
    ]
    tiles = np.array(tiles, "float32")
    for index, frame in enumerate(frames):
        strip = frame[-tiles.shape[1] :].mean(axis=2)
        nearest = texts[np.abs(tiles - strip).mean(axis=(1, 2)).argmin()]
        now = timeline[timeline["start"] <= index / 25].iloc[-1]
        assert nearest.split()[0] == now["class"]


def test_a_video_of_three_known_clips_has_three_segments(trained, course, run):
    set_threshold(course, 0)
    pets = trained[0].parent / "pets"
    names = [
        "Run/v_Run_g01_c01.avi",
        "Walk/v_Walk_g01_c01.avi",
        "Run/v_Run_g02_c01.avi",
    ]
    cuts = join_clips([pets / name for name in names], course / "film.avi")
    assert cuts == [0, 3, 6, 9]
    code, said, complaints = run(course / "film.avi")
    assert (code, complaints) == (0, "")
    assert "; 3 segments in 9.0 s" in said
    timeline = read_csv(course / "classified" / "pets" / "film" / "timeline.csv")
    assert timeline["class"].tolist() == ["Run", "Walk", "Run"]
    assert timeline["start"].tolist() == [0, *timeline["end"][:-1]]
    assert timeline["end"].tolist()[:-1] == pytest.approx([3, 6], abs=0.5)
    assert timeline["end"].iloc[-1] == pytest.approx(9, abs=0.3)


def test_a_video_of_no_class_is_none_of_these(course, run, videos):
    set_threshold(course, 1.01)
    code, said, _ = run(videos / "a.mp4")
    assert code == 0
    assert "a.mp4: none of these (a class is named from 101.0% on; " in said
    home = course / "classified" / "pets"
    assert set(read_csv(home / "a" / "timeline.csv")["class"]) == {"none of these"}
    row = predictions(course)[str(videos / "a.mp4")]
    assert row["class"] == "none of these"
    assert {row["second"], row["third"]} == {"Run", "Walk"}
    assert row["probability"] == row["second_probability"] >= row["third_probability"]


def predictions(course):
    """The rows of `predictions.csv`, a dict from the video's path."""
    table = classify.read_predictions(
        course / "classified" / "pets" / "predictions.csv"
    )
    assert not table["video"].duplicated().any()
    return {row["video"]: row for row in table.to_dict("records")}


def test_the_verdict_is_the_mean_of_the_windows():
    windows = np.array([[0.5, 0.3, 0.2, 0], [0.3, 0.2, 0.4, 0.1]])
    expected = {
        "class": "a",
        "probability": 0.4,
        "second": "c",
        "second_probability": 0.3,
    }
    expected |= {"third": "b", "third_probability": 0.25}
    assert classify.verdict(windows, ["a", "b", "c", "d"], threshold=0.4) == expected
    refused = {"class": "none of these", "probability": 0.4, "second": "a"}
    refused |= {"second_probability": 0.4, "third": "c", "third_probability": 0.3}
    assert classify.verdict(windows, ["a", "b", "c", "d"], threshold=0.41) == refused


def test_windows_are_the_same_in_blocks_as_all_at_once(monkeypatch):
    features = np.random.default_rng(0).random((29, 512), "float32")

    def head(windows):
        assert len(windows) <= 5
        return windows[:, [0, -1], 0]

    monkeypatch.setattr(classify, "BLOCK", 5)
    found = classify.probabilities_of(features, head, size=8)
    assert (
        found.tolist() == np.stack([features[:22, 0], features[7:, 0]], axis=1).tolist()
    )
    assert classify.probabilities_of(features[:3], head, size=8).shape == (1, 2)


# Several


def test_a_folder_with_a_broken_video(course, run, videos):
    cut(write_clip(videos / "broken.mp4", frames=10), 0.5)
    (videos / "notes.txt").write_text("a text")
    write_clip(videos / ".hidden.mp4", frames=10)
    code, said, complaints = run(videos)
    assert code == 1
    assert complaints == f"{videos}/broken.mp4: not a video that OpenCV can open\n"
    assert "left out, not videos by their suffix: 1" in said
    home = course / "classified" / "pets"
    assert {path.name for path in home.iterdir() if path.is_dir()} == {
        "first",
        "a",
        "b",
        "c",
    }
    assert all(whole(home / name) for name in "abc")
    rows = predictions(course)
    names = ["a.mp4", "b.avi", "broken.mp4", "more/c.mp4"]
    assert rows.keys() > {str(videos / name) for name in names} and len(rows) == 5
    broken = rows[str(videos / "broken.mp4")]
    assert (broken["class"], broken["problem"]) == (
        "",
        "not a video that OpenCV can open",
    )
    assert rows[str(videos / "b.avi")]["problem"] == ""


def test_what_was_answered_is_told_again_without_loading_tensorflow(trained):
    course, said, _ = trained
    [line] = [line for line in said.splitlines() if line.startswith("first.mp4: ")]
    first = course.parent / "first.mp4"
    times = times_of(course / "classified" / "pets" / "first")
    again = run_python(NO_TENSORFLOW + RUN_MAIN, "--course", course, first)
    assert f"{line} (as before)\n" in again
    assert times_of(course / "classified" / "pets" / "first") == times


def times_of(folder):
    """When each file of a folder was written; the lock is not one of them."""
    return {
        path.name: path.stat().st_mtime_ns
        for path in folder.iterdir()
        if path.name != ".lock"
    }


def test_a_video_that_has_changed_is_classified_again(course, run, tmp_path):
    first = write_clip(tmp_path / "clip.mp4", frames=10)
    assert "in 0.5 s" in run(first)[1]
    write_clip(first, frames=20)
    code, said, _ = run(first)
    assert code == 0 and "in 1.0 s" in said and "as before" not in said
    assert predictions(course)[str(first)]["seconds"] == 1


def test_videos_of_the_same_name_have_a_folder_each(course, run, tmp_path):
    for place in "xy":
        write_clip(tmp_path / place / "clip.mp4", frames=10)
    for _ in range(2):
        assert run(tmp_path / "x" / "clip.mp4", tmp_path / "y" / "clip.mp4")[0] == 0
        home = course / "classified" / "pets"
        folders = sorted(
            path for path in home.iterdir() if path.name.startswith("clip")
        )
        assert [path.name[:5] for path in folders] == ["clip", "clip_"]
        owners = [
            Path((folder / "source.txt").read_text()).parent.name for folder in folders
        ]
        assert owners == ["x", "y"] and all(map(whole, folders))


def test_killed_in_the_middle_and_started_again_it_goes_on(course, videos):
    home = course / "classified" / "pets"
    kill_when(start(course, videos), (home / "a" / "summary.json").exists)
    assert not (home / "c" / "summary.json").exists()
    before = times_of(home / "a")
    code, said, complaints = finish(start(course, videos))
    assert (code, complaints) == (0, "")
    assert all(whole(home / name) for name in "abc") and times_of(home / "a") == before
    [line] = [line for line in said.splitlines() if line.startswith("a.mp4: ")]
    assert line.endswith("(as before)")
    assert len(predictions(course)) == 4


def test_two_at_once_share_the_work(course, videos):
    both = [
        finish(process) for process in [start(course, videos), start(course, videos)]
    ]
    assert [code for code, _, _ in both] == [0, 0], both
    said = both[0][1] + both[1][1]
    home = course / "classified" / "pets"
    for path in (videos / "a.mp4", videos / "b.avi", videos / "more" / "c.mp4"):
        assert whole(home / path.stem)
        lines = [
            line for line in said.splitlines() if line.startswith(f"{path.name}: ")
        ]
        new = [
            line for line in lines if "left out" not in line and "as before" not in line
        ]
        assert len(lines) == 2 and len(new) == 1
        assert predictions(course)[str(path)]["class"]


def test_a_video_that_another_process_works_on_is_left_to_it(course, run, videos):
    folder = course / "classified" / "pets" / "a"
    with one_writer(folder / ".lock", "it"):
        code, said, complaints = run(videos / "a.mp4", trained_video(course))
    assert (code, complaints) == (0, "")
    assert f"a.mp4: left out. Process {os.getpid()} is writing {folder}." in said
    assert str(videos / "a.mp4") not in predictions(course)


def trained_video(course):
    """The video that was classified when the course was trained."""
    return (course / "classified" / "pets" / "first" / "source.txt").read_text()


def test_two_do_not_train_at_once(course, run, videos):
    (course / "weights" / "pets" / "classifier.json").unlink()
    with one_writer(course / "weights" / "pets" / "classifier.lock", "it"):
        code, _, complaints = run(videos)
    assert code == 1
    assert (
        complaints
        == f"Process {os.getpid()} is writing the classifier of pets. Wait until it has"
        " finished, or stop it."
    )


@pytest.fixture
def small_disk(course):
    """A disk of 80 kB for what is written of videos, and a function that gives it
    more room.
    """
    disk = course / "classified"
    shutil.rmtree(disk)
    disk.mkdir()
    with disk_of("80k", disk) as enlarge:
        yield disk, enlarge


def test_a_full_disk_ends_in_a_sentence_and_the_next_run_goes_on(
    run, videos, small_disk
):
    disk, enlarge = small_disk
    code, _, complaints = run(videos)
    assert code == 1
    assert complaints.startswith(
        "The disk is full: make room, then run the same command again."
    )
    assert not [path for path in disk.rglob("*") if path.name.startswith(".partial")]
    assert not (disk / "pets" / "c" / "summary.json").exists()
    enlarge()
    code, _, complaints = run(videos)
    assert (code, complaints) == (0, "")
    assert all(whole(disk / "pets" / name) for name in "abc")


@pytest.mark.skipif(os.name == "nt", reason="Windows knows no such signal")
def test_an_interrupt_ends_in_a_sentence(course, videos):
    process = start(course, videos)
    process.stdout.readline()  # it says which dataset; TensorFlow comes next
    process.send_signal(signal.SIGINT)
    code, _, complaints = finish(process)
    assert code == 130
    assert (
        complaints
        == "\nStopped. Run the same command again: it goes on where it was.\n"
    )


# What it learns from


def test_without_a_dataset_it_is_the_one_chosen_last(course, run, tmp_path):
    assert "dataset: pets in " in run(trained_video(course))[1]
    other = make_dataset(tmp_path / "other", groups=2, clips=1, frames=5)
    choose_dataset(other, course)
    (other / "Run" / "v_Run_g01_c01.avi").unlink()
    with one_writer(course / "weights" / "other" / "classifier.lock", "it"):
        code, said, _ = run(trained_video(course))
    assert code == 1
    assert "dataset: other in " in said and "3 clips in 2 classes to learn from" in said
    table = read_csv(course / "data" / "other" / "videos.csv")
    assert table["class"].tolist() == ["Run", "Walk", "Walk"]


def test_new_videos_of_the_dataset_are_told(trained, course, run):
    pets = trained[0].parent / "pets"
    new = write_clip(pets / "Run" / "new.avi", frames=5)
    code, said, _ = run(trained_video(course))
    new.unlink()
    assert code == 0
    assert (
        f"{pets} has changed since its table was made (new videos: 1, gone: 0); `make"
        in said
    )


def test_another_table_of_clips_wants_another_classifier(course, run):
    table = course / "data" / "pets" / "videos.csv"
    content = table.read_bytes()
    table.write_bytes(content.replace(b"g01", b"g09"))
    with one_writer(course / "weights" / "pets" / "classifier.lock", "it"):
        code, _, complaints = run(trained_video(course))
    assert code == 1 and "is writing the classifier of pets" in complaints
    table.write_bytes(content)
    assert run(trained_video(course))[0] == 0


@pytest.mark.parametrize(
    ("dataset", "sentence"),
    [
        (
            "ucf101",
            (
                "ucf101. Notebook 00 fetches UCF101, or says how to unpack it there by"
                " hand."
            ),
        ),
        (
            "/no/pets",
            "There is no folder /no/pets. Check the path, or name another dataset: ",
        ),
    ],
)
def test_a_dataset_that_is_not_there(run, videos, dataset, sentence):
    code, _, complaints = run(videos, "--dataset", dataset)
    assert code == 1 and sentence in complaints and "notebook 00's" not in complaints


def test_a_damaged_table_of_predictions_is_no_fault_of_the_video(course, run, videos):
    path = course / "classified" / "pets" / "predictions.csv"
    path.write_text('"video","class"\n')
    code, _, complaints = run(videos / "a.mp4")
    assert code == 1 and complaints.startswith(f"{path} is damaged (")
    assert "delete it, then run again" in complaints
    path.unlink()
    assert run(videos / "a.mp4")[0] == 0


# Which videos


def test_wrong_usage_is_told_at_once():
    for arguments in ([], ["--datasets", "x", "clip.mp4"]):
        script = NO_TENSORFLOW + RUN_MAIN
        process = start_python(script, *arguments, VIDEO="", DATASET="")
        _, complaints = process.communicate(timeout=60)
        assert process.returncode == 2
        assert complaints.startswith("usage: ")
    assert "name a video, several, or a folder" in finish(start(COURSE, VIDEO=""))[2]


def test_the_text_of_make_is_a_path_or_what_a_shell_would_make_of_it(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    Path("my clips").mkdir()
    for name in ("my clips/a.mp4", "my clips/b.mp4", "it's.mp4", "[1].mp4"):
        Path(name).touch()
    assert classify.names_in("my clips/a.mp4") == ["my clips/a.mp4"]
    assert classify.names_in("it's.mp4") == ["it's.mp4"]
    assert classify.names_in("'my clips/a.mp4' [1].mp4") == [
        "my clips/a.mp4",
        "[1].mp4",
    ]
    assert classify.names_in("my clips/*.mp4") == ["my clips/*.mp4"]
    assert classify.names_in("isn't.mp4") == ["isn't.mp4"]
    assert classify.names_in("x " * 3000) == ["x"] * 3000


def test_names_stand_for_files_folders_and_patterns(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = [
        "a.mp4",
        "b.MOV",
        "deep/er/c.webm",
        "deep/d.txt",
        "deep/e.jpg",
        ".f/g.mp4",
        "[1].mp4",
    ]
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()

    def found(*names):
        return [
            path.relative_to(tmp_path).as_posix() for path in classify.sources_of(names)
        ]

    assert found(".") == ["[1].mp4", "a.mp4", "b.MOV", "deep/er/c.webm"]
    assert capsys.readouterr().out == "left out, not videos by their suffix: 2\n"
    assert found("deep", "deep/d.txt", "deep/er/../er/c.webm") == [
        "deep/er/c.webm",
        "deep/d.txt",
    ]
    assert found("**/*.webm", "[1].mp4", "no.mp4") == [
        "deep/er/c.webm",
        "[1].mp4",
        "no.mp4",
    ]


def test_a_missing_video_is_told_and_the_others_are_classified(course, run):
    code, said, complaints = run("/no/clip.mp4", trained_video(course))
    assert code == 1
    assert complaints == "/no/clip.mp4: the file is missing\n"
    assert "(as before)" in said
    assert "/no/clip.mp4" not in predictions(course)  # perhaps a mistyped name


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_a_name_that_is_not_unicode_is_told(course, run, tmp_path):
    path = tmp_path / os.fsdecode(b"caf\xe9.mp4")
    write_clip(tmp_path / "clip.mp4", frames=5).rename(path)
    code, _, complaints = run(path)
    told = f"{tmp_path}/caf\\xe9.mp4"
    assert (code, complaints) == (1, f"{told}: the name is not Unicode; rename it\n")
    assert predictions(course)[told]["problem"] == "the name is not Unicode; rename it"


def test_a_folder_without_videos_is_told(run, tmp_path):
    (tmp_path / "empty").mkdir()
    assert run(tmp_path / "empty")[::2] == (
        1,
        f"There is no video at {tmp_path}/empty.",
    )


@pytest.mark.skipif(not shutil.which("make"), reason="make is not here")
def test_a_video_passes_through_make_unharmed(tmp_path):
    (tmp_path / "$5 $(HOME)").mkdir()
    command = ["make", "-o", ".venv/installed", "classify", f"RUN={sys.executable}"]
    video = f"VIDEO={tmp_path}/$5 $(HOME)"
    done = subprocess.run([*command, video], cwd=COURSE, capture_output=True, text=True)
    assert (
        done.returncode
        and f"There is no video at {tmp_path}/$5 $(HOME)." in done.stderr
    )
    nothing = subprocess.run(command, cwd=COURSE, capture_output=True, text=True)
    assert (
        nothing.returncode == 2 and "classify.py: error: name a video" in nothing.stderr
    )
