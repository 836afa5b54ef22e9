"""The frames of a video by the clock, and the features of many clips."""

import weakref

from toolbox.clips.read import frames_shown, strip_of, to_network_size
from toolbox.clips.write import join_clips
from toolbox.models.clip_features import features_of_clips, look_at
from toolbox.page.bars import progress

import numpy as np
import pandas as pd
import pytest
from clips import cut, read_all, write_clip, write_with_pyav


def numbered(count, size):
    """Yield square frames that say their number (below 256) in a band for each bit."""
    for number in range(count):
        bits = [255 * (number >> place & 1) for place in range(8)]
        column = np.repeat(np.array(bits, np.uint8), size // 8)
        yield np.broadcast_to(column[:, None, None], (size, size, 3)).copy()


def number_of(frame):
    """The number that a frame of `numbered` says."""
    bands = frame.reshape(8, -1).mean(axis=1) > 127
    return int(bands @ 2 ** np.arange(8))


def write_numbered(path, count, size=64, **settings):
    frames = numbered(count, size)
    return write_with_pyav(path, frames=frames, size=(size, size), **settings)


def numbers_shown(path, per_second=4):
    return [number_of(frame) for frame in frames_shown(path, per_second)]


SHOWN = [(25, 50, [0, 6, 12, 18, 25, 31, 37, 43])]  # 1/4 s is 6.25 frames
SHOWN += [(60, 90, [0, 15, 30, 45, 60, 75]), (25, 1, [0])]
SHOWN += [(3, 6, [0, 0, 1, 2, 3, 3, 4, 5]), (1, 2, [0, 0, 0, 0, 1, 1, 1, 1])]


@pytest.mark.parametrize(("fps", "count", "expected"), SHOWN)
# times in fractions, in milliseconds
@pytest.mark.parametrize("kind", [".mp4", ".mkv"])
def test_each_frame_is_what_is_shown_at_its_time(tmp_path, fps, count, expected, kind):
    clip = write_numbered(tmp_path / f"clip{kind}", count, fps=fps)
    assert numbers_shown(clip) == expected


@pytest.mark.parametrize("kind", [".mp4", ".mkv"])
def test_a_picture_that_stands_still_is_shown_as_long_as_it_stands(tmp_path, kind):
    """Frame 3 comes at 0.3 s, not at a quarter, and stands for 1.2 s."""
    times = [0, 0.1, 0.2, 0.3, 1.5, 1.6, 1.7, 1.8]
    clip = write_numbered(tmp_path / f"clip{kind}", len(times), times=times)
    assert numbers_shown(clip)[:8] == [0, 2, 3, 3, 3, 3, 4, 6]


def test_memory_holds_one_frame(tmp_path):
    clip, seen = write_numbered(tmp_path / "clip.mp4", 100), []
    for frame in frames_shown(clip, 4):
        assert frame.shape == (64, 64, 3) and frame.dtype == np.uint8
        seen.append(weakref.ref(frame))
        assert sum(ref() is not None for ref in seen) == 1
    assert len(seen) == 16


def test_what_was_odd_is_told(tmp_path):
    clip, problems = cut(write_clip(tmp_path / "clip.avi", frames=100), 0.5), []
    numbers, left = list(frames_shown(clip, 5, problems)), len(read_all(clip))
    assert len(numbers) == -(-left // 5)
    assert problems == [f"breaks off after {left / 25:.1f} of 4.0 s"]


class MeanColour:
    """A network: the mean colours (n, 3) of pictures; remembers how many it got."""

    size = 224

    def __init__(self):
        self.sizes = []

    def __call__(self, pictures):
        self.sizes.append(len(pictures))
        return pictures.mean(axis=(1, 2)).astype("float32")


def test_a_video_is_looked_at_in_batches_and_the_bar_tells_seconds(tmp_path):
    """Nine seconds, four frames each: 36 frames in batches of at most 16."""
    clip, network = write_clip(tmp_path / "clip.mp4", frames=90, fps=10), MeanColour()
    bar = progress(total=9)
    features = look_at(clip, network, 4, bar=bar)
    seen = map(to_network_size, frames_shown(clip, 4))
    expected = [picture.mean(axis=(0, 1)) for picture in seen]
    assert np.allclose(features, expected, atol=1e-3) and features.dtype == np.float32
    assert sum(network.sizes) == 36 and max(network.sizes) <= 16
    assert bar.n == 9
    bar.close()


def test_a_strip_shows_the_middles_of_equal_parts(tmp_path):
    """Of ten seconds in five parts: seconds 1, 3, 5, 7 and 9."""
    clip = write_numbered(tmp_path / "clip.mp4", 100, fps=10)
    strip = strip_of(clip, 10, count=5, width=32)
    assert [frame.shape for frame in strip] == [(32, 32, 3)] * 5
    assert [number_of(frame) for frame in strip] == [10, 30, 50, 70, 90]


def test_joined_clips_are_one_film_with_its_cuts(tmp_path):
    """Three seconds at 10 frames a second, then one at 50, of another size: at 25 a
    second. What the film shows at half a second is its frame of 0.48 s.
    """
    first = write_numbered(tmp_path / "a.mp4", 30, fps=10)
    second = write_numbered(tmp_path / "b.mp4", 50, size=96, fps=50)
    film = tmp_path / "film" / "both.avi"
    assert join_clips([first, second], film) == [0, 3, 4]
    assert numbers_shown(film, per_second=2) == [0, 4, 10, 14, 20, 24, 0, 24]
    with pytest.raises(ValueError, match="the file is missing"):
        join_clips([first, tmp_path / "missing.mp4"], tmp_path / "film" / "other.avi")
    assert list((tmp_path / "film").iterdir()) == [film]


class Shades:
    """A network: the mean colour of each frame; remembers which files it has met."""

    def __init__(self):
        self.met = []

    def __call__(self, path, problems):
        self.met.append(path.name)
        frames = frames_shown(path, 4, problems)
        return np.stack([frame.mean(axis=(0, 1)) / 256 for frame in frames])


@pytest.fixture
def videos(tmp_path):
    """A table of three clips, of 1, 2 and 3 seconds, in tmp_path / "videos"."""
    names = [f"Run/{look}.avi" for look in range(3)]
    for look, name in enumerate(names):
        write_clip(tmp_path / "videos" / name, frames=25 * (look + 1), look=look)
    return pd.DataFrame({"clip": ["a", "b", "c"], "video": names})


def features_in(tmp_path, videos, of="colours", folder="pooled", threads=None):
    """What features_of_clips returns, and the files that were looked at."""
    look, where = Shades(), (tmp_path / "videos", tmp_path / "data" / folder)
    return *features_of_clips(look, videos, *where, of, threads), look.met


def same(one, other):
    return one.keys() == other.keys() and all((one[k] == other[k]).all() for k in one)


def test_each_clip_has_its_features_and_is_looked_at_once(tmp_path, videos):
    first, _, _ = features_in(tmp_path, videos[:2])
    features, problems, met = features_in(tmp_path, videos)
    assert met == ["2.avi"] and problems == {}
    assert [rows.shape for rows in features.values()] == [(4, 3), (8, 3), (12, 3)]
    assert all(rows.dtype == np.float32 for rows in features.values())
    expected = Shades()(tmp_path / "videos" / "Run" / "1.avi", [])
    assert np.allclose(features["b"], expected, rtol=1e-3)
    assert same(first, {clip: features[clip] for clip in "ab"})
    threads, _, _ = features_in(tmp_path, videos, folder="more", threads=3)
    assert list(threads) == ["a", "b", "c"] and same(threads, features)


def test_what_changed_is_looked_at_again(tmp_path, videos):
    features_in(tmp_path, videos)
    write_clip(tmp_path / "videos" / "Run" / "1.avi", frames=40, look=7)
    after, _, met = features_in(tmp_path, videos)
    assert met == ["1.avi"] and len(after["b"]) == 7
    assert len(features_in(tmp_path, videos, "other colours")[2]) == 3


@pytest.mark.parametrize("threads", [None, 3])
def test_a_broken_or_odd_clip_is_told_each_time(tmp_path, videos, threads):
    folder = tmp_path / "videos" / "Run"
    (folder / "0.avi").write_bytes(b"no video")
    (folder / "1.avi").unlink()
    cut(folder / "2.avi", 0.5)
    for _ in range(2):  # the second time from what was kept
        features, problems, _ = features_in(tmp_path, videos, threads=threads)
        assert list(features) == ["c"] and list(problems) == ["a", "b", "c"]
        assert (
            problems["a"] == "a text, not a video"
            and problems["b"] == "the file is missing"
        )
        assert problems["c"].startswith("breaks off after")
