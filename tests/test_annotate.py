"""toolbox.clips.write: a copy of a video with captions, as a player reads it."""

import errno
from fractions import Fraction

from toolbox.clips.read import open_video
from toolbox.clips.write import annotate, caption_tile
from toolbox.page.bars import progress

import av
import cv2
import numpy as np
import pytest
from av.stream import Disposition
from clips import disk_of, read_all, rotate, slowing, write_clip, write_with_pyav


def played(path):
    """The stream as a player reads it, its frames in RGB, and their times."""
    with av.open(str(path)) as container:
        (stream,) = container.streams.video
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


CLAP = 1.5  # seconds
RATE = 48_000  # samples a second


def write_clap(
    path, codec, video="libx264", shown=0, heard=0, spoilt=(), lost=(), channels=1
):
    """Write three seconds of dark pictures and a murmur: at 1.5 s, the picture turns
    white, and a tone sounds.

    codec, video: of sound and pictures; shown, heard: when they begin, in seconds;
    spoilt, lost: between which two times packets of sound are noise, or are left out.
    """
    with av.open(str(path), "w") as container:
        stream = container.add_stream(video, rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        packets = list(claps(container, codec, heard, channels))
        for index in range(round(25 * shown), 75):
            light = 255 if index >= 25 * CLAP else 30
            picture = np.full((48, 64, 3), light, np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(stream.encode(frame))
            while packets and packets[0].pts * packets[0].time_base <= index / 25:
                packet = packets.pop(0)
                time = packet.pts * packet.time_base
                if spoilt and spoilt[0] <= time < spoilt[1]:
                    packet = noise_like(packet)
                if not lost or not lost[0] <= time < lost[1]:
                    container.mux(packet)
        container.mux(stream.encode())
        container.mux(packets)
    return path


def claps(container, codec, heard=0, channels=1):
    """Yield the packets of a new stream with the sound of `write_clap`."""
    layout = "mono" if channels == 1 else "stereo"
    stream = container.add_stream(codec, rate=RATE, layout=layout)
    times = np.arange(round(heard * RATE), 3 * RATE) / RATE
    loud = np.where((times >= CLAP) & (times < CLAP + 1), 0.5, 0.01)
    tone = (loud * np.sin(2 * np.pi * 440 * times)).astype(np.float32)
    frame = av.AudioFrame.from_ndarray(np.stack([tone] * channels), "fltp", layout)
    frame.sample_rate, frame.time_base = RATE, Fraction(1, RATE)
    frame.pts = round(heard * RATE)
    size = stream.codec_context.frame_size or 1024
    resampler = av.AudioResampler(stream.format, layout, RATE, size)
    for block in [*resampler.resample(frame), *resampler.resample(None), None]:
        yield from stream.encode(block)


def noise_like(packet):
    """Noise in place of a packet."""
    noise = av.Packet(np.random.default_rng(0).bytes(packet.size))
    noise.pts, noise.dts, noise.duration = packet.pts, packet.dts, packet.duration
    noise.time_base, noise.stream = packet.time_base, packet.stream
    return noise


def heard_in(path):
    """The codec of a file's sound, when it begins, and what is heard in its first
    channel from then on, RATE times a second.
    """
    with av.open(str(path)) as container:
        codec = container.streams.audio[0].codec_context.codec.canonical_name
        resampler = av.AudioResampler("fltp", rate=RATE)
        frames = list(container.decode(audio=0))
        samples = [part for one in frames for part in resampler.resample(one)]
        samples = np.concatenate([one.to_ndarray()[0] for one in samples])
        return codec, frames[0].time, samples


def tone_behind_picture(path):
    """How long after the picture turns white the tone sounds, in seconds."""
    _, pictures, times = played(path)
    white = times[np.argmax([picture[10, 10, 1] > 128 for picture in pictures])]
    _, begin, samples = heard_in(path)
    assert times[0] == 0
    return begin + np.argmax(np.abs(samples) > 0.2) / RATE - white


@pytest.mark.parametrize(
    ("name", "codec", "video"),
    [
        ("clip.mp4", "aac", "libx264"),
        ("clip.mkv", "aac", "libx264"),
        ("clip.ts", "aac", "libx264"),
        ("clip.avi", "libmp3lame", "mpeg4"),
        ("clip.webm", "libopus", "libvpx"),
        ("clip.mkv", "flac", "libx264"),
    ],
)
def test_sound_that_browsers_play_stays_as_it_is(tmp_path, name, codec, video):
    """All samples of the source are in the copy, from the first picture on; behind
    them, decoders may give what fills the last packet.
    """
    source = write_clap(tmp_path / name, codec, video)
    assert annotate(source, tmp_path / "copy.mp4", str) == ""
    (codec, begin, samples), copy = heard_in(source), heard_in(tmp_path / "copy.mp4")
    with open_video(source) as opened:
        samples = samples[round(float(opened.first - Fraction(begin)) * RATE) :]
    assert copy[:2] == (codec, 0)
    assert np.array_equal(copy[2][: len(samples)], samples)
    assert len(copy[2]) - len(samples) < 1152


@pytest.mark.parametrize(
    ("name", "codec"), [("clip.mov", "pcm_s16le"), ("clip.mkv", "ac3")]
)
def test_other_sound_becomes_aac(tmp_path, name, codec):
    source, target = write_clap(tmp_path / name, codec), tmp_path / "copy.mp4"
    assert annotate(source, target, str) == ""
    samples, (codec, begin, copy) = heard_in(source)[2], heard_in(target)
    assert (codec, begin) == ("aac", 0)
    assert 0 <= len(copy) - len(samples) < 1024
    assert np.corrcoef(copy[: len(samples)], samples)[0, 1] > 0.99


@pytest.mark.parametrize("codec", ["aac", "libmp3lame", "pcm_s16le"])
@pytest.mark.parametrize(("shown", "heard"), [(0.52, 0), (1.4, 0), (0, 0.7)])
def test_picture_and_sound_keep_step(tmp_path, codec, shown, heard):
    source = write_clap(tmp_path / "clip.mkv", codec, shown=shown, heard=heard)
    with open_video(source) as video:
        assert float(video.late) == pytest.approx(shown, abs=0.002)
    annotate(source, tmp_path / "copy.mp4", str)
    assert abs(tone_behind_picture(tmp_path / "copy.mp4")) < 0.03


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"spoilt": (0.7, 1.1)}, "packets of sound that can't be decoded: 19"),
        ({"lost": (0.7, 1.1)}, ""),
    ],
)
def test_what_is_missing_of_the_sound_becomes_silence(tmp_path, how, said):
    """A browser stops at a damaged packet, and plays on without a pause at a gap."""
    source = write_clap(tmp_path / "clip.mkv", "aac", **how)
    assert annotate(source, tmp_path / "copy.mp4", str) == said
    _, begin, samples = heard_in(tmp_path / "copy.mp4")
    assert begin == 0 and np.abs(samples[int(0.8 * RATE) : RATE]).max() < 0.001
    with av.open(str(tmp_path / "copy.mp4")) as container:
        stamps = [one.dts for one in container.demux(audio=0) if one.size]
    assert set(np.diff(stamps)) == {1024}
    assert abs(tone_behind_picture(tmp_path / "copy.mp4")) < 0.03


