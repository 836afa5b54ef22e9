"""toolbox.clips.read: opening clips, the time of each frame, frames to show."""

from toolbox.clips import read

import numpy as np
import pytest
from clips import (
    claim_rate,
    cut,
    cut_before_frames,
    cv2,
    read_all,
    slowing,
    write_clip,
    write_with_pyav,
)
from PIL import Image


def positions_of(path):
    """The position of each frame of a clip, and what was odd about the clip."""
    positions = []
    with read.open_video(path) as video:
        while video.grab():
            positions.append(video.position)
        return positions, video.problem


def rgb(frame):
    return cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)


@pytest.mark.parametrize("fps", [1 / 60, 0.5, 23.976, 240, 0, np.nan, np.inf, -1, 241])
def test_believable_rates_are_kept_and_others_become_25(fps):
    assert read.usable_fps(fps) == (fps if 1 / 60 <= fps <= 240 else 25)


EVENLY = [(21, 5, [0, 5, 10, 15, 20]), (3, 5, [0, 1, 2]), (10, 1, [0])]
EVENLY += [(6, 3, [0, 3, 5])]  # 2.5 goes up


@pytest.mark.parametrize(("total", "count", "expected"), EVENLY)
def test_evenly_spaced_by_hand(total, count, expected):
    assert read.evenly_spaced(total, count).tolist() == expected
    if total >= count:
        assert read.evenly_spaced(total, count, repeat=True).tolist() == expected
    assert read.evenly_spaced(2, 4, repeat=True).tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize("fps", [5, 29.97, 60])
@pytest.mark.parametrize("name", ["clip.avi", "clip.mp4", "clip.mkv"])
def test_each_frame_is_at_its_number(tmp_path, name, fps):
    clip = write_clip(tmp_path / name, frames=50, fps=fps)
    assert positions_of(clip) == (list(range(50)), "")


def test_a_clip_of_variable_frame_rate_is_told_by_its_timestamps(tmp_path):
    """Twenty frames of 40 ms, then five of 120 ms: 25 frames in the time of 35."""
    clip = slowing(tmp_path / "clip.mp4", frames=25, after=20)
    fps = cv2.VideoCapture(str(clip), cv2.CAP_FFMPEG).get(cv2.CAP_PROP_FPS)
    places = [*range(20), 20, 23, 26, 29, 32]
    assert positions_of(clip) == ([round(place * fps / 25) for place in places], "")


RATES = [(1000, 1000, 1, "1000"), (0, 1, 100_000, "1e-05")]


@pytest.mark.parametrize(("microseconds", "rate", "scale", "claimed"), RATES)
def test_a_rate_beyond_belief_is_told(tmp_path, microseconds, rate, scale, claimed):
    clip = claim_rate(write_clip(tmp_path / "clip.avi", 51), microseconds, rate, scale)
    problem = f"claims {claimed} frames a second; taken as 25"
    assert positions_of(clip) == (list(range(51)), problem)
    assert read.probe(clip)["fps"] == 25


# Screen recordings: 60 frames, each shown for 33 to 500 ms. WebM and Matroska tell a
# length and a rate, of which OpenCV makes a number of frames: 336, or 11,183.
PAUSES = np.random.default_rng(0).choice([0.033, 0.04, 0.1, 0.2, 0.5], 60)
SHOWN = np.cumsum(PAUSES).round(3)
KINDS = [(".webm", "libvpx-vp9"), (".mkv", "libx264"), (".mp4", "libx264")]


@pytest.mark.parametrize(("suffix", "codec"), KINDS)
def test_a_screen_recording_is_whole(tmp_path, suffix, codec):
    clip = tmp_path / f"clip{suffix}"
    write_with_pyav(clip, codec, frames=60, times=SHOWN, fps=30)
    positions, problem = positions_of(clip)
    assert problem == "" and len(positions) == 60
    assert len(read.frames_to_show(clip, 12)) >= 11
    middle = np.abs(SHOWN - SHOWN[0] - (SHOWN[-1] - SHOWN[0]) / 2).argmin()
    near = [rgb(frame) for frame in read_all(clip)[middle - 10 : middle + 10]]
    shown = read.middle_frame(clip)
    assert any(np.array_equal(shown, frame) for frame in near)


