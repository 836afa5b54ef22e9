"""Notebook 01: which frames of a clip are kept, and what becomes of them."""

import cv2
import numpy as np
import pytest
from clips import cut, read_all, slow_down, write_clip

from lessons.frames import extract_clip, sample_frames


def kept(clip, per_second):
    """The numbers of the sampled frames among all of a clip, and the problems."""
    everything = [frame.tobytes() for frame in read_all(clip)]
    assert len(set(everything)) == len(everything)  # they can be told apart
    problems = []
    frames = sample_frames(clip, per_second, problems)
    return [everything.index(frame.tobytes()) for frame in frames], problems


@pytest.mark.parametrize(
    ("frames", "fps", "per_second", "expected"),
    [
        (50, 25, 2, [0, 13, 25, 38]),  # 12.5 and 37.5 go up
        (50, 25, 0.5, [0]),
        (1, 25, 1, [0]),
        (50, 10, 3, [0, 3, 7, 10, 13, 17, 20, 23, 27, 30, 33, 37, 40, 43, 47]),
        (40, 29.97, 2, [0, 15, 30]),  # 14.985 and 29.97
        (7, 25, 100, [0, 1, 2, 3, 4, 5, 6]),  # more than there are: every frame once
    ],
)
def test_which_frames_are_kept_by_hand(tmp_path, frames, fps, per_second, expected):
    clip = write_clip(tmp_path / "clip.avi", frames, fps)
    assert kept(clip, per_second) == (expected, [])


def test_a_clip_of_variable_frame_rate_is_sampled_by_time(tmp_path):
    """25 frames of 40 ms, then 25 of 120 ms: 4 seconds, not 2."""
    clip = slow_down(write_clip(tmp_path / "clip.mp4", 50), after=25, factor=3)
    numbers, problems = kept(clip, 1)
    assert problems == []
    capture = cv2.VideoCapture(str(clip), cv2.CAP_FFMPEG)
    moments = []
    while capture.grab():
        moments.append(capture.get(cv2.CAP_PROP_POS_MSEC) / 1000)
    assert [round(moments[number], 1) for number in numbers[:4]] == pytest.approx(
        [0, 1, 2, 3], abs=0.1
    )


def test_a_clip_that_breaks_off_keeps_its_frames_and_says_so(tmp_path):
    clip = cut(write_clip(tmp_path / "clip.avi", 100, size=(320, 240)), 0.6)
    problems = []
    count = len(list(sample_frames(clip, 25, problems)))
    assert 10 < count < 90
    assert problems == [f"breaks off after {count} of 100 frames"]
    (tmp_path / "frames").mkdir()
    assert extract_clip(clip, "clip", tmp_path / "frames", 25) == (count, problems[0])
    assert len(list((tmp_path / "frames").iterdir())) == count


def test_files_are_numbered_and_keep_their_colours(tmp_path):
    """Blue in the video is blue in the file: OpenCV's order in, OpenCV's order out."""
    path = tmp_path / "blue.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 25, (64, 48))
    for _ in range(26):
        writer.write(np.full((48, 64, 3), (220, 60, 20), np.uint8))
    writer.release()
    (tmp_path / "frames").mkdir()
    assert extract_clip(path, "a clip", tmp_path / "frames") == (2, "")
    names = sorted(file.name for file in (tmp_path / "frames").iterdir())
    assert names == ["a clip_frame0.jpg", "a clip_frame1.jpg"]
    blue, green, red = cv2.imread(str(tmp_path / "frames" / names[0])).mean(axis=(0, 1))
    assert (round(blue, -1), round(green, -1), round(red, -1)) == (220, 60, 20)
