"""toolbox.clips.write: a copy of a video with captions, as a player and OpenCV read
it.
"""

import errno
import struct

from toolbox.clips.read import Video
from toolbox.clips.write import annotate, caption_tile, picture_size
from toolbox.page.progress import progress

import av
import cv2
import numpy as np
import pytest
from clips import cut, disk_of, read_all, rotate, slow_down, write_clip, write_with_pyav


def played(path):
    """What a player reads: the stream's facts, its frames in RGB, and their times in
    seconds.
    """
    with av.open(str(path)) as container:
        (stream,) = container.streams
        frames = list(container.decode(stream))
        facts = {
            "codec": stream.codec_context.name,
            "format": stream.pix_fmt,
            "size": (stream.width, stream.height),
            "seconds": float(stream.duration * stream.time_base),
        }
        pictures = [frame.to_ndarray(format="rgb24") for frame in frames]
        return facts, pictures, [frame.time for frame in frames]


def boxes(path):
    """The names of the boxes of an MP4 file, in order."""
    content, place, names = path.read_bytes(), 0, []
    while place < len(content):
        size, name = struct.unpack_from(">I4s", content, place)
        names.append(name.decode())
        place += size
    return names


def difference(one, other):
    return np.abs(one.astype(float) - other).mean()


def caption_of(frame, texts):
    """The text among `texts` whose tile is most like the strip of a frame."""
    tiles = [caption_tile(text, frame.shape[1]) for text in texts]
    strip = frame[-len(tiles[0]) :]
    return texts[np.argmin([difference(strip, tile) for tile in tiles])]


def assert_pictures_are(pictures, source):
    """The part above the strip is the source's frame, scaled, and no other frame of
    it.
    """
    originals = read_all(source)
    assert len(pictures) == len(originals)
    for index, picture in enumerate(pictures):
        strip = caption_tile("", picture.shape[1]).shape[0]
        height, width = originals[index].shape[:2]
        shrunk = cv2.resize(
            picture[:-strip, :, ::-1], (width, height), interpolation=cv2.INTER_AREA
        )
        distances = [difference(shrunk, original) for original in originals]
        assert np.argmin(distances) == index
        assert distances[index] < 8


# Captions


@pytest.mark.parametrize(("width", "height"), [(320, 32), (854, 86), (2, 2)])
def test_a_strip_is_a_tenth_as_high_as_wide(width, height):
    tile = caption_tile("Walk 93 %", width)
    assert tile.shape == (height, width, 3)
    assert tile.dtype == np.uint8


def test_the_text_is_white_on_dark():
    assert set(np.unique(caption_tile("", 320))) == {24}
    tile = caption_tile("Walk 93 %", 320)
    assert tile.max() > 240
    assert np.median(tile) == 24
    assert difference(tile, caption_tile("Walk 92 %", 320)) > 0


@pytest.mark.parametrize("length", [2, 20, 40, 100])
def test_long_text_is_set_smaller_until_it_fits(length):
    columns = np.flatnonzero((caption_tile("W" * length, 320) > 60).any(axis=(0, 2)))
    assert columns[0] >= 4 and columns[-1] < 320 - 4


@pytest.mark.parametrize("text", ["走る", "مشي 93 %", "🎬", "one\ntwo"])
def test_any_name_of_a_class_can_be_written(text):
    assert caption_tile(text, 320).max() > 200


# Sizes


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((1280, 720), (1280, 720)),
        ((2160, 3840), (720, 1280)),
        ((321, 241), (320, 240)),  # 321 / 2 is 160.5, and halves go to the even number
        ((64, 128), (320, 640)),
        ((3000, 2), (1280, 2)),
    ],
)
def test_sizes_by_hand(size, expected):
    assert picture_size(*size) == expected


# Videos


def two_captions(change):
    return lambda seconds: "Walk 93 %" if seconds < change else "none of these"


def test_a_copy_plays_in_a_browser(tmp_path):
    source = write_clip(tmp_path / "clip.avi", 50, 25, (320, 240))
    annotate(source, tmp_path / "out" / "annotated.mp4", two_captions(1))
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["annotated.mp4"]
    copy = tmp_path / "out" / "annotated.mp4"
    facts, frames, times = played(copy)
    assert facts == {
        "codec": "h264",
        "format": "yuv420p",
        "size": (320, 272),
        "seconds": 2,
    }
    assert times == pytest.approx(np.arange(50) / 25, abs=0.001)
    assert boxes(copy).index("moov") < boxes(copy).index("mdat")
    assert_pictures_are(frames, source)


