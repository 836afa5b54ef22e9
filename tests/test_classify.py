"""`make classify`, with one classifier for all tests."""

import io
import json
import os
import shutil
import subprocess
import sys
import zipfile

from toolbox.clips.dataset import choose_dataset, find_dataset
from toolbox.clips.write import caption_tile, join_clips
from toolbox.models.efficientnet import efficientnet_weights
from toolbox.models.fitted_windows import made_of
from toolbox.models.saved_model import FACTS, SavedClassifier
from toolbox.plots import answer_files
from toolbox.store.files import one_writer, read_csv
from toolbox.store.made import is_made

import classify
import numpy as np
import pytest
from clips import (
    COURSE,
    cut,
    disk_of,
    make_dataset,
    read_all,
    write_clip,
    write_with_pyav,
)

from lessons.own_videos import label_video


def command(course, *options, **variables):
    """Run the command: (exit code, said, complaints)."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8") for _ in range(2))
    arguments = ["classify.py", "--course", str(course), *map(str, options)]
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as stop:
        for name, value in ("argv", arguments), ("stdout", out), ("stderr", err):
            patch.setattr(sys, name, value)
        for name in ("VIDEO", "DATASET", "CLASSIFIER"):
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
    pets = make_dataset(folder / "pets", groups=7, clips=1, frames=75)
    (pets / "Run" / "broken.avi").write_bytes(b"")
    weights, course = efficientnet_weights(weights_folder), folder / "course"
    (course / "weights").mkdir(parents=True)
    (course / "weights" / weights.name).symlink_to(weights)
    first = write_clip(folder / "first.mp4", frames=50)
    return course, *command(course, first, "--dataset", pets)


@pytest.fixture
def course(trained, tmp_path):
    """A copy of that course, to change."""
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


OUTPUTS = {
    *["annotated.mp4", "seen.npy", "timeline.csv", "timeline.jpg", "timeline.srt"]
}
OUTPUTS |= {"annotated.mp4.json", "seen.npy.json"}


def whole(folder):
    """Whether all that is written of a video is there, and nothing half written."""
    return {path.name for path in folder.iterdir()} == OUTPUTS


def all_whole(home):
    return sum(map(whole, [home / "b", *home.glob("a*")])) == 3


def times_of(folder):
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}


def predictions(home):
    """The rows of `predictions.csv`, a dict from the video's path."""
    return read_csv(home / "predictions.csv").set_index("video").to_dict("index")


def set_facts(course, **changes):
    """Have the classifier's file say something else."""
    path = course / "weights" / "pets" / "classifier.tflite"
    content, facts = path.read_bytes(), SavedClassifier(path).facts
    note = path.with_name(f"{path.name}.json")
    path.unlink()  # it is a link to the first course's
    path.write_bytes(content[: content.rindex(b"PK\x03\x04")])
    with zipfile.ZipFile(path, "a") as file:
        file.writestr(FACTS, json.dumps(facts | changes))
    known = json.loads(note.read_text())
    note.unlink()
    note.write_text(json.dumps(known | {"files": {path.name: path.stat().st_size}}))


def test_a_first_video_trains_and_is_answered(trained):
    course, code, said, complaints = trained
    assert (code, complaints) == (0, "")
    assert "left out: Run/broken.avi: the file is empty" in said
    assert "clips held out" in said and "groups that it never met" in said
    assert "recall" in said and "Now it has learned from all 14 clips" in said
    assert "\nfirst.mp4: " in said and said.count("first.mp4: R") < 2
    home = course / "classified" / "pets"
    assert whole(home / "first")
    timeline = read_csv(home / "first" / "timeline.csv")
    assert list(timeline) == ["start", "end", "class", "probability", "note"]
    [(video, row)] = predictions(home).items()
    assert video.endswith("first.mp4") and row["problem"] == ""
    assert row["seconds"] == timeline["end"].iloc[-1] == 2
    assert {row["class"], row["next"]} == {"Run", "Walk"} and row["answered"]
    assert row["classifier"].startswith("pets, 20")
    assert "00:00:00,000 --> 00:00:02,000" in (home / "first/timeline.srt").read_text()
    facts = SavedClassifier(course / "weights" / "pets").facts
    assert len(facts["learned"]) == 2  # they are copies of each other
    assert facts["still_below"] > 0
    assert not (course / "data" / "chosen.json").exists()  # the notebooks' choice


