"""toolbox.clips.read: opening clips, the time of each frame, frames to show."""

import re
from fractions import Fraction
from itertools import groupby

from toolbox.clips import neighbours, read

import av
import numpy as np
import pytest
from clips import (
    COURSE,
    bar_frames,
    claim_rate,
    cut,
    cut_before_frames,
    cv2,
    read_all,
    slowing,
    write_clip,
    write_sound,
    write_with_pyav,
)
from PIL import Image


def starts_of(path):
    """When each frame of a clip is shown, in seconds, and what was odd about it."""
    with read.open_video(path) as video:
        starts = [float(frame.start) for frame in video]
        return starts, video.problem


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
def test_each_frame_is_shown_at_its_time(tmp_path, name, fps):
    clip = write_clip(tmp_path / name, frames=50, fps=fps)
    starts, problem = starts_of(clip)
    assert starts == pytest.approx(np.arange(50) / fps, abs=0.001) and problem == ""
    assert read.times_of(clip)[-1] == pytest.approx(50 / fps, abs=0.001)
    assert read.probe(clip)["fps"] == pytest.approx(fps, abs=1e-4)


def test_a_clip_of_variable_frame_rate_is_told_by_its_timestamps(tmp_path):
    """Twenty frames of 40 ms, then five of 120 ms: 25 frames in the time of 35."""
    clip = slowing(tmp_path / "clip.mp4", frames=25, after=20)
    places = np.array([*range(20), 20, 23, 26, 29, 32])
    assert starts_of(clip) == (pytest.approx(places / 25), "")
    found = read.probe(clip)
    assert (found["frames"], found["fps"]) == (25, pytest.approx(18.8, abs=0.2))


def test_slides_stand_for_minutes(tmp_path):
    """A recorded lecture: no frame between one slide and the next."""
    times = [0, 1, 2, 93, 94, 187]
    for kind in (".mkv", ".mp4"):
        clip = write_with_pyav(tmp_path / f"slides{kind}", frames=6, times=times)
        assert starts_of(clip) == (times, "")
        shown = [frame.tobytes() for frame in read.frames_shown(clip, 1)]
        stand = [len(list(same)) for _, same in groupby(shown)]
        assert stand == [1, 1, 91, 1, 93, 1]
    silent = write_with_pyav(tmp_path / "rare.mp4", frames=3, times=[0, 300, 900])
    assert starts_of(silent) == ([0, 300, 900], "")


def test_a_picture_stands_while_there_is_sound(tmp_path):
    clip = write_with_pyav(tmp_path / "song.mp4", frames=5, sound=3)
    assert read.times_of(clip)[-1] == pytest.approx(3, abs=0.1)
    assert len(list(read.frames_shown(clip, 4))) in (12, 13)


@pytest.mark.parametrize("kind", [".mkv", ".mp4"])
def test_pictures_that_start_after_the_sound_are_whole(tmp_path, kind):
    times = 5 + np.arange(50) / 25
    clip = write_with_pyav(tmp_path / f"late{kind}", frames=50, times=times, sound=7)
    assert starts_of(clip) == (pytest.approx(times - 5, abs=0.001), "")
    assert read.probe(clip)["frames"] == len(read.frames_to_show(clip, 99)) == 50


def test_a_webcam_of_millisecond_ticks_is_believed(tmp_path):
    """ASF says 1,000 frames a second, of 100 pictures in 3.3 s."""
    times = np.cumsum(np.random.default_rng(1).integers(30, 37, 100)) / 1000
    clip = write_with_pyav(tmp_path / "webcam.wmv", "wmv2", frames=100, times=times)
    assert starts_of(clip) == (pytest.approx(times - times[0], abs=0.0011), "")
    assert read.probe(clip)["fps"] == pytest.approx(30.27, abs=0.1)


RATES = [(1000, 1000, 1, "1000"), (0, 1, 100_000, "1e-05")]