@pytest.mark.parametrize("codec", ["MJPG", "mp4v"])
def test_a_clip_cut_off_says_where(tmp_path, codec):
    clip = write_clip(tmp_path / "clip.avi", 100, size=(320, 240), codec=codec)
    left = len(read_all(cut(clip, 0.6)))
    assert 10 < left < 90
    problem = f"breaks off after {left} of 100 frames"
    assert positions_of(clip) == (list(range(left)), problem)


WRITTEN = [("one_frame.avi", {"frames": 1}), ("tiny.avi", {"size": (8, 8)})]
WRITTEN += [("4k.avi", {"frames": 3, "size": (3840, 2160)}), ("slow.avi", {"fps": 5})]
WRITTEN += [("portrait.mp4", {"size": (48, 80)}), ("grey.avi", {"colour": False})]


@pytest.mark.parametrize(("name", "settings"), WRITTEN)
def test_probe_tells_what_was_written(tmp_path, name, settings):
    found = read.probe(write_clip(tmp_path / name, **settings))
    expected = {"frames": 50, "fps": 25, "size": (64, 48), "colour": True} | settings
    assert (found["width"], found["height"]) == expected["size"]
    assert [found["frames"], found["fps"]] == [expected["frames"], expected["fps"]]


def test_the_reason_why_a_clip_cannot_be_read(tmp_path):
    (tmp_path / "empty.avi").write_bytes(b"")
    (tmp_path / "page.avi").write_text("<html>404 Not Found</html>\n" * 100)
    cut(write_clip(tmp_path / "no_moov.mp4"), 0.5)
    cut_before_frames(write_clip(tmp_path / "no_frames.avi"))
    (tmp_path / "dangling.avi").symlink_to(tmp_path / "never_was.avi")
    frames = [Image.new("RGB", (64, 48), (shade, 0, 0)) for shade in (0, 100, 200)]
    frames[0].save(tmp_path / "av1.mp4", "AVIF", save_all=True, append_images=frames)
    for name, reason in {
        "empty.avi": "the file is empty",
        "page.avi": "not a video that OpenCV can open",
        "no_moov.mp4": "not a video that OpenCV can open",
        "no_frames.avi": "no frame can be decoded (codec MJPG)",
        "dangling.avi": "the file is missing",
        "av1.mp4": "no frame can be decoded (codec AV01)",
    }.items():
        for look in ((read.probe,), (read.middle_frame,), (read.frames_to_show, 5)):
            told = read.result_or_problem(look[0], tmp_path / name, *look[1:])
            assert told == (None, reason), name


def test_frames_to_show_are_spread_from_first_to_last_in_rgb(tmp_path):
    clip = write_clip(tmp_path / "clip.avi", frames=21)
    everything = [rgb(frame) for frame in read_all(clip)]
    shown = np.array(read.frames_to_show(clip, 5))
    assert np.array_equal(shown, [everything[index] for index in (0, 5, 10, 15, 20)])
    assert not np.array_equal(shown, shown[..., ::-1])  # colour order shows
    for frames, middle in ((1, 0), (2, 1), (3, 1), (50, 25), (51, 25)):
        clip = write_clip(tmp_path / "clip.avi", frames=frames)
        assert np.array_equal(read.middle_frame(clip), rgb(read_all(clip)[middle]))


def test_frames_to_show_are_scaled_down_but_not_up(tmp_path):
    wide = write_clip(tmp_path / "wide.avi", frames=2, size=(640, 360))
    assert [frame.shape for frame in read.frames_to_show(wide, 2)] == [
        (180, 320, 3)
    ] * 2
    assert read.frames_to_show(wide, 2, width=100)[0].shape == (56, 100, 3)
    assert read.middle_frame(wide, width=100).shape == (56, 100, 3)
    small = write_clip(tmp_path / "small.avi", frames=2, size=(64, 48))
    assert read.frames_to_show(small, 2)[0].shape == (48, 64, 3)


def test_of_a_long_clip_only_the_first_minute_is_read(tmp_path):
    clip = write_clip(tmp_path / "clip.avi", frames=1700, size=(16, 16))
    early = [rgb(frame) for frame in read_all(clip)[:1500]]
    expected = [early[index] for index in (0, 500, 999, 1499)]
    assert np.array_equal(read.frames_to_show(clip, 4), expected)
    assert np.array_equal(read.middle_frame(clip), early[750])