def test_the_captions_of_the_annotated_video_are_the_timeline(course, home, trained):
    set_facts(course, threshold=0)
    pets, both = trained[0].parent / "pets", course / "both.avi"
    join_clips(sorted(pets.glob("*/*_g01_c01.avi")), both)
    code, said, _ = command(course, both)
    assert code == 0 and said.count("clips held out") == 1
    timeline = read_csv(home / "both" / "timeline.csv")
    assert timeline["class"].tolist() == ["Run", "Walk"]
    assert timeline["end"].tolist() == [pytest.approx(3, abs=0.5), 6]
    frames = read_all(home / "both" / "annotated.mp4")
    texts = [f"{name} {chance}%" for name in ("Run", "Walk") for chance in range(101)]
    tiles = np.array([caption_tile(text, frames[0].shape[1]) for text in texts], float)
    strips = (frame[-tiles.shape[1] :].mean(axis=2) for frame in frames[::5])
    walks = [np.abs(tiles - one).mean(axis=(1, 2)).argmin() > 100 for one in strips]
    assert walks == (np.arange(30) >= round(5 * timeline["end"][0] + 0.49)).tolist()


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


def test_a_first_video_that_is_broken_stops_nothing(course, home, videos):
    shutil.rmtree(home)
    (videos / "0.mp4").write_bytes(b"no video")
    code, _, complaints = command(course, videos)
    assert code == 1 and "0.mp4: " in complaints and "Traceback" not in complaints
    assert all_whole(home) and len(predictions(home)) == 4


def test_what_can_no_longer_be_read_keeps_no_answer(course, home, tmp_path):
    clip = write_clip(tmp_path / "clip.mp4", frames=10)
    assert command(course, clip)[0] == 0 and whole(home / "clip")
    clip.write_bytes(b"no video")
    assert command(course, clip)[0] == 1
    assert not (home / "clip" / "annotated.mp4").exists()
    assert predictions(home)[str(clip)]["class"] == ""


def test_new_files_that_cannot_be_used_are_told_once(course, first):
    bad = first.parent / "pets" / "Run" / "bad.mp4"
    bad.write_bytes(b"no video")
    said = [command(course, first)[1] for _ in range(2)]
    bad.unlink()
    assert ["left out: Run/bad.mp4: " in text for text in said] == [True, False]
    assert "training one" not in said[0]


def test_another_folder_of_the_name_takes_nothing_over(course, first, tmp_path):
    other = make_dataset(tmp_path / "pets", groups=3, clips=1, frames=9)
    for clip in other.rglob("*.avi"):
        clip.rename(clip.with_name(f"other_{clip.name}"))
    (course / "data" / "pets" / "source.txt").unlink()
    (course / "data" / "pets" / "source.txt").write_text("/unplugged/pets")
    code, _, complaints = command(course, first, "--dataset", other)
    assert code == 1 and "holds what was made of /unplugged/pets" in complaints


def test_what_is_done_stays_until_what_it_is_made_of_changes(course, home, tmp_path):
    clip, folder = write_clip(tmp_path / "clip.mp4", frames=10), home / "clip"
    assert command(course, clip)[0] == 0
    assert predictions(home)[str(clip)]["seconds"] == 0.4  # no end behind the video's
    times = times_of(folder)
    assert command(course, clip)[0] == 0 and times_of(folder) == times
    write_clip(clip, frames=20)
    assert command(course, clip)[0] == 0
    assert predictions(home)[str(clip)]["seconds"] == 0.8
    seen = (folder / "seen.npy").stat().st_mtime_ns
    set_facts(course, threshold=1.01)
    assert "clip.mp4: none of these: " in command(course, clip)[1]
    assert (folder / "seen.npy").stat().st_mtime_ns == seen  # another classifier's, too