@pytest.mark.parametrize(("microseconds", "rate", "scale", "claimed"), RATES)
def test_a_rate_beyond_belief_is_told(tmp_path, microseconds, rate, scale, claimed):
    clip = claim_rate(write_clip(tmp_path / "clip.avi", 51), microseconds, rate, scale)
    problem = f"claims {claimed} frames a second; taken as 25"
    assert starts_of(clip) == (pytest.approx(np.arange(51) / 25), problem)
    assert read.probe(clip)["fps"] == 25


def test_files_that_were_joined_go_on(tmp_path):
    """In the second half the clock is set back."""
    part = write_with_pyav(tmp_path / "part.ts").read_bytes()
    (tmp_path / "both.ts").write_bytes(2 * part)
    starts = starts_of(tmp_path / "both.ts")
    assert starts == (pytest.approx(np.arange(100) / 25, abs=0.001), "")


def test_packed_b_frames_of_an_avi_file_are_in_order():
    """A file of UCF101, whose timestamps FFmpeg can only guess."""
    clip = COURSE.parent / "shared/videos/ucf101-clips/v_ApplyEyeMakeup_g01_c01.avi"
    if not clip.exists():
        pytest.skip("original files of UCF101 are not on this machine")
    assert starts_of(clip) == (pytest.approx(np.arange(164) / 25), "")


INTERLACED = [("clip.ts", "libx264", (64, 48)), ("clip.mpg", "mpeg2video", (64, 48))]
INTERLACED += [("clip.avi", "mpeg4", (64, 48)), ("clip.dv", "dvvideo", (720, 576))]


@pytest.mark.parametrize(("name", "codec", "size"), INTERLACED)
def test_interlaced_pictures_are_read(tmp_path, name, codec, size):
    more = {"options": {"flags": "+ildct+ilme"}, "size": size, "frames": 10}
    clip = write_with_pyav(tmp_path / name, codec, **more)
    with read.open_video(clip) as video:
        pictures = [frame.picture for frame in video]
    assert len(pictures) == 10
    for picture, drawn in zip(pictures, bar_frames(10, size), strict=True):
        drawn = cv2.resize(drawn, picture.shape[1::-1])
        assert np.abs(picture.astype(int) - drawn).mean() < 12


def test_pixels_that_are_not_square_are_made_so(tmp_path):
    more = {"size": (144, 108), "frames": 3}
    clip = write_with_pyav(tmp_path / "dv.mp4", pixel_aspect=Fraction(4, 3), **more)
    found = read.probe(clip)
    assert (found["width"], found["height"]) == (192, 108)
    assert read.middle_frame(clip).shape == (108, 192, 3)


# right and down of the stored picture, as FFmpeg's display matrix turns them
TURNS = {"mirror": (-1, 0, 0, 1), "upside down": (1, 0, 0, -1), "half": (-1, 0, 0, -1)}
TURNS |= {"clockwise": (0, 1, -1, 0), "diagonal": (0, 1, 1, 0)}


@pytest.mark.parametrize(("turn", "matrix"), TURNS.items())
def test_pictures_are_turned_upright(turn, matrix):
    a, b, c, d = (65536 * part for part in matrix)
    picture = np.arange(24, dtype="uint8").reshape(2, 4, 3)
    matrix = np.array([[a, b, 0], [c, d, 0], [0, 0, 1 << 30]], np.int32)
    expected = {
        "mirror": picture[:, ::-1],
        "upside down": picture[::-1],
        "half": picture[::-1, ::-1],
        "clockwise": np.rot90(picture, -1),
        "diagonal": picture.transpose(1, 0, 2),
    }
    assert np.array_equal(read.upright(picture, matrix), expected[turn])


