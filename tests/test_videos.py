"""toolbox.clips.read: opening clips, the time of each frame, frames to show."""

from toolbox.clips.read import (
    evenly_spaced,
    frames_to_show,
    middle_frame,
    open_video,
    probe,
    result_or_problem,
    usable_fps,
)

import numpy as np
import pytest
from clips import (
    claim_rate,
    cut,
    cut_before_frames,
    cv2,
    read_all,
    slow_down,
    write_av1,
    write_clip,
    write_with_pyav,
)


def positions_of(path):
    """The position of each frame of a clip, and what was odd about the clip."""
    positions = []
    with open_video(path) as video:
        while video.grab():
            positions.append(video.position)
        return positions, video.problem


def rgb(frame):
    return cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)


# Rates and places


@pytest.mark.parametrize("fps", [1 / 60, 0.5, 1, 5, 23.976, 25, 29.97, 60, 240])
def test_believable_rates_are_kept(fps):
    assert usable_fps(fps) == fps


@pytest.mark.parametrize(
    "fps", [0, float("nan"), float("inf"), float("-inf"), -1, 0.01, 241, 1000]
)
def test_other_rates_become_25(fps):
    assert usable_fps(fps) == 25


@pytest.mark.parametrize(
    ("total", "count", "expected"),
    [
        (21, 5, [0, 5, 10, 15, 20]),
        (6, 3, [0, 3, 5]),  # 2.5 goes up
        (3, 5, [0, 1, 2]),
        (10, 1, [0]),
        (1, 3, [0]),
    ],
)
def test_evenly_spaced_by_hand(total, count, expected):
    assert evenly_spaced(total, count).tolist() == expected
    if total >= count:
        assert evenly_spaced(total, count, repeat=True).tolist() == expected


def test_evenly_spaced_with_repeats_by_hand():
    assert evenly_spaced(2, 4, repeat=True).tolist() == [0, 0, 1, 1]


# Reading


@pytest.mark.parametrize("fps", [5, 25, 29.97, 60])
@pytest.mark.parametrize("name", ["clip.avi", "clip.mp4", "clip.mkv"])
def test_each_frame_is_at_its_number(tmp_path, name, fps):
    clip = write_clip(tmp_path / name, frames=50, fps=fps)
    assert positions_of(clip) == (list(range(50)), "")


def test_the_frames_are_those_that_opencv_decodes(tmp_path):
    clip = write_clip(tmp_path / "clip.avi", frames=10)
    frames = []
    with open_video(clip) as video:
        assert (video.frames, video.fps, video.width, video.height) == (10, 25, 64, 48)
        while video.grab():
            frames.append(video.retrieve())
        assert not video.grab()  # still at the end
    assert np.array_equal(frames, read_all(clip))


def test_a_clip_of_variable_frame_rate_is_told_by_its_timestamps(tmp_path):
    """Twenty frames of 40 ms, then five of 120 ms: 25 frames in the time of 35."""
    clip = slow_down(write_clip(tmp_path / "clip.mp4", frames=25), after=20, factor=3)
    capture = cv2.VideoCapture(str(clip), cv2.CAP_FFMPEG)
    expected = [*range(20), 20, 23, 26, 29, 32]
    fps = capture.get(cv2.CAP_PROP_FPS)
    positions, problem = positions_of(clip)
    assert positions == [round(place * fps / 25) for place in expected]
    assert problem == ""


@pytest.mark.parametrize(
    ("microseconds", "rate", "scale", "claimed"),
    [(1000, 1000, 1, "1000"), (0, 1, 100_000, "1e-05"), (100_000_000, 1, 100, "0.01")],
)
def test_a_rate_beyond_belief_is_taken_as_25_and_told(
    tmp_path, microseconds, rate, scale, claimed
):
    clip = claim_rate(write_clip(tmp_path / "clip.avi", 51), microseconds, rate, scale)
    with open_video(clip) as video:
        assert video.fps == 25
    problem = f"claims {claimed} frames a second; taken as 25"
    assert positions_of(clip) == (list(range(51)), problem)
    assert probe(clip)["fps"] == 25


# Screen recordings: 60 frames, each shown for 33 to 500 ms. WebM and Matroska tell a
# length and a rate, of which OpenCV makes a number of frames: 336, or 11,183.
SHOWN = np.cumsum(
    np.random.default_rng(0).choice([0.033, 0.04, 0.1, 0.2, 0.5], 60)
).round(3)
KINDS = [(".webm", "libvpx-vp9"), (".mkv", "libx264"), (".mp4", "libx264")]


@pytest.mark.parametrize(("suffix", "codec"), KINDS)
def test_a_screen_recording_is_whole(tmp_path, suffix, codec):
    clip = write_with_pyav(
        tmp_path / f"clip{suffix}", codec, frames=60, times=SHOWN, fps=30
    )
    positions, problem = positions_of(clip)
    assert problem == "" and len(positions) == 60
    assert len(frames_to_show(clip, 12)) >= 11
    middle = np.abs(SHOWN - SHOWN[0] - (SHOWN[-1] - SHOWN[0]) / 2).argmin()
    frames = [rgb(frame) for frame in read_all(clip)]
    shown = middle_frame(clip)
    assert any(
        np.array_equal(shown, frame) for frame in frames[middle - 10 : middle + 10]
    )


@pytest.mark.parametrize("codec", ["MJPG", "mp4v"])
def test_a_clip_cut_off_says_where(tmp_path, codec):
    clip = cut(
        write_clip(tmp_path / "clip.avi", 100, size=(320, 240), codec=codec), 0.6
    )
    left = len(read_all(clip))
    assert 10 < left < 90
    positions, problem = positions_of(clip)
    assert positions == list(range(left))
    assert problem == f"breaks off after {left} of 100 frames"


