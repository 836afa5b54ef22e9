"""Notebook 01: reading frames and extracting them, whatever happens meanwhile."""

import errno
import json
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest
from clips import (
    UCF101_CLIPS,
    claim_rate,
    cut,
    cut_before_frames,
    cv2,
    files_of,
    kill_when,
    make_dataset,
    needs_ucf101_clips,
    read_all,
    run_python,
    start_python,
    write_clip,
)

from framevote.frame_table import build_frame_table
from framevote.frames import (
    FrameReader,
    extract_clip,
    extract_frames,
    frame_index,
    is_whole_jpeg,
    usable_fps,
    write_jpeg,
)
from framevote.videos import clip_names, find_videos, groups_of, make_video_table


def table_of(folder):
    """The clips of a dataset, without opening them."""
    videos = find_videos(folder)
    videos["clip"] = clip_names(videos)
    videos["group"] = groups_of(videos)
    return videos


# Which frames


@pytest.mark.parametrize("fps", [1, 5, 23.976, 25, 29.97, 60, 240])
def test_believable_rates_are_kept(fps):
    assert usable_fps(fps) == fps


@pytest.mark.parametrize("fps", [0, float("nan"), float("inf"), float("-inf"), -1, 0.5, 241, 1000])
def test_other_rates_become_25(fps):
    assert usable_fps(fps) == 25


@pytest.mark.parametrize(
    ("fps", "per_second", "expected"),
    [
        (25, 1, [0, 25, 50, 75, 100]),
        (29.97, 1, [0, 30, 60, 90, 120]),
        (25, 0.5, [0, 50, 100, 150, 200]),
        (25, 2, [0, 13, 25, 38, 50]),  # 12.5 and 37.5 go up
        (10, 3, [0, 3, 7, 10, 13]),
        (12, 12, [0, 1, 2, 3, 4]),
        (12, 25, [0, 1, 2, 3, 4]),  # more than there are: every frame once
    ],
)
def test_frame_index_by_hand(fps, per_second, expected):
    assert [frame_index(k, fps, per_second) for k in range(5)] == expected


@pytest.mark.parametrize("fps", [1, 12.5, 23.976, 25, 29.97, 59.94])
@pytest.mark.parametrize("per_second", [0.5, 1, 3, 7.3, 100])
def test_no_frame_is_taken_twice(fps, per_second):
    indices = [frame_index(k, fps, per_second) for k in range(500)]
    assert all(np.diff(indices) >= 1)


@pytest.mark.parametrize(
    ("frames", "per_second", "expected"),
    [
        (50, 1, [0, 25]),
        (51, 1, [0, 25, 50]),
        (50, 2, [0, 13, 25, 38]),
        (50, 0.5, [0]),
        (5, 1, [0]),
        (1, 1, [0]),
        (7, 100, [0, 1, 2, 3, 4, 5, 6]),
    ],
)
def test_the_reader_yields_exactly_these_frames(tmp_path, frames, per_second, expected):
    clip = write_clip(tmp_path / "clip.avi", frames)
    everything = read_all(clip)
    reader = FrameReader(clip, per_second)
    sampled = list(reader)
    assert len(sampled) == len(expected)
    for frame, index in zip(sampled, expected, strict=True):
        assert np.array_equal(frame, everything[index])
    assert reader.problem == ""
    assert len({frame.tobytes() for frame in everything}) == frames  # they can be told apart