# Screen recordings: 60 frames, each shown for 33 to 500 ms. WebM and Matroska tell a
# length and a rate, of which OpenCV makes a number of frames: 336, or 11,183.
PAUSES = np.random.default_rng(0).choice([0.033, 0.04, 0.1, 0.2, 0.5], 60)
SHOWN = np.cumsum(PAUSES).round(3)
KINDS = [(".webm", "libvpx-vp9"), (".mkv", "libx264"), (".mp4", "libx264")]


@pytest.mark.parametrize(("suffix", "codec"), KINDS)
def test_a_screen_recording_is_whole(tmp_path, suffix, codec):
    clip = tmp_path / f"clip{suffix}"
    write_with_pyav(clip, codec, frames=60, times=SHOWN, fps=30)
    starts, problem = starts_of(clip)
    assert problem == "" and starts == pytest.approx(SHOWN - SHOWN[0], abs=0.0011)
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
    problem = f"breaks off after {left / 25:.1f} of 4.0 s"
    assert starts_of(clip) == (pytest.approx(np.arange(left) / 25), problem)


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
    (tmp_path / "random.mkv").write_bytes(np.random.default_rng(0).bytes(5000))
    cut(write_clip(tmp_path / "no_moov.mp4"), 0.5)
    cut_before_frames(write_clip(tmp_path / "no_frames.avi"))
    (tmp_path / "dangling.avi").symlink_to(tmp_path / "never_was.avi")
    still = Image.new("RGB", (64, 48), (200, 0, 0))
    for kind in ("JPEG", "PNG", "WEBP", "GIF", "AVIF"):
        still.save(tmp_path / f"{kind}.mp4", kind)
    write_sound(tmp_path / "song.mp4")
    write_sound(tmp_path / "album.m4v", cover=True)
    for name, reason in {
        "empty.avi": "the file is empty",
        "page.avi": "a text, not a video",
        "random.mkv": "not a video that FFmpeg can read",
        "no_moov.mp4": "not a video that FFmpeg can read",
        "no_frames.avi": "no frame can be decoded (codec mjpeg)",
        "dangling.avi": "the file is missing",
        "JPEG.mp4": "a picture, not a video",
        "PNG.mp4": "a picture, not a video",
        "WEBP.mp4": "a picture, not a video",
        "GIF.mp4": "a picture, not a video",
        "AVIF.mp4": "a picture, not a video",
        "song.mp4": "sound without moving pictures",
        "album.m4v": "sound without moving pictures, and a cover",
    }.items():
        for look in ((read.probe,), (read.middle_frame,), (read.frames_to_show, 5)):
            told = read.result_or_problem(look[0], tmp_path / name, *look[1:])
            assert told == (None, reason), name


def test_animations_and_av1_are_videos(tmp_path):
    frames = [Image.new("RGB", (64, 48), (shade, 0, 0)) for shade in (0, 100, 200)]
    animation = {"save_all": True, "append_images": frames[1:], "duration": 500}
    for name, kind in (("av1.mp4", "AVIF"), ("moving.gif", "GIF")):
        frames[0].save(tmp_path / name, kind, **animation)
        reds = [
            frame[..., 0].mean() for frame in read.frames_to_show(tmp_path / name, 9)
        ]
        assert reds == pytest.approx([0, 100, 200], abs=8)
        assert len(list(read.frames_shown(tmp_path / name, 4))) == 6


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


def test_what_is_damaged_in_the_middle_is_told(tmp_path):
    clip = write_with_pyav(tmp_path / "clip.mp4", size=(320, 240), frames=100)
    content = bytearray(clip.read_bytes())
    first = content.index(b"mdat") + (len(content) - content.index(b"mdat")) // 3
    content[first : first + 4000] = np.random.default_rng(0).bytes(4000)
    clip.write_bytes(content)
    starts, problem = starts_of(clip)
    assert len(starts) < 100 and starts[-1] == pytest.approx(99 / 25)
    assert re.fullmatch(r"frames that can't be decoded: \d+", problem)
    assert "decoded" in starts_of(f"{clip}#t=0,3.9")[1]