def test_sound_of_an_unknown_codec_leaves_the_pictures(tmp_path):
    source = write_clap(tmp_path / "clip.mkv", "aac")
    source.write_bytes(source.read_bytes().replace(b"A_AAC", b"A_XYZ"))
    said = annotate(source, tmp_path / "copy.mp4", str)
    assert said == "its sound can't be decoded (codec unknown)"
    assert len(played(tmp_path / "copy.mp4")[1]) == 75
    with av.open(str(tmp_path / "copy.mp4")) as container:
        assert not container.streams.audio


def test_sound_goes_on_where_the_clock_jumps_and_its_format_changes(tmp_path):
    """As where a television recording begins anew."""
    parts = (
        write_clap(tmp_path / f"{channels}.ts", "ac3", channels=channels)
        for channels in (1, 2)
    )
    source = tmp_path / "clip.ts"
    source.write_bytes(b"".join(part.read_bytes() for part in parts))
    assert annotate(source, tmp_path / "copy.mp4", str) == ""
    _, _, samples = heard_in(tmp_path / "copy.mp4")
    assert len(samples) / RATE == pytest.approx(6, abs=0.1)
    loud = np.flatnonzero(np.abs(samples) > 0.2) / RATE
    assert loud[[0, -1]] == pytest.approx([1.5, 5.5], abs=0.05)


def test_of_several_sounds_the_default_one_is_copied(tmp_path):
    with av.open(str(tmp_path / "clip.mkv"), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        sounds = [claps(container, codec) for codec in ("aac", "libopus")]
        packets = [packet for sound in sounds for packet in sound]
        container.streams.audio[0].disposition = Disposition(0)
        container.streams.audio[1].disposition = Disposition.default
        frame = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), "bgr24")
        packets += stream.encode(frame) + stream.encode()
        container.mux(packets)
    annotate(tmp_path / "clip.mkv", tmp_path / "copy.mp4", str)
    assert heard_in(tmp_path / "copy.mp4")[0] == "opus"
