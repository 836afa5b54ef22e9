"""Writing videos: a copy with captions, several clips as one film."""

from contextlib import ExitStack
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

from toolbox.clips.read import frames_shown, open_video
from toolbox.clips.sound import add_sound, mux_until
from toolbox.store import whole

import av
import cv2
import matplotlib
import numpy as np
from av.video.reformatter import ColorRange, Colorspace
from PIL import Image, ImageDraw, ImageFont

FONT = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
LARGEST, NARROWEST = 1280, 320  # pixels: the longest side of a picture, the least width
TICKS = 90_000  # a second: the clock of MPEG
DARK, WHITE = 24, 255


def even(length):
    """A length in pixels as the nearest even one, at least 2, as yuv420p needs it."""
    return max(2, 2 * round(length / 2))


@lru_cache(maxsize=32)
def caption_tile(text, width):
    """The strip with a caption: white on dark, a grey uint8 array (height, width), its
    height (even) a tenth of its width in pixels.

    Long text is set smaller, until it fits. A character that the font (DejaVu Sans)
    lacks becomes a box.
    """
    height = even(width / 10)
    tile = Image.new("L", (width, height), DARK)
    text, margin, size = " ".join(text.split()), height // 4, 0.56 * height
    wanted = ImageFont.truetype(FONT, size).getlength(text)
    smaller = min(1, (width - 3 * margin) / max(wanted, 1))  # hinted, a bit wider
    font = ImageFont.truetype(FONT, max(1, size * smaller))
    ImageDraw.Draw(tile).text((margin, height // 2), text, WHITE, font, anchor="lm")
    return np.asarray(tile)


def annotate(source, target, caption, bar=None):
    """Copy a video with a caption in a strip below each frame: an MP4 (H.264, yuv420p)
    that any browser plays, whole or not at all, with its sound, see `add_sound`.
    Returns what of the sound can't be copied, or "".

    source, target: paths; caption: a function from seconds since the first frame to the
    text of that moment; bar: is updated by the seconds that were written.

    Every frame keeps its time, also at a variable frame rate; the first one is at 0,
    and what sounds before it isn't heard. Pictures are scaled to at most 1,280 pixels
    on the longest side, small ones to at least 320 wide. Only a few frames are held at
    a time. Raises ValueError if the source can't be read, OSError if the disk is full.
    """
    with open_video(source) as video, whole(target) as temporary:
        longest = max(video.width, video.height)
        scale = min(LARGEST / longest, max(1, NARROWEST / video.width))
        size = width, height = even(video.width * scale), even(video.height * scale)
        way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        strip = len(caption_tile("", width))
        canvas = np.zeros((height + strip, width, 3), np.uint8)
        # else FFmpeg takes what is before a colon for a protocol
        file, options = f"file:{temporary}", {"movflags": "+faststart"}
        with av.open(file, "w", format="mp4", options=options) as container:
            rate = Fraction(video.fps).limit_denominator(1001)
            stream = container.add_stream("libx264", rate=rate)
            stream.width, stream.height = width, height + strip
            stream.pix_fmt, stream.thread_type = "yuv420p", "AUTO"
            tick = Fraction(1, TICKS)
            stream.time_base = stream.codec_context.time_base = tick
            stream.codec_context.colorspace = Colorspace.ITU601  # as OpenCV converts
            stream.codec_context.color_range = ColorRange.MPEG
            # without B-frames, behind which the last frame's duration is lost
            stream.options = {"preset": "superfast", "crf": "23", "bf": "0"}
            sound, odd = add_sound(container, Path(source), video.first)
            ticks = -1
            for shown in video:
                cv2.resize(shown.picture, size, canvas[:height], interpolation=way)
                tile = caption_tile(caption(float(shown.start)), width)
                canvas[height:] = tile[..., None]
                planes = cv2.cvtColor(canvas, cv2.COLOR_BGR2YUV_I420)
                frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
                frame.pts = ticks = max(ticks + 1, round(shown.start * TICKS))
                mux_until(container, sound, shown.start)
                container.mux(stream.encode(frame))
                if bar is not None:
                    bar.update(int(shown.end) - bar.n)
            packets = stream.encode()
            for last in packets[-1:]:
                last.duration = round((shown.end - shown.start) * TICKS)
            container.mux(packets)
            mux_until(container, sound, np.inf)
    return odd


def join_clips(paths, target, per_second=25):
    """Write several clips one after the other into one film, an AVI file (Motion JPEG)
    with frames of the first clip's size; returns its cuts in seconds, from 0 to its
    end. Raises ValueError if a clip can't be read, OSError if the film can't be
    written.
    """
    with open_video(paths[0]) as first:
        size = first.width, first.height
    with whole(target) as temporary, ExitStack() as stack:
        codec = cv2.VideoWriter.fourcc(*"MJPG")
        writer = cv2.VideoWriter(str(temporary), codec, per_second, size)
        stack.callback(writer.release)
        if not writer.isOpened():
            raise OSError(f"{target} can't be written")
        cuts, frames = [0], 0
        for path in paths:
            for frame in frames_shown(path, per_second):
                writer.write(cv2.resize(frame, size, interpolation=cv2.INTER_AREA))
                frames += 1
            cuts.append(frames / per_second)
    return cuts