def test_a_clock_that_jumps_by_hours_is_not_believed(tmp_path):
    """Of the pictures, where files were joined; of the sound, in one packet."""
    part = write_with_pyav(tmp_path / "a.ts").read_bytes()
    times = 36_000 + np.arange(50) / 25
    later = write_with_pyav(tmp_path / "b.ts", times=times).read_bytes()
    (tmp_path / "both.ts").write_bytes(part + later)
    assert read.times_of(tmp_path / "both.ts")[-1] == pytest.approx(4, abs=0.1)
    sound = write_with_pyav(tmp_path / "sound.mkv", sound=2)
    late = tmp_path / "late.mkv"
    with av.open(str(sound)) as source, av.open(str(late), "w") as target:
        streams = [target.add_stream_from_template(one) for one in source.streams]
        packets = [packet for packet in source.demux() if packet.dts is not None]
        last = [packet for packet in packets if packet.stream.type == "audio"][-1]
        last.pts = last.dts = last.pts + int(500_000 / last.time_base)
        for packet in packets:
            packet.stream = streams[packet.stream.index]
            target.mux(packet)
    assert read.times_of(late)[-1] == pytest.approx(2, abs=0.1)


def test_two_frames_at_once_do_not_delay_the_others(tmp_path):
    times = [0, 0.04, 0.04, 0.08, 0.12, 0.12, 0.16]
    clip = tmp_path / "twice.mkv"
    source = write_with_pyav(tmp_path / "clip.mkv", frames=7)
    with av.open(str(source)) as opened, av.open(str(clip), "w") as target:
        stream = target.add_stream_from_template(opened.streams.video[0])
        packets = [packet for packet in opened.demux(video=0) if packet.size]
        for packet, time in zip(packets, times, strict=True):
            packet.pts = packet.dts = round(time / packet.time_base)
            packet.stream = stream
            target.mux(packet)
    assert starts_of(clip) == (pytest.approx(times), "")


def test_a_size_that_changes_midway_is_brought_to_the_first(tmp_path):
    parts = [
        write_with_pyav(tmp_path / f"{k}.ts", size=size).read_bytes()
        for k, size in enumerate([(64, 48), (48, 64)])
    ]
    (tmp_path / "both.ts").write_bytes(b"".join(parts))
    shown = read.frames_to_show(tmp_path / "both.ts", 10)
    assert {frame.shape for frame in shown} == {(48, 64, 3)} and len(shown) == 10


def test_a_title_that_is_not_unicode_does_no_harm(tmp_path):
    clip = write_with_pyav(tmp_path / "clip.mkv", title="Marchen")
    clip.write_bytes(clip.read_bytes().replace(b"Marchen", b"M\xe4rchen"))
    assert read.probe(clip)["frames"] == 50


def test_slow_motion_is_believed(tmp_path):
    clip = write_with_pyav(tmp_path / "slow.mov", frames=60, fps=240.2)
    assert read.times_of(clip)[-1] == pytest.approx(60 / 240.2, abs=0.002)


OPEN = {"preset": "veryfast", "g": "12", "bf": "3"}
OPEN |= {"x264-params": "open-gop=1:scenecut=0:b-pyramid=normal"}
HEVC = "log-level=none:keyint=12:min-keyint=12:open-gop=1:bframes=3:scenecut=0"
HEVC = {"preset": "ultrafast", "x265-params": HEVC}
VP9 = {"cpu-used": "8", "g": "12", "lag-in-frames": "8"}
IN_PARTS = [(f"clip.{kind}", "libx264", OPEN) for kind in ("mp4", "mov", "mkv", "ts")]
IN_PARTS += [("clip.hevc.mp4", "libx265", HEVC), ("clip.webm", "libvpx-vp9", VP9)]
IN_PARTS += [
    (f"mpeg4.{kind}", "mpeg4", {"g": "12", "bf": "2"}) for kind in ("mp4", "avi")
]