@pytest.mark.parametrize(
    ("frames", "claimed", "told"),
    [
        (10, 12, False),  # two are allowed
        (10, 13, True),
        (50, 52, False),
        (50, 53, True),
        (200, 210, False),  # or five in a hundred
        (200, 211, True),
    ],
)
def test_a_header_may_count_a_few_too_many(tmp_path, frames, claimed, told):
    clip = write_clip(tmp_path / "clip.avi", frames=frames, size=(16, 16))
    content, count = bytearray(clip.read_bytes()), frames.to_bytes(4, "little")
    for header, offset in ((b"avih", 24), (b"strh", 40)):
        place = content.index(header) + offset
        assert content[place : place + 4] == count
        content[place : place + 4] = claimed.to_bytes(4, "little")
    clip.write_bytes(content)
    assert probe(clip)["frames"] == claimed
    problem = f"breaks off after {frames} of {claimed} frames" if told else ""
    assert positions_of(clip) == (list(range(frames)), problem)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("one_frame.avi", {"frames": 1}),
        ("tiny.avi", {"frames": 30, "size": (8, 8)}),
        ("tiny.mp4", {"frames": 30, "size": (8, 8)}),
        ("4k.avi", {"frames": 3, "size": (3840, 2160)}),
        ("portrait.mp4", {"frames": 10, "size": (48, 80)}),
        ("grey.avi", {"frames": 10, "colour": False}),
        ("slow.avi", {"frames": 10, "fps": 5}),
    ],
)
def test_probe_tells_what_was_written(tmp_path, name, settings):
    width, height = settings.get("size", (64, 48))
    assert probe(write_clip(tmp_path / name, **settings)) == {
        "frames": settings["frames"],
        "fps": settings.get("fps", 25),
        "width": width,
        "height": height,
    }


# What can't be read


def test_the_reason_why_a_clip_cannot_be_read(tmp_path):
    (tmp_path / "empty.avi").write_bytes(b"")
    (tmp_path / "page.avi").write_text("<html>404 Not Found</html>\n" * 100)
    cut(write_clip(tmp_path / "no_moov.mp4"), 0.5)
    cut_before_frames(write_clip(tmp_path / "no_frames.avi"))
    (tmp_path / "folder.avi").mkdir()
    (tmp_path / "dangling.avi").symlink_to(tmp_path / "never_was.avi")
    write_av1(tmp_path / "av1.mp4")
    unknown = write_clip(tmp_path / "unknown.avi")
    unknown.write_bytes(unknown.read_bytes().replace(b"MJPG", b"XYZ1"))
    for name, reason in {
        "empty.avi": "the file is empty",
        "page.avi": "not a video that OpenCV can open",
        "no_moov.mp4": "not a video that OpenCV can open",
        "no_frames.avi": "no frame can be decoded (codec MJPG)",
        "folder.avi": "not a file",
        "dangling.avi": "the file is missing",
        "av1.mp4": "no frame can be decoded (codec AV01)",
        "unknown.avi": "not a video that OpenCV can open (codec XYZ1)",
    }.items():
        assert result_or_problem(probe, tmp_path / name) == (None, reason), name
        assert result_or_problem(middle_frame, tmp_path / name) == (None, reason), name
        assert result_or_problem(frames_to_show, tmp_path / name, 5) == (
            None,
            reason,
        ), name


# Frames to show


def test_frames_to_show_are_spread_from_first_to_last_in_rgb(tmp_path):
    clip = write_clip(tmp_path / "clip.avi", frames=21)
    everything = [rgb(frame) for frame in read_all(clip)]
    shown = frames_to_show(clip, 5)
    assert np.array_equal(shown, [everything[index] for index in (0, 5, 10, 15, 20)])
    assert not np.array_equal(
        shown, [frame[..., ::-1] for frame in shown]
    )  # colour order shows


def test_frames_to_show_are_scaled_down_but_not_up(tmp_path):
    wide = write_clip(tmp_path / "wide.avi", frames=2, size=(640, 360))
    assert [frame.shape for frame in frames_to_show(wide, 2)] == [(180, 320, 3)] * 2
    assert frames_to_show(wide, 2, width=100)[0].shape == (56, 100, 3)
    assert middle_frame(wide, width=100).shape == (56, 100, 3)
    small = write_clip(tmp_path / "small.avi", frames=2, size=(64, 48))
    assert frames_to_show(small, 2)[0].shape == (48, 64, 3)


def test_of_a_long_clip_only_the_first_minute_is_read(tmp_path):
    """The frames behind the first 1,500 are another colour, which no frame shown
    has.
    """
    clip = write_clip(tmp_path / "clip.avi", frames=1700, size=(16, 16))
    early = [rgb(frame) for frame in read_all(clip)[:1500]]
    shown = frames_to_show(clip, 4)
    assert np.array_equal(shown, [early[index] for index in (0, 500, 999, 1499)])
    assert np.array_equal(middle_frame(clip), early[750])


@pytest.mark.parametrize(
    ("frames", "middle"), [(1, 0), (2, 1), (3, 1), (50, 25), (51, 25)]
)
def test_the_middle_frame(tmp_path, frames, middle):
    clip = write_clip(tmp_path / "clip.avi", frames=frames)
    assert np.array_equal(middle_frame(clip), rgb(read_all(clip)[middle]))