def test_a_variable_frame_rate_plays_at_its_pace(tmp_path):
    """20 frames of 1/25 s, then 30 of 3/25 s: the second at 2 s is frame 30."""
    source = slow_down(write_clip(tmp_path / "clip.mp4", 50, 25), 20, 3)
    annotate(source, tmp_path / "copy.mp4", two_captions(2))
    facts, frames, times = played(tmp_path / "copy.mp4")
    expected = np.concatenate([np.arange(20) / 25, 0.8 + 3 * np.arange(30) / 25])
    assert times == pytest.approx(expected, abs=0.003)
    assert facts["seconds"] == pytest.approx(
        4.28 + 4.4 / 50, abs=0.003
    )  # the last, as the mean
    captions = [caption_of(frame, ["Walk 93 %", "none of these"]) for frame in frames]
    assert captions == ["Walk 93 %"] * 30 + ["none of these"] * 20
    assert_pictures_are(frames, source)


def test_frames_a_millisecond_apart_keep_their_order(tmp_path):
    shown = np.concatenate([[0, 0.001, 0.002], np.arange(1, 20) / 10])
    source = write_with_pyav(tmp_path / "clip.mkv", fps=10, frames=22, times=shown)
    annotate(source, tmp_path / "copy.mp4", str)
    assert played(tmp_path / "copy.mp4")[2] == pytest.approx(shown, abs=0.001)


def test_a_rotated_video_is_upright(tmp_path):
    source = rotate(
        write_with_pyav(tmp_path / "clip.mov", size=(640, 360), frames=10), 90
    )
    annotate(source, tmp_path / "copy.mp4", two_captions(9))
    facts, frames, _ = played(tmp_path / "copy.mp4")
    assert facts["size"] == (360, 640 + 36)
    assert_pictures_are(frames, source)
    assert {caption_of(frame, ["Walk 93 %", "none of these"]) for frame in frames} == {
        "Walk 93 %"
    }


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
    assert len(list(tmp_path.iterdir())) == 2


def test_the_bar_counts_the_frames(tmp_path):
    with progress() as bar:
        annotate(write_clip(tmp_path / "clip.avi", 12), tmp_path / "copy.mp4", str, bar)
    assert bar.n == 12


# What goes wrong


def test_a_frame_that_cannot_be_decoded_is_the_one_before(tmp_path, monkeypatch):
    source = write_clip(tmp_path / "clip.avi", 20, 25, (320, 240))
    retrieve = Video.retrieve

    def failing(video):
        if video.grabbed in (8, 9):
            raise ValueError("frame 7 can't be decoded")
        return retrieve(video)

    monkeypatch.setattr(Video, "retrieve", failing)
    annotate(source, tmp_path / "copy.mp4", two_captions(0.3))
    _, frames, times = played(tmp_path / "copy.mp4")
    assert times == pytest.approx(np.arange(20) / 25, abs=0.001)
    shown = [frame[:240, :, ::-1] for frame in frames]
    originals = read_all(source)
    nearest = [
        np.argmin([difference(one, other) for other in originals]) for one in shown
    ]
    assert nearest == [0, 1, 2, 3, 4, 5, 6, 6, 6, *range(9, 20)]
    captions = [caption_of(frame, ["Walk 93 %", "none of these"]) for frame in frames]
    assert (
        captions == ["Walk 93 %"] * 8 + ["none of these"] * 12
    )  # frame 8 is shown at 0.32 s


def test_a_video_that_breaks_off_is_copied_so_far(tmp_path):
    source = cut(write_clip(tmp_path / "clip.avi", 50), 0.5)
    annotate(source, tmp_path / "copy.mp4", str)
    assert 0 < len(read_all(tmp_path / "copy.mp4")) == len(read_all(source)) < 30


@pytest.mark.parametrize("content", [None, b"", b"no video" * 100])
def test_a_source_that_cannot_be_read(tmp_path, content):
    source, target = tmp_path / "clip.mp4", tmp_path / "copy.mp4"
    target.write_bytes(b"the copy of yesterday")
    if content is not None:
        source.write_bytes(content)
    with pytest.raises(ValueError, match=r"missing|empty|not a video"):
        annotate(source, target, str)
    assert target.read_bytes() == b"the copy of yesterday"


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path):
    source = write_clip(tmp_path / "clip.avi", 50, 25, (320, 240))
    (tmp_path / "disk").mkdir()
    with disk_of("8k", tmp_path / "disk"):
        with pytest.raises(OSError, match="No space left") as caught:
            annotate(source, tmp_path / "disk" / "copy.mp4", str)
        assert caught.value.errno == errno.ENOSPC
        assert not list((tmp_path / "disk").iterdir())
