"""toolbox.clips.extract: extracting the frames of many clips, whatever happens
meanwhile.
"""

import errno
import json
import os

from toolbox.clips.clip_table import clip_names, find_videos
from toolbox.clips.extract import extract_frames
from toolbox.clips.read import open_video
from toolbox.store.files import is_whole_jpeg, write_jpeg

import pytest
from clips import (
    cut,
    disk_of,
    files_of,
    kill_when,
    make_dataset,
    run_python,
    start_python,
    write_clip,
)


def extract_clip(path, clip, folder, per_second):
    """Write every `25 / per_second`-th frame of a clip: what a lesson would pass in."""
    count = 0
    with open_video(path) as video:
        while video.grab():
            if (video.grabbed - 1) % (25 // per_second) == 0:
                write_jpeg(video.retrieve(), folder / f"{clip}_frame{count}.jpg")
                count += 1
        return count, video.problem


def table_of(folder):
    """The clips of a dataset, without opening them."""
    videos = find_videos(folder)
    videos["clip"] = clip_names(videos)
    return videos


# Extracting a whole dataset


def test_all_frames_of_a_dataset(tmp_path, capsys):
    videos = table_of(make_dataset(tmp_path / "set", groups=2, clips=2, frames=51))
    report = extract_frames(
        extract_clip, videos, tmp_path / "set", tmp_path / "train_1"
    )
    assert report["clip"].tolist() == videos["clip"].tolist()
    assert set(report["frames"]) == {3}
    assert set(report["problem"]) == {""}
    expected = {f"{clip}_frame{k}.jpg" for clip in videos["clip"] for k in range(3)}
    assert set(files_of(tmp_path / "train_1")) == expected
    assert "extract frames: 100%" in capsys.readouterr().out


def test_bad_clips_are_reported_and_the_rest_extracted(tmp_path):
    folder = make_dataset(tmp_path / "set", groups=2, clips=1, frames=60)
    (folder / "Run" / "a_empty.avi").write_bytes(b"")
    (folder / "Run" / "b_page.avi").write_text("<html>404 Not Found</html>")
    cut(write_clip(folder / "Walk" / "z_half.avi", 100, size=(320, 240)), 0.6)
    videos = table_of(folder)
    report = extract_frames(
        extract_clip, videos, folder, tmp_path / "train_1"
    ).set_index("clip")
    assert report.index.tolist() == videos["clip"].tolist()
    assert report["problem"]["a_empty"] == "the file is empty"
    assert report["problem"]["b_page"] == "not a video that OpenCV can open"
    assert report["problem"]["z_half"].startswith("breaks off after ")
    assert report["frames"].drop("z_half").tolist() == [0, 0, 3, 3, 3, 3]
    assert report["frames"]["z_half"] in (2, 3)
    assert len(files_of(tmp_path / "train_1")) == report["frames"].sum()


def test_a_frame_too_wide_for_jpeg_is_a_problem_of_its_clip(tmp_path):
    source = make_dataset(tmp_path / "set", groups=1, clips=1)
    write_clip(source / "Run" / "wide.mkv", frames=2, size=(65_600, 16), codec="MPNG")
    videos = table_of(source)
    report = extract_frames(
        extract_clip, videos, source, tmp_path / "train_1"
    ).set_index("clip")
    problem = "65600 x 16 pixels are too many for JPEG (65,500 a side)"
    assert report.loc["wide"].tolist() == [0, problem]
    assert report["frames"].drop("wide").tolist() == [1, 1]


def test_frames_before_an_undecodable_one_are_kept(tmp_path):
    def fails_at_the_third(path, clip, folder, per_second):
        extract_clip(path, clip, folder, 25)
        (folder / f"{clip}_frame2.jpg").unlink()
        raise ValueError("frame 2 can't be decoded")

    source = make_dataset(tmp_path / "set", groups=1, clips=1, frames=3)
    report = extract_frames(
        fails_at_the_third, table_of(source), source, tmp_path / "train_1"
    )
    assert (
        report[["frames", "problem"]].to_numpy().tolist()
        == [[2, "frame 2 can't be decoded"]] * 2
    )
    assert len(files_of(tmp_path / "train_1")) == 4


# Going on where an earlier run stopped


@pytest.fixture
def extracted(tmp_path):
    """A dataset whose frames were extracted: (videos, source, folder)."""
    source = make_dataset(tmp_path / "set", groups=2, clips=1, frames=30)
    videos = table_of(source)
    extract_frames(extract_clip, videos, source, tmp_path / "train_1")
    return videos, source, tmp_path / "train_1"


def times_of(folder):
    """When each file of a folder was written."""
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}


