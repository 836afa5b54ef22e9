"""Writing videos: a copy with captions, several clips as one film."""

from contextlib import ExitStack
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

from toolbox.clips.read import frames_shown, open_video
from toolbox.store import whole

import av
import cv2
import matplotlib
import numpy as np
from av.video.reformatter import ColorRange, Colorspace
from PIL import Image, ImageDraw, ImageFont

FONT = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"


LARGEST, NARROWEST = 1280, 320  # pixels: the longest side of a picture, the least width
TICKS = 90  # a millisecond: the 90 kHz clock of MPEG
DARK, WHITE = 24, 255


def even(length):
    """A length in pixels as the nearest even one, at least 2: yuv420p has half as
    much colour.
    """
    return max(2, 2 * round(length / 2))


def picture_size(width, height):
    """The size (width, height) at which a video of this size is copied: at most
    1,280 pixels on the longest side, else at least 320 wide, so that a caption can
    be read; both even.
    """
    scale = min(LARGEST / max(width, height), max(1, NARROWEST / width))
    return even(width * scale), even(height * scale)


@lru_cache(maxsize=32)
def caption_tile(text, width):
    """The strip with a caption: white on dark, an RGB uint8 array (height, width, 3),
    read-only, its height (even) a tenth of its width in pixels.

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
    tile = np.repeat(np.asarray(tile)[..., None], 3, axis=2)
    tile.setflags(write=False)
    return tile


def annotate(source, target, caption, bar=None):
    """Copy a video with a caption in a strip below each frame: an MP4 (H.264, yuv420p)
    that any browser plays, whole or not at all. Sound is left out.

    source, target: paths. caption: a function from seconds since the first frame to the
    text of that moment. bar: a progress bar; its `update` is called with the number of
    new frames.

    Every frame keeps its time, also at a variable frame rate. Pictures are scaled to at
    most 1,280 pixels on the longest side, small ones to at least 320 wide. For a frame
    that can't be decoded, the one before is shown again. Only a few frames are held at
    a time.

    Raises ValueError with the reason if the source can't be read, and OSError if the
    disk is full, for example.
    """
    with open_video(source) as video, whole(target) as temporary:
        width, height = picture_size(video.width, video.height)
        strip = caption_tile("", width).shape[0]
        canvas = np.zeros((height + strip, width, 3), np.uint8)
        # else FFmpeg takes what is before a colon for a protocol
        file = f"file:{temporary}"
        with av.open(
            file, "w", format="mp4", options={"movflags": "+faststart"}
        ) as container:
            rate = Fraction(video.fps).limit_denominator(1001)
            stream = container.add_stream("libx264", rate=rate)
            stream.width, stream.height = width, height + strip
            stream.pix_fmt = "yuv420p"
            tick = Fraction(1, 1000 * TICKS)
            stream.time_base = stream.codec_context.time_base = tick
            stream.thread_type = "AUTO"
            stream.codec_context.colorspace = Colorspace.ITU601  # as OpenCV converts
            stream.codec_context.color_range = ColorRange.MPEG
            # without B-frames, behind which the last frame's duration is lost
            stream.options = {"preset": "superfast", "crf": "23", "bf": "0"}
            ticks = -1
            while video.grab():
                show(video, canvas[:height])
                text = caption(video.elapsed / 1000)
                canvas[height:] = caption_tile(text, width)  # it is grey
                planes = cv2.cvtColor(canvas, cv2.COLOR_BGR2YUV_I420)
                frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
                frame.pts = ticks = max(ticks + 1, round(video.elapsed * TICKS))
                container.mux(stream.encode(frame))
                if bar is not None:
                    bar.update(1)
            container.mux(stream.encode())


def show(video, picture):
    """Scale the grabbed frame into `picture`; leave what is there if it can't be
    decoded.
    """
    try:
        frame = video.retrieve()
    except ValueError:
        return
    height, width = picture.shape[:2]
    way = cv2.INTER_AREA if frame.shape[1] > width else cv2.INTER_LINEAR
    cv2.resize(frame, (width, height), picture, interpolation=way)


def join_clips(paths, target, per_second=25):
    """Write several clips one after the other into one film, an AVI file (Motion JPEG)
    with frames of the first clip's size; returns its cuts in seconds, from 0 to its
    end.

    Raises ValueError if a clip can't be read, OSError if the film can't be written.
    """
    with open_video(paths[0]) as first:
        size = first.width, first.height
    with whole(target) as temporary, ExitStack() as stack:
        codec = cv2.VideoWriter.fourcc(*"MJPG")
        writer = cv2.VideoWriter(str(temporary), codec, per_second, size)
        stack.callback(writer.release)
        if not writer.isOpened():
            raise OSError(f"{target} can't be written")
        cuts = [0]
        for path in paths:
            frames = 0
            for frame in frames_shown(path, per_second):
                writer.write(cv2.resize(frame, size, interpolation=cv2.INTER_AREA))
                frames += 1
            cuts.append(cuts[-1] + frames / per_second)
    return cuts
