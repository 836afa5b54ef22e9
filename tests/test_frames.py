"""Notebook 01: which frames of a clip are kept, and what becomes of them."""

import cv2
import numpy as np
import pytest
from clips import read_all, slowing, write_clip

from lessons.frames import extract_clip, sample_frames


def kept(clip, per_second):
    """The numbers of the sampled frames among all of a clip, and the problems."""
    everything = [frame.tobytes() for frame in read_all(clip)]
    assert len(set(everything)) == len(everything)  # they can be told apart
    problems = []
    frames = sample_frames(clip, per_second, problems)
    return [everything.index(frame.tobytes()) for frame in frames], problems


KEPT = [(50, 25, 2, [0, 13, 25, 38])]  # 12.5 and 37.5 go up
KEPT += [(40, 29.97, 2, [0, 15, 30])]  # 14.985 and 29.97
KEPT += [(7, 25, 100, [0, 1, 2, 3, 4, 5, 6])]  # more than there are: every frame once
KEPT += [(50, 25, 0.5, [0]), (1, 25, 1, [0]), (20, 10, 3, [0, 3, 7, 10, 13, 17])]


@pytest.mark.parametrize(("frames", "fps", "per_second", "expected"), KEPT)
def test_which_frames_are_kept_by_hand(tmp_path, frames, fps, per_second, expected):
    clip = write_clip(tmp_path / "clip.avi", frames, fps)
    assert kept(clip, per_second) == (expected, [])


def test_a_clip_of_variable_frame_rate_is_sampled_by_time(tmp_path):
    """25 frames of 40 ms, then 25 of 120 ms: 4 seconds, not 2."""
    clip = slowing(tmp_path / "clip.mp4", frames=50, after=25)
    numbers, problems = kept(clip, 1)
    capture, moments = cv2.VideoCapture(str(clip), cv2.CAP_FFMPEG), []
    while capture.grab():
        moments.append(capture.get(cv2.CAP_PROP_POS_MSEC) / 1000)
    sampled = [moments[number] for number in numbers[:4]]
    assert sampled == pytest.approx([0, 1, 2, 3], abs=0.1) and problems == []


def test_files_are_numbered_and_keep_their_colours(tmp_path):
    """Blue in the video is blue in the file: OpenCV's order in, OpenCV's order out."""
    path, blue = tmp_path / "blue.avi", np.full((48, 64, 3), (220, 60, 20), np.uint8)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 25, (64, 48))
    for _ in range(26):
        writer.write(blue)
    writer.release()
    (tmp_path / "frames").mkdir()
    assert extract_clip(path, "a clip", tmp_path / "frames") == (2, "")
    files = sorted((tmp_path / "frames").iterdir())
    assert [file.name for file in files] == ["a clip_frame0.jpg", "a clip_frame1.jpg"]
    assert np.abs(cv2.imread(str(files[0])).astype(int) - blue).max() < 6
