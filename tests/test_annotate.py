"""toolbox.clips.write: a copy of a video with captions, as a player reads it."""

import errno

from toolbox.clips.write import annotate, caption_tile
from toolbox.page.progress import progress

import av
import cv2
import numpy as np
import pytest
from clips import disk_of, read_all, rotate, slowing, write_clip, write_with_pyav


def played(path):
    """The stream as a player reads it, its frames in RGB, and their times."""
    with av.open(str(path)) as container:
        (stream,) = container.streams
        frames = list(container.decode(stream))
        pictures = [frame.to_ndarray(format="rgb24") for frame in frames]
        return stream, pictures, [frame.time for frame in frames]


def captions(pictures, *texts):
    """The text whose tile is most like the strip, for each picture."""
    tiles = [caption_tile(text, pictures[0].shape[1])[..., None] for text in texts]
    tiles = np.stack(tiles).astype(float)
    strips = [picture[-tiles.shape[1] :] for picture in pictures]
    return [texts[np.abs(tiles - s).mean(axis=(1, 2, 3)).argmin()] for s in strips]


def originals_of(pictures, source):
    """Which frames of the source are shown above the strips."""
    frames = np.stack(read_all(source)).astype(float)
    size = frames.shape[2:0:-1]
    shown = (p[: round(p.shape[1] * size[1] / size[0]), :, ::-1] for p in pictures)
    shown = [cv2.resize(one, size, interpolation=cv2.INTER_AREA) for one in shown]
    distances = [np.abs(frames - one).mean(axis=(1, 2, 3)) for one in shown]
    assert np.min(distances, axis=1).max() < 8
    return np.argmin(distances, axis=1).tolist()


@pytest.mark.parametrize("text", ["WW", "W" * 100, "走る"])
def test_a_caption_of_any_text_is_white_on_dark_and_fits(text):
    tile = caption_tile(text, 320)
    assert (tile.shape, tile.dtype) == ((32, 320), np.uint8)
    assert tile.max() > 150 and tile.min() == 24
    columns = np.flatnonzero((tile > 60).any(axis=0))
    assert columns[0] >= 4 and columns[-1] < 320 - 4


@pytest.mark.parametrize(
    ("size", "expected"),
    # 321 / 2 is 160.5: halves go to the even number
    [((720, 1440), (640, 1344)), ((321, 241), (320, 272)), ((64, 128), (320, 672))],
)
def test_sizes_by_hand(tmp_path, size, expected):
    annotate(write_clip(tmp_path / "a.avi", 1, size=size), tmp_path / "b.mp4", str)
    assert read_all(tmp_path / "b.mp4")[0].shape[1::-1] == expected


def test_a_copy_plays_in_a_browser_at_its_pace(tmp_path):
    """20 frames of 1/25 s, then 30 of 3/25 s: the second at 2 s is frame 30."""
    source = slowing(tmp_path / "clip.mp4", frames=50, after=20)
    copy = tmp_path / "out" / "copy.mp4"
    with progress() as bar:
        annotate(source, copy, lambda time: "Walk 93 %" if time < 2 else "none", bar)
    assert bar.n == 4  # whole seconds
    stream, pictures, times = played(copy)
    codec = stream.codec_context
    assert (codec.name, codec.format.name) == ("h264", "yuv420p")
    expected = np.concatenate([np.arange(20) / 25, 0.8 + 3 * np.arange(30) / 25])
    assert times == pytest.approx(expected, abs=0.003)
    seconds = float(stream.duration * stream.time_base)
    assert seconds == pytest.approx(4.28 + 0.04, abs=0.003)
    assert captions(pictures, "Walk 93 %", "none") == ["Walk 93 %"] * 30 + ["none"] * 20
    assert originals_of(pictures, source) == list(range(50))
    content = copy.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")  # it plays as it arrives


def test_a_rotated_video_is_upright(tmp_path):
    clip = write_with_pyav(tmp_path / "clip.mov", size=(640, 360), frames=10)
    source = rotate(clip, 90)
    annotate(source, tmp_path / "copy.mp4", str)
    pictures = played(tmp_path / "copy.mp4")[1]
    assert pictures[0].shape == (640 + 36, 360, 3)
    assert originals_of(pictures, source) == list(range(10))


def test_colours_are_kept(tmp_path):
    """As a player converts them by what the file says of its colours."""
    red = np.full((240, 320, 3), (40, 40, 200), np.uint8)
    source = write_with_pyav(tmp_path / "clip.mkv", size=(320, 240), frames=[red] * 5)
    annotate(source, tmp_path / "copy.mp4", str)
    with av.open(str(tmp_path / "copy.mp4")) as container:
        frame = next(container.decode(video=0))
    assert frame.colorspace == av.video.reformatter.Colorspace.ITU601
    assert frame.color_range == av.video.reformatter.ColorRange.MPEG
    middle = frame.to_ndarray(format="rgb24")[120, 160]
    assert middle == pytest.approx([200, 40, 40], abs=6)


def test_what_fails_leaves_the_copy_of_yesterday(tmp_path):
    (tmp_path / "disk").mkdir()
    source, target = tmp_path / "clip.avi", tmp_path / "disk" / "copy.mp4"
    with disk_of("8k", target.parent):
        target.write_bytes(b"the copy of yesterday")
        write_clip(source, 50, 25, (320, 240))
        with pytest.raises(OSError, match="No space left") as caught:
            annotate(source, target, str)
        assert caught.value.errno == errno.ENOSPC
        assert list(target.parent.iterdir()) == [target]
        assert target.read_bytes() == b"the copy of yesterday"


def test_the_last_picture_stands_in_the_copy_as_long_as_in_the_source(tmp_path):
    source = write_with_pyav(tmp_path / "song.mp4", frames=3, times=[0, 1, 2], sound=6)
    annotate(source, tmp_path / "copy.mp4", str)
    stream, _, times = played(tmp_path / "copy.mp4")
    assert times == pytest.approx([0, 1, 2], abs=0.003)
    assert float(stream.duration * stream.time_base) == pytest.approx(6, abs=0.1)