@pytest.mark.parametrize("pace", ["even", "varies"])
@pytest.mark.parametrize(("name", "codec", "options"), IN_PARTS)
def test_a_part_is_what_the_whole_shows_in_its_time(
    tmp_path, name, codec, options, pace
):
    """Sought from the key frame before, where timestamps can be believed."""
    believed = not name.endswith(("ts", "avi"))
    times = SHOWN if pace == "varies" and believed else None
    more = {"frames": 60, "times": times, "options": options}
    clip = write_with_pyav(tmp_path / name, codec, **more)
    whole = frames_of(clip)
    sought = []
    for begins in np.linspace(0, 0.9 * float(whole[-1][1]), 9).round(3):
        start, end = Fraction(f"{begins:g}"), Fraction(f"{begins + 0.31:.3f}")
        expected = [
            (max(shown - start, 0), min(until, end) - start, picture)
            for shown, until, picture in whole
            if until - start > read.ROUNDING and shown < end
        ]
        part = f"{clip}#t={float(start):g},{float(end):g}"
        assert frames_of(part) == expected
        with read.open_video(part) as opened:
            sought.append(opened.video.start > 0)
            assert opened.seconds == end - start and opened.fps > 0
    assert any(sought) == believed


def frames_of(path):
    """When each frame of a clip begins and ends to be shown, and its picture."""
    with read.open_video(path) as video:
        return [(one.start, one.end, one.picture.tobytes()) for one in video]


@pytest.mark.parametrize("kind", ["mp4", "mkv", "ts", "avi"])
def test_a_part_behind_the_end_is_told(tmp_path, kind):
    codec = "mpeg4" if kind == "avi" else "libx264"
    clip = write_with_pyav(tmp_path / f"clip.{kind}", codec)
    for part in ("#t=2.5,3", "#t=1000,1003.5"):
        with pytest.raises(ValueError, match=r"behind the video's end at 2\.0 s"):
            read.probe(f"{clip}{part}")
    starts, problem = starts_of(f"{clip}#t=1.8,2.6")
    assert starts == pytest.approx(np.arange(5) / 25)
    assert problem == "ends behind the video's end at 2.0 s"
    assert starts_of(f"{clip}#t=1.8,2") == (pytest.approx(np.arange(5) / 25), "")
    problems = []
    assert len(list(read.frames_shown(f"{clip}#t=1,3", 4, problems))) == 4
    assert problems == ["ends behind the video's end at 2.0 s"]


def test_whatever_reads_a_clip_reads_a_part(tmp_path):
    clip = write_clip(tmp_path / "clip.avi", frames=50)
    part = tmp_path / "clip.avi#t=0.4,1.2"
    shown = read_all(clip)[10:30]
    assert read.times_of(part) == pytest.approx(np.arange(21) / 25)
    found = read.probe(part)
    assert (found["frames"], found["fps"], found["width"]) == (20, 25, 64)
    assert np.array_equal(read.middle_frame(part), rgb(shown[10]))
    assert np.array_equal(read.frames_to_show(part, 2), [rgb(shown[0]), rgb(shown[-1])])
    assert np.array_equal(read.strip_of(part, 0.8, 1)[0], rgb(shown[10]))
    assert len(list(neighbours(part))) == 19
    clip.rename(part)
    assert read.probe(part)["frames"] == 50  # a file of that very name


def test_a_part_of_a_long_film_is_found_without_decoding_it(tmp_path, monkeypatch):
    film = write_with_pyav(tmp_path / "film.mp4", frames=1500, options={"g": "25"})
    decoded, decode = [], read.Video._decode

    def counting(video):
        for frame in decode(video):
            decoded.append(frame.pts)
            yield frame

    monkeypatch.setattr(read.Video, "_decode", counting)
    assert read.probe(f"{film}#t=50.5,51")["frames"] == 13
    assert len(decoded) < 60