def test_interrupted_and_started_again_it_goes_on(course, home, videos, monkeypatch):
    annotate = answer_files.annotate

    def interrupted(path, *rest):  # as by Ctrl-C, when a video has been written
        annotate(path, *rest)
        if path.suffix == ".avi":
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(answer_files, "annotate", interrupted)
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


def test_one_run_at_a_time_by_what_was_trained_last(course, first, tmp_path):
    other = make_dataset(tmp_path / "other", groups=2, clips=1, frames=5)
    choose_dataset(other, course)  # by a notebook
    with one_writer(course / "classified" / "pets" / ".lock", "it"):
        code, _, complaints = command(course, first)
    assert code == 1 and f"Process {os.getpid()} is writing" in complaints
    assert "pets" in complaints


def test_a_new_clip_is_taken_in_and_a_damaged_classifier_made_anew(course, first):
    pets, weights = first.parent / "pets", course / "weights" / "pets"
    parts = read_csv(course / "data/pets/videos.csv").set_index("clip")["part"]
    new = write_clip(pets / "Run" / "v_Run_g03_c09.avi", frames=30)
    code, said, _ = command(course, first)
    assert code == 0 and "1 new clips, 0 gone" in said
    assert "has learned from all 15 clips" in said
    after = read_csv(course / "data/pets/videos.csv").set_index("clip")["part"]
    assert (
        after[parts.index].equals(parts)
        and after["v_Run_g03_c09"] == parts["v_Run_g03_c01"]
    )
    new.unlink()
    assert "0 new clips, 1 gone" in command(course, first)[1]
    dataset, path = find_dataset(pets, course), weights / "classifier.tflite"
    assert is_made(path, *made_of(dataset))
    path.write_bytes(path.read_bytes()[:-1])
    assert not is_made(path, *made_of(dataset))


def test_groups_that_come_later_are_taken_in(course, first, tmp_path):
    pets = shutil.copytree(first.parent / "pets", tmp_path / "later" / "pets")
    clips = sorted(pets.glob("*/*.avi"))
    rows = [f"{clip.parent.name}/{clip.name},{k % 2}" for k, clip in enumerate(clips)]
    (course / "data" / "pets" / "source.txt").unlink()  # as if the folder was moved
    (pets / "groups.csv").write_text("\n".join(["video,group", *rows]))
    code, said, _ = command(course, "--dataset", pets)
    assert code == 0 and "groups, lists or files have changed" in said
    assert "They are of one group, which it never met" in said


def test_a_finished_classifier_is_enough(course, trained, first, tmp_path):
    """Its file, copied, without its videos and the course that made it."""
    file = tmp_path / "elsewhere" / "classifier.tflite"
    file.parent.mkdir()
    shutil.copy(course / "weights" / "pets" / file.name, file)
    for given in (file, file.parent):
        bare = tmp_path / given.name
        code, _, _ = command(bare, first, "--classifier", given)
        assert code == 0 and whole(bare / "classified" / "pets" / "first")
    there = read_csv(course / "classified" / "pets" / "first" / "timeline.csv")
    segments = label_video(first, SavedClassifier(file)).segments
    assert segments.round(3).equals(there.round(3))
    (tmp_path / "no.tflite").write_bytes(b"no")
    broken = file.read_bytes()
    (tmp_path / "broken.tflite").write_bytes(b"TFL3" + broken[-2000:])
    for given, told in (
        ("no.tflite", "not a classifier"),
        ("broken.tflite", "is damaged"),
        ("none", "There is no"),
    ):
        code, _, complaints = command(course, first, "--classifier", tmp_path / given)
        assert code == 1 and told in complaints