@needs_ucf101_clips
@pytest.mark.parametrize(
    ("name", "total", "indices"),
    [
        ("v_ApplyEyeMakeup_g01_c01", 164, [0, 25, 50, 75, 100, 125, 150]),
        ("v_BaseballPitch_g01_c01", 107, [0, 30, 60, 90]),
        ("v_Biking_g05_c02", 201, [0, 30, 60, 90, 120, 150, 180]),
        ("v_Punch_g03_c01", 108, [0, 25, 50, 75, 100]),
    ],
)
def test_clips_of_ucf101(tmp_path, name, total, indices):
    path = UCF101_CLIPS / f"{name}.avi"
    everything = read_all(path)
    assert len(everything) == total
    reader = FrameReader(path)
    assert reader.claimed_frames == total
    for frame, index in zip(reader, indices, strict=True):
        assert np.array_equal(frame, everything[index])
    assert reader.problem == ""
    videos = pd.DataFrame({"clip": [name], "video": [path.name]})
    report = extract_frames(videos, UCF101_CLIPS, tmp_path / "train_1")
    assert report.to_dict("records") == [{"clip": name, "frames": len(indices), "problem": ""}]
    first = cv2.imread(str(tmp_path / "train_1" / f"{name}_frame0.jpg"))
    assert first.shape == (240, 320, 3)
    assert np.abs(first.astype(int) - everything[0]).mean() < 3  # JPEG loses a little


# Odd clips


