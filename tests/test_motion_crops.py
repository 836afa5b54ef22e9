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

# Cutting


def test_what_moves_is_found_and_a_margin_around_it():
    frames = np.full((10, 100, 120, 3), 90, "uint8")
    for k, frame in enumerate(frames):
        frame[40:60, 30 + 2 * k : 40 + 2 * k] = 250
    rows, columns = (
        np.flatnonzero(moving_part(frames).any(axis=axis)) for axis in (1, 0)
    )
    assert rows.min() == 40 - 3 and rows.max() == 59 + 3
    assert 24 <= columns.min() <= 36 and 53 <= columns.max() <= 63


def test_a_single_noisy_pixel_is_no_motion():
    frames = np.zeros((6, 60, 80, 3), "uint8")
    frames[::2, 10, 10] = 255
    frames[::2, 30:40, 50:60] = 255
    region = moving_part(frames)
    assert region[35, 55] and not region[10, 10]


def test_nothing_moves_in_a_single_frame():
    assert not moving_part(np.zeros((1, 20, 30, 3), "uint8")).any()


def test_the_square_around_a_region_by_hand():
    region = np.zeros((100, 200), bool)
    region[40:60, 50:90] = True  # 20 high, 40 wide
    assert square_around(region, margin=0) == (30, 50, 40)
    assert square_around(region, margin=0.1) == (26, 46, 48)


def test_nothing_moves_so_the_square_is_the_middle_of_the_frame():
    assert square_around(np.zeros((60, 80), bool)) == (0, 10, 60)
    assert square_around(np.ones((90, 60), bool)) == (15, 0, 60)


def test_the_square_stays_inside_the_frame():
    region = np.zeros((100, 200), bool)
    region[90:, 190:] = True
    assert square_around(region, margin=0.5) == (80, 180, 20)
    region[:, 100:] = True
    assert square_around(region) == (0, 100, 100)


def test_what_is_in_the_square_is_scaled_up():
    frame = np.zeros((40, 60, 3), "uint8")
    frame[10:30, 25:45] = 200
    cut = cut_square(frame, 10, 25, 20, 40)
    assert cut.shape == (40, 40, 3) and (cut == 200).all()


def test_what_is_in_the_square_is_averaged_where_it_is_scaled_down():
    frame = np.zeros((30, 30, 3), "uint8")
    frame[::3, ::3] = (
        180  # one pixel of nine: an average is 20, a single pixel 0 or 180
    )
    assert (cut_square(frame, 0, 0, 30, 10) == 20).all()


def test_small_clips_are_cut_to_the_motion(tmp_path):
    write_clip(tmp_path / "clip.avi", frames=30)
    clip = small_clip(tmp_path / "clip.avi", 8, 24)
    assert clip.shape == (8, 24, 24, 3) and clip.dtype == np.uint8
    assert (
        len(np.unique(clip.reshape(8, -1), axis=0)) == 8
    )  # the bar is elsewhere in each frame


@pytest.mark.parametrize("frames", [1, 3])
def test_short_clips_repeat_their_frames(tmp_path, frames):
    write_clip(tmp_path / "clip.avi", frames=frames)
    clip = small_clip(tmp_path / "clip.avi", 8, 24)
    assert len(np.unique(clip.reshape(8, -1), axis=0)) == frames
    assert (clip[0] == clip[1]).all()


# Storing


@pytest.fixture
def paths(tmp_path):
    """Six clips of different looks and lengths; the fourth is broken."""
    for number in range(6):
        write_clip(tmp_path / f"{number}.avi", frames=10 + 5 * number, look=number)
    (tmp_path / "3.avi").write_bytes(b"not a video")
    return [tmp_path / f"{number}.avi" for number in range(6)]


def test_stored_clips_are_in_the_order_of_their_paths(tmp_path, paths):
    stored, problems = store_clips(paths, tmp_path / "clips.npy", 6, 16, threads=4)
    assert stored.shape == (6, 6, 16, 16, 3) and stored.dtype == np.uint8
    for number in (0, 1, 2, 4, 5):
        assert (stored[number] == small_clip(paths[number], 6, 16)).all()
    assert list(problems) == [3] and "OpenCV" in problems[3]
    assert not stored[3].any()


def test_stored_clips_stay_on_disk(tmp_path, paths):
    stored, _ = store_clips(paths, tmp_path / "clips.npy", 6, 16)
    assert isinstance(stored, np.memmap) and not stored.flags.writeable


def test_stored_clips_are_kept_and_made_again_when_a_clip_or_size_changes(
    tmp_path, paths
):
    target = tmp_path / "clips.npy"
    first, problems = store_clips(paths, target, 6, 16)
    written = target.stat().st_mtime_ns
    again, same = store_clips(paths, target, 6, 16)
    assert (again == first).all() and same == problems == {3: problems[3]}
    assert target.stat().st_mtime_ns == written
    write_clip(paths[3], frames=20)
    third, problems = store_clips(paths, target, 6, 16)
    assert third[3].any() and problems == {}
    for count, size in ((6, 24), (8, 16)):
        stored, _ = store_clips(paths, target, count, size)
        assert stored.shape == (6, count, size, size, 3)
