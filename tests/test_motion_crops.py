"""Small clips: cut to where something moves, decoded in threads, and kept."""

from toolbox.clips.motion_crops import (
    cut_square,
    moving_part,
    small_clip,
    square_around,
    store_clips,
)

import numpy as np
import pytest
from clips import write_clip


def test_what_moves_is_found_and_a_margin_around_it():
    frames = np.full((10, 100, 120, 3), 90, "uint8")
    frames[::2, 10, 10] = 255  # a noisy pixel is no motion
    for k, frame in enumerate(frames):
        frame[40:60, 30 + 2 * k : 40 + 2 * k] = 250
    region = moving_part(frames)
    rows, columns = (np.flatnonzero(region.any(axis=axis)) for axis in (1, 0))
    assert rows.min() == 40 - 3 and rows.max() == 59 + 3
    assert 24 <= columns.min() <= 36 and 53 <= columns.max() <= 63
    assert not moving_part(frames[:1]).any()


SQUARES = [((40, 60), (50, 90), 0.1, (26, 46, 48)), ((0, 0), (0, 0), 0.1, (0, 50, 100))]
SQUARES += [((90, 100), (190, 200), 0.5, (80, 180, 20))]  # it stays inside the frame


@pytest.mark.parametrize(("rows", "columns", "margin", "square"), SQUARES)
def test_the_square_around_a_region_by_hand(rows, columns, margin, square):
    region = np.zeros((100, 200), bool)
    region[slice(*rows), slice(*columns)] = True
    assert square_around(region, margin) == square


def test_what_is_in_the_square_is_scaled_up_or_averaged():
    frame = np.zeros((40, 60, 3), "uint8")
    frame[10:30, 25:45] = 200
    cut = cut_square(frame, 10, 25, 20, 40)
    assert cut.shape == (40, 40, 3) and (cut == 200).all()
    frame = np.zeros((30, 30, 3), "uint8")
    frame[::3, ::3] = 180  # one pixel of nine
    assert (cut_square(frame, 0, 0, 30, 10) == 20).all()


@pytest.mark.parametrize("frames", [1, 3, 30])
def test_small_clips_show_the_motion_and_short_ones_repeat_frames(tmp_path, frames):
    write_clip(tmp_path / "clip.avi", frames=frames)
    clip = small_clip(tmp_path / "clip.avi", 8, 24)
    assert clip.shape == (8, 24, 24, 3) and clip.dtype == np.uint8
    assert len(np.unique(clip.reshape(8, -1), axis=0)) == min(frames, 8)


def test_stored_clips_are_in_order_and_kept_until_a_clip_or_size_changes(tmp_path):
    paths = [tmp_path / f"{number}.avi" for number in range(3)]
    for number, path in enumerate(paths):
        write_clip(path, frames=10 + 5 * number, look=number)
    paths[2].write_bytes(b"not a video")
    target = tmp_path / "clips.npy"
    stored, problems = store_clips(paths, target, 6, 16, threads=4)
    assert stored.shape == (3, 6, 16, 16, 3) and stored.dtype == np.uint8
    for number in range(2):
        assert (stored[number] == small_clip(paths[number], 6, 16)).all()
    assert list(problems) == [2] and "a text" in problems[2] and not stored[2].any()
    written = target.stat().st_mtime_ns
    again, same = store_clips(paths, target, 6, 16)
    assert isinstance(again, np.memmap) and (again == stored).all() and same == problems
    assert target.stat().st_mtime_ns == written
    write_clip(paths[2], frames=20)
    stored, problems = store_clips(paths, target, 6, 16)
    assert stored[2].any() and problems == {}
    for count, size in ((6, 24), (8, 24)):
        stored, _ = store_clips(paths, target, count, size)
        assert stored.shape == (3, count, size, size, 3)