def test_without_its_folder_a_classifier_goes_on(course, first, tmp_path):
    gone = tmp_path / "unplugged" / "pets"
    (course / "data" / "pets" / "source.txt").unlink()
    (course / "data" / "pets" / "source.txt").write_text(str(gone))
    for options in ([], ["--dataset", gone]):
        code, said, _ = command(course, first, *options)
        assert code == 0 and "pets isn't there; what was learned of it is" in said


def test_the_script_says_the_same_without_the_course(course, tmp_path):
    """It lies beside the classifier: of any length, also upside down."""
    folder = course / "weights" / "pets"
    facts = SavedClassifier(folder).facts
    long = write_with_pyav(tmp_path / "long.mp4", frames=200, fps=30000 / 1001)
    short = write_clip(tmp_path / "short.avi", frames=20)
    for path in (long, short):
        command_line = [sys.executable, "-I", folder / "use_classifier.py", path]
        done = subprocess.run(command_line, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        expected = label_video(path, SavedClassifier(folder)).segments
        expected = expected.drop(columns="note").round(2).to_string(index=False)
        assert done.stdout.strip() == expected.strip()
    for arguments, told in (([], "python use"), (["no.mp4"], "There is no video")):
        command_line = [sys.executable, folder / "use_classifier.py", *arguments]
        done = subprocess.run(command_line, capture_output=True, text=True)
        assert done.returncode == 1 and told in done.stderr
    assert "keras" not in (folder / "use_classifier.py").read_text()
    assert facts["classes"] == ["Run", "Walk"]


def test_what_stands_still_and_what_was_learned_is_said(course, first, tmp_path):
    still = write_with_pyav(
        tmp_path / "still.mp4", frames=[np.full((48, 64, 3), 90, np.uint8)] * 75
    )
    said = command(course, still)[1]
    assert "it hardly moves, compared with what was learned from" in said
    assert "hardly moves" not in command(course, first)[1]
    [row] = [
        row
        for video, row in predictions(course / "classified" / "pets").items()
        if "still" in video
    ]
    assert row["note"].startswith("it hardly moves")
    home = course / "classified" / "pets"
    assert set(read_csv(home / "still" / "timeline.csv")["note"]) == {"hardly moves"}
    learned = next((first.parent / "pets" / "Run").glob("*g01_c01.avi"))
    assert "this video was learned from" in command(course, learned)[1]


def test_labelling_needs_no_tensorflow(course, first):
    code = (
        "import sys; sys.argv = sys.argv[1:]; sys.path.insert(0, 'tools');"
        "import classify; classify.main();"
        "sys.exit(bool({'tensorflow', 'keras'} & set(sys.modules)))"
    )
    command_line = [
        sys.executable,
        "-c",
        code,
        "classify.py",
        "--course",
        course,
        first,
    ]
    done = subprocess.run(command_line, cwd=COURSE, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        (["--dataset", "ucf101"], 1, "There is no folder"),
        (["--dataset", "/no/pets"], 1, "There is no folder"),
        (["--nothing", "x"], 2, "usage: "),
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
    assert "skipped 1 files that aren't videos" in capsys.readouterr().out


def test_the_text_of_make_is_a_path_or_words_as_in_a_shell(course, first, tmp_path):
    clip = shutil.copy(first, tmp_path / "it's my clip.mp4")
    assert command(course, VIDEO=clip)[0] == 0
    code, said, _ = command(course, VIDEO=f'"{clip}" {first}')
    assert code == 0 and "it's my clip.mp4: " in said and "first.mp4: " in said


def test_a_video_called_as_the_table_of_answers_gets_another_folder(tmp_path):
    folder = classify.folder_for(tmp_path / "predictions.csv.mp4", tmp_path)
    assert folder.parent == tmp_path and folder.name.startswith("predictions.csv_")
    assert classify.folder_for(tmp_path / "clip.mp4", tmp_path) == tmp_path / "clip"