@pytest.mark.parametrize(
    "settings",
    [
        {"size": (8, 8)},
        {"size": (48, 80)},
        {"size": (3840, 2160), "frames": 3},
        {"colour": False},
        {"frames": 1},
        {"frames": 5},
    ],
    ids=["8x8", "portrait", "4k", "grey", "one frame", "a fifth of a second"],
)
@pytest.mark.parametrize("suffix", ["avi", "mp4"])
def test_odd_shapes_and_lengths(tmp_path, settings, suffix):
    settings = {"frames": 30} | settings
    clip = write_clip(tmp_path / f"clip.{suffix}", **settings)
    report = extract_clip(clip, "clip", tmp_path / "frames")
    expected = -(-settings["frames"] // 25)
    assert report == {"frames": expected, "problem": ""}
    width, height = settings.get("size", (64, 48))
    for k in range(expected):
        assert cv2.imread(str(tmp_path / "frames" / f"clip_frame{k}.jpg")).shape == (
            height,
            width,
            3,
        )


@pytest.mark.parametrize(
    ("microseconds", "rate", "scale", "claimed"),
    [(1000, 1000, 1, "1000"), (0, 1, 100_000, "1e-05"), (2_000_000, 1, 2, "0.5")],
)
def test_a_rate_beyond_belief_is_taken_as_25_and_listed(
    tmp_path, microseconds, rate, scale, claimed
):
    clip = claim_rate(write_clip(tmp_path / "clip.avi", 51), microseconds, rate, scale)
    everything = read_all(clip)
    reader = FrameReader(clip)
    sampled = list(reader)
    assert reader.problem == f"claims {claimed} frames a second; taken as 25"
    for frame, index in zip(sampled, (0, 25, 50), strict=True):
        assert np.array_equal(frame, everything[index])


@pytest.mark.parametrize(
    ("microseconds", "rate", "scale"), [(0, 0, 0), (0, 0, 1), (40_000, 25, 0), (0, 2**32 - 1, 0)]
)
def test_a_rate_of_nothing_still_gives_frames(tmp_path, microseconds, rate, scale):
    """Rates of 0, 0/0 and 25/0: the decoder makes up a rate, so only the frames can be tested."""
    clip = claim_rate(write_clip(tmp_path / "clip.avi", 50), microseconds, rate, scale)
    reader = FrameReader(clip)
    assert 1 <= reader.fps <= 240
    assert len(list(reader)) == len(range(0, 50, round(reader.fps)))


@pytest.mark.parametrize("codec", ["MJPG", "mp4v"])
def test_a_clip_cut_in_half_keeps_its_frames_and_is_listed(tmp_path, codec):
    size = (320, 240)
    whole = read_all(write_clip(tmp_path / "whole.avi", 100, size=size, codec=codec))
    clip = cut(write_clip(tmp_path / "clip.avi", 100, size=size, codec=codec), 0.6)
    reader = FrameReader(clip, 25)
    sampled = list(reader)
    assert 10 < len(sampled) < 90
    assert reader.problem == f"breaks off after {len(sampled)} of 100 frames"
    for frame, original in zip(sampled[:-1], whole, strict=False):
        assert np.array_equal(frame, original)
    report = extract_clip(clip, "clip", tmp_path / "frames", per_second=25)
    assert report == {"frames": len(sampled), "problem": reader.problem}
    assert len(list((tmp_path / "frames").glob("*.jpg"))) == len(sampled)


def test_an_odd_rate_is_still_told_when_the_clip_also_breaks_off(tmp_path):
    clip = claim_rate(write_clip(tmp_path / "clip.avi", 100, size=(320, 240)), 1000, 1000, 1)
    reader = FrameReader(cut(clip, 0.6))
    assert len(list(reader)) > 0
    assert "breaks off after" in reader.problem
    assert "claims 1000 frames a second" in reader.problem


def test_clips_that_cannot_be_read_are_reported(tmp_path):
    (tmp_path / "empty.avi").write_bytes(b"")
    (tmp_path / "page.avi").write_text("<html>404 Not Found</html>\n" * 100)
    cut(write_clip(tmp_path / "no_moov.mp4"), 0.5)
    cut_before_frames(write_clip(tmp_path / "no_frames.avi"))
    cut_before_frames(write_clip(tmp_path / "two_lost.avi", frames=2))
    for name, problem in {
        "empty.avi": "the file is empty",
        "page.avi": "not a video that OpenCV can open",
        "no_moov.mp4": "not a video that OpenCV can open",
        "gone.avi": "the file is missing",
        "no_frames.avi": "breaks off after 0 of 50 frames",
        "two_lost.avi": "no frame can be decoded",
    }.items():
        report = extract_clip(tmp_path / name, "clip", tmp_path / "frames")
        assert report == {"frames": 0, "problem": problem}, name
    assert not list(tmp_path.glob("frames/*"))


def test_the_reader_says_why_it_has_no_frame(tmp_path):
    reader = FrameReader(cut_before_frames(write_clip(tmp_path / "two_lost.avi", frames=2)))
    assert list(reader) == []
    assert reader.problem == "no frame can be decoded"


# Whole JPEG files


def test_what_counts_as_a_whole_jpeg(tmp_path):
    path = tmp_path / "frame.jpg"
    write_jpeg(np.full((48, 64, 3), 200, np.uint8), path)
    whole = path.read_bytes()
    assert is_whole_jpeg(path)
    assert not is_whole_jpeg(tmp_path / "missing.jpg")
    assert not is_whole_jpeg(tmp_path)
    for content in (b"", b"\xff", whole[:2], whole[:-1], whole[: len(whole) // 2], whole[2:]):
        path.write_bytes(content)
        assert not is_whole_jpeg(path), content[:4]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + whole)
    assert not is_whole_jpeg(path)


# Extracting a whole dataset


def test_all_frames_of_a_dataset(tmp_path):
    videos = table_of(make_dataset(tmp_path / "set", groups=2, clips=2, frames=51))
    report = extract_frames(videos, tmp_path / "set", tmp_path / "train_1")
    assert report["clip"].tolist() == videos["clip"].tolist()
    assert set(report["frames"]) == {3}
    assert set(report["problem"]) == {""}
    expected = {f"{clip}_frame{k}.jpg" for clip in videos["clip"] for k in range(3)}
    assert set(files_of(tmp_path / "train_1")) == expected


def test_bad_clips_are_reported_and_the_rest_extracted(tmp_path):
    folder = make_dataset(tmp_path / "set", groups=2, clips=1, frames=60)
    (folder / "Run" / "a_empty.avi").write_bytes(b"")
    (folder / "Run" / "b_page.avi").write_text("<html>404 Not Found</html>")
    cut(write_clip(folder / "Walk" / "z_half.avi", 100, size=(320, 240)), 0.6)
    videos = table_of(folder)
    report = extract_frames(videos, folder, tmp_path / "train_1").set_index("clip")
    assert report.index.tolist() == videos["clip"].tolist()
    assert report["problem"]["a_empty"] == "the file is empty"
    assert report["problem"]["b_page"] == "not a video that OpenCV can open"
    assert report["problem"]["z_half"].startswith("breaks off after ")
    assert report["frames"].drop("z_half").tolist() == [0, 0, 3, 3, 3, 3]
    assert report["frames"]["z_half"] in (2, 3)
    assert len(files_of(tmp_path / "train_1")) == report["frames"].sum()


NAMES = [
    "with space",
    'it\'s "quoted"',
    "100%",
    "%03d",
    "%s%n",
    "走る é ñ",
    "[a-z]*?",
    "semi;colon&amp,comma",
    "x_frame3.jpg",
    "-dash",
    "n" * 200,
    "走" * 80,
]


def test_any_name_goes_through_to_the_frame_table(tmp_path):
    for look, label in enumerate(("Run & jump", "Walk 100%")):
        for name in NAMES:
            if look == 0 or name in NAMES[:4]:
                write_clip(tmp_path / "set" / label / f"{name}.avi", frames=26, look=look)
        for number in range(2):
            write_clip(tmp_path / "set" / label / f"{label} {number}.avi", frames=26, look=look)
    videos, unreadable = make_video_table(tmp_path / "set")
    assert unreadable.empty
    assert len(videos) == len(NAMES) + 4 + 4
    report = extract_frames(videos, tmp_path / "set", tmp_path / "train_1")
    assert set(report["problem"]) == {""}
    table, left_out = build_frame_table(tmp_path / "train_1", videos)
    assert left_out.empty
    assert table.drop_duplicates("video")["video"].tolist() == videos["video"].tolist()
    assert table["class"].tolist() == [label for label in videos["class"] for _ in range(2)]
    assert [name[-11:] for name in table["image"]] == ["_frame0.jpg", "_frame1.jpg"] * len(videos)


def test_clips_of_one_name_keep_their_own_frames(tmp_path):
    for look, video in enumerate(("Run/1.avi", "Walk/1.avi", "Run/Take.avi", "Walk/take.avi")):
        write_clip(tmp_path / "set" / video, frames=5, look=look)
    videos = table_of(tmp_path / "set")
    extract_frames(videos, tmp_path / "set", tmp_path / "train_1")
    table, _ = build_frame_table(tmp_path / "train_1", videos)
    assert sorted(table["video"]) == ["Run/1.avi", "Run/Take.avi", "Walk/1.avi", "Walk/take.avi"]
    for row in table.itertuples():
        shown = cv2.imread(str(tmp_path / "train_1" / row.image)).astype(int)
        difference = np.abs(shown - read_all(tmp_path / "set" / row.video)[0]).mean()
        assert difference < 5, row.video


# Going on where an earlier run stopped


@pytest.fixture
def extracted(tmp_path):
    """A dataset whose frames were extracted: (videos, source, folder)."""
    source = make_dataset(tmp_path / "set", groups=2, clips=1, frames=30)
    videos = table_of(source)
    extract_frames(videos, source, tmp_path / "train_1")
    return videos, source, tmp_path / "train_1"


def times_of(folder):
    """When each file of a folder was written."""
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}


def test_a_second_run_writes_nothing_again(extracted):
    before = times_of(extracted[2])
    report = extract_frames(*extracted)
    assert times_of(extracted[2]) == before
    assert set(report["frames"]) == {2}


def test_a_changed_clip_is_extracted_again_and_the_others_are_not(extracted):
    videos, source, folder = extracted
    before = times_of(folder)
    write_clip(source / videos["video"][1], frames=5)
    report = extract_frames(*extracted)
    assert report["frames"].tolist() == [2, 1, 2, 2]
    clip = videos["clip"][1]
    after = times_of(folder)
    assert before.keys() - after.keys() == {f"{clip}_frame1.jpg"}
    assert {name for name in after if after[name] != before[name]} == {f"{clip}_frame0.jpg"}


def test_another_rate_replaces_all_frames(extracted):
    report = extract_frames(*extracted, per_second=5)
    assert set(report["frames"]) == {6}
    assert len(files_of(extracted[2])) == 24
    report = extract_frames(*extracted, per_second=1)
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
    extract_frames(*extracted)
    assert files_of(extracted[2]) == before


def test_leftovers_go(extracted):
    videos, source, folder = extracted
    before = files_of(folder)
    frame = before[sorted(before)[0]]
    for name in ("foreign.jpg", "old_clip_frame0.jpg", ".partial-v_Run_g01_c01_frame1.jpg"):
        (folder / name).write_bytes(frame)
    (folder / f"{videos['clip'][0]}_frame2.jpg").write_bytes(frame)  # one frame too many
    extract_frames(*extracted)
    assert files_of(folder) == before
    fewer = videos[1:].reset_index(drop=True)
    extract_frames(fewer, source, folder)
    assert not [name for name in files_of(folder) if name.startswith(videos["clip"][0])]


@pytest.mark.parametrize("rest", [b"", b"half", b'{"clip": "v_Run_g01_c01", "sta', b"\x00\x00\x00"])
def test_a_damaged_journal_costs_work_but_no_frames(extracted, rest):
    before = files_of(extracted[2])
    journal = extracted[2].with_name("train_1.jsonl")
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:2]) + rest)
    report = extract_frames(*extracted)
    assert set(report["frames"]) == {2}
    assert files_of(extracted[2]) == before
    entries = [json.loads(line) for line in journal.read_text().splitlines()]
    assert sorted(entry["clip"] for entry in entries) == sorted(extracted[0]["clip"])


