"""The frames of a video by the clock, and the features of many clips."""

import inspect
import weakref

from toolbox.clips.read import batches, frames_shown, open_video, strip_of
from toolbox.clips.write import join_clips
from toolbox.models.clip_features import features_of_clips, look_at
from toolbox.page.progress import progress

import numpy as np
import pandas as pd
import pytest
from clips import cut, write_clip, write_with_pyav


def numbered(count, size=(64, 64)):
    """Yield frames that say their number (below 256) in black and white: a band for
    each bit.
    """
    width, height = size
    for number in range(count):
        bits = [255 * (number >> place & 1) for place in range(8)]
        column = np.repeat(np.array(bits, np.uint8), height // 8)
        yield np.broadcast_to(column[:, None, None], (height, width, 3)).copy()


def number_of(frame):
    """The number that a frame of `numbered` says."""
    bands = frame.reshape(8, -1).mean(axis=1) > 127
    return int(bands @ 2 ** np.arange(8))


def numbers_shown(path, per_second=4, problems=None):
    return [number_of(frame) for frame in frames_shown(path, per_second, problems)]


# Frames by the clock


@pytest.mark.parametrize(
    ("fps", "count", "expected"),
    [
        (25, 50, [0, 6, 12, 18, 25, 31, 37, 43]),  # 1/4 s is 6.25 frames
        (10, 20, [0, 2, 5, 7, 10, 12, 15, 17]),
        (60, 90, [0, 15, 30, 45, 60, 75]),
        (3, 6, [0, 0, 1, 2, 3, 3, 4, 5]),  # each is shown for 1/3 s
        (2, 3, [0, 0, 1, 1, 2, 2]),
        (1, 2, [0, 0, 0, 0, 1, 1, 1, 1]),
        (25, 1, [0]),
    ],
)
@pytest.mark.parametrize(
    "kind", [".mp4", ".mkv"]
)  # times in fractions, in milliseconds
def test_each_frame_is_what_is_shown_at_its_time(tmp_path, fps, count, expected, kind):
    clip = write_with_pyav(
        tmp_path / f"clip{kind}", fps=fps, frames=numbered(count), size=(64, 64)
    )
    assert numbers_shown(clip) == expected


@pytest.mark.parametrize("kind", [".mp4", ".mkv"])
def test_a_picture_that_stands_still_is_shown_as_long_as_it_stands(tmp_path, kind):
    """Frame 3 comes at 0.3 s, not at a quarter, and stands for 1.2 s."""
    times = [0, 0.1, 0.2, 0.3, 1.5, 1.6, 1.7, 1.8]
    frames = numbered(len(times))
    clip = write_with_pyav(
        tmp_path / f"clip{kind}", frames=frames, size=(64, 64), times=times
    )
    assert numbers_shown(clip)[:8] == [0, 2, 3, 3, 3, 3, 4, 6]


def test_memory_holds_one_frame(tmp_path):
    clip = write_with_pyav(tmp_path / "clip.mp4", frames=numbered(100), size=(64, 64))
    frames = frames_shown(clip, 4)
    assert inspect.isgenerator(frames)
    seen = []
    for frame in frames:
        assert frame.shape == (64, 64, 3) and frame.dtype == np.uint8
        seen.append(weakref.ref(frame))
        assert sum(ref() is not None for ref in seen) == 1
    assert len(seen) == 16


def test_what_was_odd_is_told(tmp_path):
    clip = cut(write_clip(tmp_path / "clip.avi", frames=100), 0.5)
    with open_video(clip) as video:
        while video.grab():
            pass
    problems = []
    assert len(numbers := list(frames_shown(clip, 5, problems))) == -(
        -video.grabbed // 5
    )
    assert numbers and problems == [f"breaks off after {video.grabbed} of 100 frames"]
    assert (
        list(frames_shown(write_clip(tmp_path / "whole.avi"), 5, problems))
        and len(problems) == 1
    )


def test_batches_keep_the_order_and_the_rest():
    assert list(batches(range(7), 3)) == [[0, 1, 2], [3, 4, 5], [6]]
    assert list(batches(range(4), 2)) == [[0, 1], [2, 3]]
    assert list(batches([], 3)) == []


# Look at a video


class MeanColour:
    """A network for tests: the mean colours (n, 3) of pictures; remembers how many
    it got.
    """

    def __init__(self):
        self.sizes = []

    def __call__(self, pictures):
        self.sizes.append(len(pictures))
        return pictures.mean(axis=(1, 2)).astype("float32")


def left_half(frame):
    return frame[:, : frame.shape[1] // 2]


def test_a_video_is_looked_at_in_batches_and_the_bar_tells_seconds(tmp_path):
    """Nine seconds, four frames each: 36 frames in batches of at most 16."""
    clip, network = write_clip(tmp_path / "clip.mp4", frames=90, fps=10), MeanColour()
    bar = progress(total=9)
    features = look_at(clip, left_half, network, 4, bar=bar)
    expected = [left_half(frame).mean(axis=(0, 1)) for frame in frames_shown(clip, 4)]
    assert np.allclose(features, expected, atol=1e-3) and features.dtype == np.float32
    assert sum(network.sizes) == 36 and max(network.sizes) <= 16
    assert bar.n == 9
    bar.close()


# Strips and films


def test_a_strip_shows_the_middles_of_equal_parts(tmp_path):
    """Of ten seconds in five parts: seconds 1, 3, 5, 7 and 9."""
    clip = write_with_pyav(
        tmp_path / "clip.mp4", frames=numbered(100), fps=10, size=(64, 64)
    )
    strip = strip_of(clip, 10, count=5, width=32)
    assert [frame.shape for frame in strip] == [(32, 32, 3)] * 5
    assert [number_of(frame) for frame in strip] == [10, 30, 50, 70, 90]


def test_joined_clips_are_one_film_with_its_cuts(tmp_path):
    """Three seconds at 10 frames a second, then one at 50, of another size: at 25 a
    second. What the film shows at half a second is its frame of 0.48 s.
    """
    first = write_with_pyav(
        tmp_path / "a.mp4", frames=numbered(30), fps=10, size=(64, 64)
    )
    second = write_with_pyav(
        tmp_path / "b.mp4", frames=numbered(50), fps=50, size=(96, 96)
    )
    cuts = join_clips([first, second], tmp_path / "film" / "both.avi")
    assert cuts == [0, 3, 4]
    shown = numbers_shown(tmp_path / "film" / "both.avi", per_second=2)
    assert shown == [0, 4, 10, 14, 20, 24, 0, 24]
    assert [path.name for path in (tmp_path / "film").iterdir()] == ["both.avi"]


def test_a_film_of_a_clip_that_cannot_be_read_is_not_there(tmp_path):
    clips = [write_clip(tmp_path / "a.mp4"), tmp_path / "missing.mp4"]
    with pytest.raises(ValueError, match="the file is missing"):
        join_clips(clips, tmp_path / "film" / "both.avi")
    assert not list((tmp_path / "film").iterdir())


# The features of many clips


class Shades:
    """A network for tests: the mean colour of each frame; remembers which files it
    has met.
    """

    def __init__(self):
        self.met = []

    def __call__(self, path, problems):
        self.met.append(path.name)
        return np.stack(
            [frame.mean(axis=(0, 1)) / 256 for frame in frames_shown(path, 4, problems)]
        )


@pytest.fixture
def videos(tmp_path):
    """A table of three clips, of 1, 2 and 3 seconds, in tmp_path / "videos"."""
    for look in range(3):
        write_clip(
            tmp_path / "videos" / "Run" / f"{look}.avi",
            frames=25 * (look + 1),
            look=look,
        )
    return pd.DataFrame(
        {"clip": ["a", "b", "c"], "video": [f"Run/{look}.avi" for look in range(3)]}
    )


def features_in(tmp_path, videos, of="colours", folder="pooled"):
    """What features_of_clips returns, and the files that were looked at."""
    look_at = Shades()
    where = tmp_path / "videos", tmp_path / "data" / folder
    return *features_of_clips(look_at, videos, *where, of), look_at.met


def same(features, others):
    return features.keys() == others.keys() and all(
        np.array_equal(features[clip], others[clip]) for clip in features
    )


def test_each_clip_has_its_features(tmp_path, videos):
    features, problems, met = features_in(tmp_path, videos)
    assert {clip: rows.shape for clip, rows in features.items()} == {
        "a": (4, 3),
        "b": (8, 3),
        "c": (12, 3),
    }
    assert problems == {} and met == ["0.avi", "1.avi", "2.avi"]
    assert all(rows.dtype == np.float32 for rows in features.values())
    expected = Shades()(tmp_path / "videos" / "Run" / "1.avi", [])
    assert np.allclose(features["b"], expected, rtol=1e-3)


def test_in_threads_they_are_the_same_in_the_same_order(tmp_path, videos):
    (tmp_path / "videos" / "Run" / "0.avi").write_bytes(b"no video")
    one_by_one = features_in(tmp_path, videos)
    where = tmp_path / "videos", tmp_path / "data" / "in threads"
    features, problems = features_of_clips(
        Shades(), videos, *where, "colours", threads=3
    )
    assert list(features) == ["b", "c"] and same(features, one_by_one[0])
    assert problems == one_by_one[1]


def test_a_clip_that_was_looked_at_is_not_looked_at_again(tmp_path, videos):
    features, _, _ = features_in(tmp_path, videos[:2])
    again, problems, met = features_in(tmp_path, videos)
    assert met == ["2.avi"] and problems == {}
    assert same(features, {clip: again[clip] for clip in "ab"})
    assert features_in(tmp_path, videos)[2] == []


def test_what_an_older_version_kept_is_made_anew_and_said_so_once(
    tmp_path, videos, capsys
):
    folder = tmp_path / "data" / "pooled"
    folder.mkdir(parents=True)
    for clip in "ab":
        np.savez(folder / f"{clip}.npz", features=np.zeros((4, 3)))
    features, _, met = features_in(tmp_path, videos)
    assert len(met) == 3 and features["a"].any()
    assert capsys.readouterr().out.count("older version") == 1
    assert not list(folder.glob("*.npz"))


def test_what_changed_is_looked_at_again(tmp_path, videos):
    before, _, _ = features_in(tmp_path, videos)
    write_clip(tmp_path / "videos" / "Run" / "1.avi", frames=40, look=7)
    after, _, met = features_in(tmp_path, videos)
    assert met == ["1.avi"] and len(after["b"]) == 7
    assert np.array_equal(before["a"], after["a"])
    assert features_in(tmp_path, videos, "other colours")[2] == [
        "0.avi",
        "1.avi",
        "2.avi",
    ]


def test_a_broken_clip_is_told_and_the_others_are_there(tmp_path, videos):
    (tmp_path / "videos" / "Run" / "0.avi").write_bytes(b"no video")
    (tmp_path / "videos" / "Run" / "1.avi").unlink()
    for _ in range(2):  # a second run says the same
        features, problems, _ = features_in(tmp_path, videos)
        assert list(features) == ["c"] and list(problems) == ["a", "b"]
        assert "not a video" in problems["a"] and problems["b"] == "the file is missing"


def test_an_odd_clip_is_told_each_time_and_used(tmp_path, videos):
    cut(tmp_path / "videos" / "Run" / "2.avi", 0.5)
    for _ in range(2):  # the second time from what was kept
        features, problems, _ = features_in(tmp_path, videos)
        assert list(features) == ["a", "b", "c"] and list(problems) == ["c"]
        assert problems["c"].startswith("breaks off after")
