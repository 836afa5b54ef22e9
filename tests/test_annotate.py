"""toolbox.clips.write: a copy of a video with captions, as a player reads it."""

import errno

from toolbox.clips.read import Video
from toolbox.clips.write import annotate, caption_tile
from toolbox.page.progress import progress

import av
import cv2
import numpy as np
import pytest
from clips import cut, disk_of, read_all, rotate, slowing, write_clip, write_with_pyav


def played(path):
    """The stream as a player reads it, its frames in RGB, and their times."""
    with av.open(str(path)) as container:
        (stream,) = container.streams
        frames = list(container.decode(stream))
        pictures = [frame.to_ndarray(format="rgb24") for frame in frames]
        return stream, pictures, [frame.time for frame in frames]


def difference(one, other):
    return np.abs(one.astype(float) - other).mean()


def captions(pictures, *texts):
    """The text whose tile is most like the strip, for each picture."""
    tiles = [caption_tile(text, pictures[0].shape[1])[..., None] for text in texts]
    strips = [picture[-len(tiles[0]) :] for picture in pictures]
    return [texts[np.argmin([difference(s, t) for t in tiles])] for s in strips]


def originals_of(pictures, source):
    """Which frames of the source are shown above the strips."""
    frames, numbers = read_all(source), []
    height, width = frames[0].shape[:2]
    for picture in pictures:
        shown = picture[: round(picture.shape[1] * height / width), :, ::-1]
        shown = cv2.resize(shown, (width, height), interpolation=cv2.INTER_AREA)
        distances = [difference(shown, frame) for frame in frames]
        numbers.append(np.argmin(distances))
        assert min(distances) < 8
    return numbers


@pytest.mark.parametrize("text", ["W" * 2, "W" * 40, "W" * 100, "走る", "one\ntwo"])
def test_a_caption_of_any_text_is_white_on_dark_and_fits(text):
    tile = caption_tile(text, 320)
    assert (tile.shape, tile.dtype) == ((32, 320), np.uint8)
    assert tile.max() > 150 and tile.min() == 24
    columns = np.flatnonzero((tile > 60).any(axis=0))
    assert columns[0] >= 4 and columns[-1] < 320 - 4


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((1280, 720), (1280, 720 + 128)),
        ((720, 1440), (640, 1280 + 64)),
        ((321, 241), (320, 240 + 32)),  # 321 / 2 is 160.5: halves go to the even number
        ((64, 128), (320, 640 + 32)),
    ],
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
    assert bar.n == 50 and list(copy.parent.iterdir()) == [copy]
    stream, pictures, times = played(copy)
    codec = stream.codec_context
    assert (codec.name, codec.format.name) == ("h264", "yuv420p")
    expected = np.concatenate([np.arange(20) / 25, 0.8 + 3 * np.arange(30) / 25])
    assert times == pytest.approx(expected, abs=0.003)
    seconds = float(stream.duration * stream.time_base)
    assert seconds == pytest.approx(4.28 + 4.4 / 50, abs=0.003)  # the last: the mean
    assert captions(pictures, "Walk 93 %", "none") == ["Walk 93 %"] * 30 + ["none"] * 20
    assert originals_of(pictures, source) == list(range(50))
    content = copy.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")  # it plays as it arrives


def test_frames_a_millisecond_apart_keep_their_order(tmp_path):
    shown = np.concatenate([[0, 0.001, 0.002], np.arange(1, 20) / 10])
    source = write_with_pyav(tmp_path / "clip.mkv", fps=10, frames=22, times=shown)
    annotate(source, tmp_path / "copy.mp4", str)
    assert played(tmp_path / "copy.mp4")[2] == pytest.approx(shown, abs=0.001)


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


def test_names_that_mean_something_to_ffmpeg(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = write_clip(tmp_path / "my cat 100% %03d.avi", 5)
    annotate(source.name, "my:dog 100% %03d.mp4", str)
    assert len(read_all(tmp_path / "my:dog 100% %03d.mp4")) == 5


def test_a_frame_that_cannot_be_decoded_is_the_one_before(tmp_path, monkeypatch):
    source = write_clip(tmp_path / "clip.avi", 20, 25, (320, 240))
    retrieve = Video.retrieve

    def failing(video):
        if video.grabbed in (8, 9):
            raise ValueError("frame 7 can't be decoded")
        return retrieve(video)

    monkeypatch.setattr(Video, "retrieve", failing)
    annotate(source, tmp_path / "copy.mp4", lambda time: f"at {25 * time:.0f}")
    _, pictures, times = played(tmp_path / "copy.mp4")
    assert times == pytest.approx(np.arange(20) / 25, abs=0.001)
    assert originals_of(pictures, source) == [*range(7), 6, 6, *range(9, 20)]
    texts = [f"at {number}" for number in range(20)]
    assert captions(pictures, *texts) == texts


def test_a_video_that_breaks_off_is_copied_so_far(tmp_path):
    source = cut(write_clip(tmp_path / "clip.avi", 50), 0.5)
    annotate(source, tmp_path / "copy.mp4", str)
    assert 0 < len(read_all(tmp_path / "copy.mp4")) == len(read_all(source)) < 30


def test_what_fails_leaves_the_copy_of_yesterday(tmp_path):
    (tmp_path / "disk").mkdir()
    source, target = tmp_path / "clip.avi", tmp_path / "disk" / "copy.mp4"
    with disk_of("8k", target.parent):
        target.write_bytes(b"the copy of yesterday")
        with pytest.raises(ValueError, match="missing"):
            annotate(source, target, str)
        write_clip(source, 50, 25, (320, 240))
        with pytest.raises(OSError, match="No space left") as caught:
            annotate(source, target, str)
        assert caught.value.errno == errno.ENOSPC
        assert list(target.parent.iterdir()) == [target]
        assert target.read_bytes() == b"the copy of yesterday"