def test_a_second_run_writes_nothing_again(extracted):
    before = times_of(extracted[2])
    report = extract_frames(extract_clip, *extracted)
    assert times_of(extracted[2]) == before
    assert set(report["frames"]) == {2}


def test_a_changed_clip_is_extracted_again_and_the_others_are_not(extracted):
    videos, source, folder = extracted
    before = times_of(folder)
    write_clip(source / videos["video"][1], frames=5)
    report = extract_frames(extract_clip, *extracted)
    assert report["frames"].tolist() == [2, 1, 2, 2]
    clip = videos["clip"][1]
    after = times_of(folder)
    assert before.keys() - after.keys() == {f"{clip}_frame1.jpg"}
    assert {name for name in after if after[name] != before[name]} == {
        f"{clip}_frame0.jpg"
    }


def test_another_clip_of_the_same_size_is_noticed(extracted):
    videos, source, folder = extracted
    before, times = files_of(folder), times_of(folder)
    path = source / videos["video"][0]
    content, changed = (
        bytearray(path.read_bytes()),
        path.stat().st_mtime_ns + 1_000_000_000,
    )
    write_clip(
        path, frames=30, look=1
    )  # as in the other class: another look, another size
    other = path.read_bytes()
    path.write_bytes(other[: len(content)].ljust(len(content), b"\0"))
    os.utime(path, ns=(changed, changed))
    assert path.stat().st_size == len(content)
    extract_frames(extract_clip, *extracted)
    clip = videos["clip"][0]
    after = times_of(folder)
    assert {name for name in after if after[name] != times[name]} == {
        f"{clip}_frame{k}.jpg" for k in range(2)
    }
    assert files_of(folder)[f"{clip}_frame0.jpg"] != before[f"{clip}_frame0.jpg"]


def test_another_rate_replaces_all_frames(extracted):
    report = extract_frames(extract_clip, *extracted, per_second=5)
    assert set(report["frames"]) == {6}
    assert len(files_of(extracted[2])) == 24
    report = extract_frames(extract_clip, *extracted, per_second=1)
    assert set(report["frames"]) == {2}
    assert len(files_of(extracted[2])) == 8


@pytest.mark.parametrize("damage", ["truncate", "delete", "empty"])
def test_a_damaged_frame_is_mended(extracted, damage):
    before = files_of(extracted[2])
    victim = extracted[2] / sorted(before)[3]
    if damage == "delete":
        victim.unlink()
    else:
        victim.write_bytes(b"" if damage == "empty" else before[victim.name][:500])
    extract_frames(extract_clip, *extracted)
    assert files_of(extracted[2]) == before


def test_leftovers_go(extracted):
    videos, source, folder = extracted
    before = files_of(folder)
    frame = before[sorted(before)[0]]
    for name in (
        "foreign.jpg",
        "old_clip_frame0.jpg",
        ".partial-v_Run_g01_c01_frame1.jpg",
    ):
        (folder / name).write_bytes(frame)
    (folder / f"{videos['clip'][0]}_frame2.jpg").write_bytes(
        frame
    )  # one frame too many
    extract_frames(extract_clip, *extracted)
    assert files_of(folder) == before
    fewer = videos[1:].reset_index(drop=True)
    extract_frames(extract_clip, fewer, source, folder)
    assert not [name for name in files_of(folder) if name.startswith(videos["clip"][0])]