EXTRACT = """
import sys
from pathlib import Path
import pandas as pd
from framevote.frames import extract_frames
table, source, folder = map(Path, sys.argv[1:])
extract_frames(pd.read_csv(table), source, folder, per_second=25, threads=2)
"""


def test_a_killed_run_goes_on_and_ends_as_an_undisturbed_one(tmp_path):
    source = make_dataset(tmp_path / "set", groups=2, clips=2, frames=50, size=(320, 240))
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
    extract_frames(videos, source, tmp_path / "undisturbed", per_second=25, threads=2)
    resumed, undisturbed = files_of(tmp_path / "killed"), files_of(tmp_path / "undisturbed")
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
    mount = shutil.which("mount")
    options = ["-t", "tmpfs", "-o", "size=600k", "tmpfs", str(disk)]
    if mount is None or subprocess.run([mount, *options], capture_output=True).returncode:
        pytest.skip("a small disk can't be mounted here")

    def enlarge():
        subprocess.run([mount, "-o", "remount,size=20m", str(disk)], check=True)

    yield disk, enlarge
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_is_told_and_the_next_run_goes_on(tmp_path, small_disk):
    disk, enlarge = small_disk
    source = make_dataset(tmp_path / "set", groups=5, clips=1, frames=25)
    videos = table_of(source)
    with pytest.raises(OSError, match="No space left") as caught:
        extract_frames(videos, source, disk / "train_1", per_second=25)
    assert caught.value.errno == errno.ENOSPC
    written = sorted((disk / "train_1").iterdir())
    assert 50 < len(written) < 250
    assert all(path.suffix == ".jpg" and is_whole_jpeg(path) for path in written)
    assert not [path.name for path in written if path.name.startswith(".partial")]

    enlarge()
    report = extract_frames(videos, source, disk / "train_1", per_second=25)
    assert set(report["frames"]) == {25}
    extract_frames(videos, source, tmp_path / "undisturbed", per_second=25)
    assert files_of(disk / "train_1") == files_of(tmp_path / "undisturbed")