@pytest.mark.parametrize(
    "rest",
    [
        b"",
        b"half",
        b'{"clip": "v_Run_g01_c01", "sta',
        b"\x00\x00\x00",
        b"\xff\xfe",
        b"null\n3\n[]\n",
        b'{"clip": "v_Run_g01_c01"}\n',
    ],
)
def test_a_damaged_journal_costs_work_but_no_frames(extracted, rest):
    before = files_of(extracted[2])
    journal = extracted[2].with_name("train_1.jsonl")
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:2]) + rest)
    report = extract_frames(extract_clip, *extracted)
    assert set(report["frames"]) == {2}
    assert files_of(extracted[2]) == before
    entries = [json.loads(line) for line in journal.read_text().splitlines()]
    assert sorted(entry["clip"] for entry in entries) == sorted(extracted[0]["clip"])


EXTRACT = """
import sys
from pathlib import Path
import pandas as pd
from test_resume import extract_clip
from toolbox.clips.extract import extract_frames
table, source, folder = map(Path, sys.argv[1:])
table = pd.read_csv(table)
extract_frames(extract_clip, table, source, folder, per_second=25, threads=2)
"""


def test_a_killed_run_goes_on_and_ends_as_an_undisturbed_one(tmp_path):
    source = make_dataset(
        tmp_path / "set", groups=2, clips=2, frames=50, size=(320, 240)
    )
    videos = table_of(source)
    videos.to_csv(tmp_path / "videos.csv", index=False)
    journal = tmp_path / "killed.jsonl"
    run = start_python(EXTRACT, tmp_path / "videos.csv", source, tmp_path / "killed")
    kill_when(run, lambda: journal.exists() and journal.read_bytes().count(b"\n") >= 2)
    when_killed = times_of(tmp_path / "killed")
    finished = [json.loads(line)["clip"] for line in journal.read_text().splitlines()]
    assert 2 <= len(finished) < len(videos)
    assert 100 <= len(when_killed) < 400

    run_python(EXTRACT, tmp_path / "videos.csv", source, tmp_path / "killed")
    extract_frames(
        extract_clip, videos, source, tmp_path / "undisturbed", per_second=25, threads=2
    )
    resumed, undisturbed = (
        files_of(tmp_path / "killed"),
        files_of(tmp_path / "undisturbed"),
    )
    assert len(undisturbed) == 400
    assert resumed == undisturbed
    after = times_of(tmp_path / "killed")
    kept = [f"{clip}_frame{k}.jpg" for clip in finished for k in range(50)]
    assert [after[name] for name in kept] == [when_killed[name] for name in kept]


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 600 kB, and a function that gives it more room."""
    disk = tmp_path / "disk"
    disk.mkdir()
    with disk_of("600k", disk) as enlarge:
        yield disk, enlarge


def test_a_full_disk_is_told_and_the_next_run_goes_on(tmp_path, small_disk):
    disk, enlarge = small_disk
    source = make_dataset(tmp_path / "set", groups=5, clips=1, frames=25)
    videos = table_of(source)
    with pytest.raises(OSError, match="No space left") as caught:
        extract_frames(extract_clip, videos, source, disk / "train_1", per_second=25)
    assert caught.value.errno == errno.ENOSPC
    written = sorted((disk / "train_1").iterdir())
    assert 50 < len(written) < 250
    assert all(path.suffix == ".jpg" and is_whole_jpeg(path) for path in written)
    assert not [path.name for path in written if path.name.startswith(".partial")]

    enlarge()
    report = extract_frames(
        extract_clip, videos, source, disk / "train_1", per_second=25
    )
    assert set(report["frames"]) == {25}
    extract_frames(
        extract_clip, videos, source, tmp_path / "undisturbed", per_second=25
    )
    assert files_of(disk / "train_1") == files_of(tmp_path / "undisturbed")
