"""Reading video files by the clock: what is shown when, and why a file can't be read.

PyAV reads them, Python's way to FFmpeg's libraries: https://pyav.basswood-io.com.
"""

import codecs
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from itertools import chain, count, dropwhile, islice, pairwise
from pathlib import Path

from toolbox.store import file_of, is_whole_jpeg

import av
import cv2
import numpy as np
from av.format import Flags
from av.sidedata.sidedata import Type as SideData
from av.stream import Disposition
from av.video.reformatter import Interpolation

USUAL_FPS, HIGHEST_FPS = 25, 240
LONGEST_GAP = 60  # seconds between two frames of a file that doesn't say how long it is
LONG_CLIP = 1500  # frames; of a longer clip, pages show the beginning
ROUNDING = 0.0006  # seconds; some files round the times of their frames to 0.001
UNDECODED = "frames that can't be decoded"
LARGE = 1280 * 720  # pixels; above, one video is decoded by several threads


def usable_fps(fps):
    """The frame rate in frames a second if it is believable (one in a minute to 240
    in a second), else 25, the rate of UCF101.
    """
    return fps if fps and 1 / LONGEST_GAP <= fps <= HIGHEST_FPS else USUAL_FPS


def evenly_spaced(total, count, repeat=False):
    """The indices of `count` of `total` items, evenly spaced from the first to the
    last, halves rounded up. If there are fewer, all of them, once; or some several
    times, to `repeat`.
    """
    count = count if repeat else min(count, total)
    return np.floor(np.linspace(0, total - 1, count) + 0.5).astype(int)


def open_file(path):
    """An opened PyAV container; ValueError with the reason if the file isn't one."""
    if not path.exists():
        raise ValueError("the file is missing")
    if not path.is_file():
        raise ValueError("not a file")
    try:
        with open(path, "rb") as file:
            start = file.read(4096)
    except PermissionError:
        raise ValueError("no permission to read the file") from None
    except OSError as error:
        raise ValueError(f"the file can't be read ({error.strerror})") from None
    if not start:
        raise ValueError("the file is empty")
    if is_text(start):
        raise ValueError("a text, not a video")
    try:
        # else FFmpeg takes what is before a colon for a protocol
        return av.open(f"file:{path}", metadata_errors="replace")
    except av.FFmpegError:
        raise ValueError("not a video that FFmpeg can read") from None


def is_text(start):
    """Whether the bytes at a file's start are UTF-8 without control characters."""
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(start)
    except UnicodeDecodeError:
        return False
    return "".join(text.split()).isprintable()


def stream_of(container):
    """The stream of a container's pictures: not a cover, not a still beside them (where
    the file says how many frames a stream has), and the default one of several. Raises
    ValueError if there is none.
    """
    streams = container.streams.video
    moving = [one for one in streams if not one.disposition & Disposition.attached_pic]
    if not moving:
        kind = "sound" if container.streams.audio else "a file"
        cover = ", and a cover" if streams else ""
        raise ValueError(f"{kind} without moving pictures{cover}")
    default = Disposition.default
    return max(
        moving, key=lambda one: (one.frames != 1, bool(one.disposition & default))
    )


def is_picture(container):
    """Whether a container of one frame is a format for pictures, not for videos."""
    brand = container.metadata.get("major_brand", "")
    pictures = brand.startswith(("avi", "hei", "mif"))  # AVIF, HEIC
    return pictures or container.format.name.endswith(("_pipe", "image2", "gif"))


@dataclass
class Frame:
    """A frame of a video: shown from `start` to `end`, seconds since the first one, as
    exact fractions.
    """

    start: Fraction
    end: Fraction
    decoded: av.VideoFrame
    stream: av.VideoStream
    size: tuple | None  # width and height of the first frame's picture

    @cached_property
    def picture(self):
        """BGR uint8 (height, width, 3), upright, of square pixels, and as large as the
        first frame's, where the size changes midway.
        """
        aspect = self.stream.sample_aspect_ratio or 1  # width of a pixel by its height
        width = max(1, round(self.decoded.width * aspect))
        picture = self.decoded.to_ndarray(
            format="bgr24", width=width, interpolation=Interpolation.BICUBIC
        )
        for data in self.decoded.side_data:
            if data.type == SideData.DISPLAYMATRIX:
                matrix = np.frombuffer(data, np.int32).reshape(3, 3)
                picture = upright(picture, matrix)
        if self.size in (None, picture.shape[1::-1]):
            return picture
        return cv2.resize(picture, self.size, interpolation=cv2.INTER_AREA)


def upright(picture, matrix):
    """A picture as a player turns it. To the right becomes the row (a, b) of FFmpeg's
    display matrix, down becomes (c, d): libavutil/display.h.
    """
    (a, b), (c, d) = matrix[:2, :2]
    if abs(b) > abs(a):
        picture, a, d = picture.swapaxes(0, 1), c, b
    down, right = (slice(None, None, -1 if sign < 0 else 1) for sign in (d, a))
    return np.ascontiguousarray(picture[down, right])


class Video:
    """A video that is read once, from its first frame to its last, see `open_video`:
    iterating yields a `Frame` for each.

    fps: frames a second as the file says, believable (else 25); seconds: how long it
    says that it lasts, or None; width, height: of the pictures; first: when the first
    frame is shown, by the file's clock, and late: how long after the file's own start,
    as when sound begins before it (exact seconds); known in the end are `end`, how many
    seconds it lasted, and `problem`, what was odd, or "".

    A frame is shown from its timestamp on; where that isn't later than the one before,
    or later beyond belief, from 1 / fps after it. The last one is shown for as long as
    it says, or, where all timestamps were believed, while there is sound.

    container: of PyAV. Raises ValueError with the reason if no frame can be decoded.
    """

    def __init__(self, container):
        self.container, self.stream = container, stream_of(container)
        stream, codec = self.stream, self.stream.codec_context
        if codec and codec.width * codec.height > LARGE:
            stream.thread_type = "AUTO"
        self.claimed = stream.average_rate or stream.guessed_rate or 0
        self.fps = usable_fps(self.claimed)
        self.step = 1 / Fraction(self.fps)
        self.heard, self.counted, self.lost, self.problem = 0, 0, 0, ""
        self.moved, self.by_order = False, container.format.name == "avi"
        odd = self.by_order and self.claimed > HIGHEST_FPS
        self.least, self.tick = 1 / HIGHEST_FPS if odd else 0, stream.time_base
        # FFmpeg takes the length from the last timestamp where clocks may jump
        self.jumps = bool(container.format.flags & Flags.ts_discont.value)
        decoded = self._decode()
        first = list(islice(decoded, 2))
        if not first:
            name = codec.name if codec else "unknown"
            raise ValueError(f"no frame can be decoded (codec {name})")
        if len(first) == 1 and is_picture(container):
            raise ValueError("a picture, not a video")
        self.decoded = chain(first, decoded)
        self.first = self._time_of(first[0]) or 0
        self.size = None
        self.size = self._frame(0, 0, first[0]).picture.shape[1::-1]
        self.width, self.height = self.size
        length = Fraction(container.duration or 0, av.time_base)
        if self.by_order and self.claimed:  # else it goes by the file's size
            length = stream.frames / self.claimed
        self.late = self.first - Fraction(container.start_time or 0, av.time_base)
        self.seconds = max(length - self.late, 0) or None
        self.start = self.end = Fraction(0)  # of the frames that are read

    def _frame(self, start, end, decoded):
        return Frame(start, end, decoded, self.stream, self.size)

    def _time_of(self, decoded):
        """The timestamp of one of PyAV's frames in seconds, or None. An AVI file has
        none: there, pictures follow each other at an even pace, as they are decoded.
        """
        stamp = decoded.dts if self.by_order else decoded.pts
        return None if stamp is None else stamp * self.tick

    def _packets(self):
        sound = self.container.streams.audio
        # where the file is damaged, it ends (IndexError: a stream begins midway)
        with suppress(av.FFmpegError, IndexError):
            yield from self.container.demux([self.stream, *sound])

    def _decode(self):
        """Yield what PyAV decodes; on the way, note until when there is sound."""
        for packet in self._packets():
            if packet.stream is self.stream:
                try:
                    decoded = packet.decode()
                except av.FFmpegError:  # the frame before stands on
                    self.lost += 1
                else:
                    yield from decoded
            elif packet.pts is not None:
                end = (packet.pts + (packet.duration or 0)) * packet.time_base
                if not self.heard or end - self.heard <= LONGEST_GAP:
                    self.heard = max(self.heard, end)

    def seek(self, moment):
        """Go on at the key frame before a moment, in seconds since the first frame, if
        timestamps can be believed. Returns False if that led astray: then the file must
        be opened again.
        """
        if self.by_order or self.jumps or self.tick > LONGEST_GAP:
            return True
        wanted = self.first + moment
        with suppress(av.FFmpegError):
            self.container.seek(int(wanted / self.tick), stream=self.stream)
        self.heard, self.moved = 0, True
        # what an open GOP shows before its key frame refers to the GOP before
        decoded = dropwhile(lambda frame: not frame.key_frame, self._decode())
        first = next(decoded, None)
        time = first and self._time_of(first)
        if time is None or time > wanted:
            return False
        self.decoded, self.start = chain([first], decoded), time - self.first
        return True

    def __iter__(self):
        start = self.start
        for decoded, following in pairwise(chain(self.decoded, [None])):
            end = start + self._lasts(decoded, following, start)
            if not following and not self.counted:
                end = max(end, self.heard - self.first)
            yield self._frame(start, end, decoded)
            start = self.end = end
        self._judge(end)

    def _lasts(self, decoded, following, start):
        """How long a frame that is shown from `start` on is shown: until the following
        one, or if that is None by itself; if that can't be believed, 1 / fps.
        """
        if following:
            times = self._time_of(decoded), self._time_of(following)
            if None in times:
                return self.step
            lasts = times[1] - times[0]
        else:
            lasts = (decoded.duration or 0) * self.tick
        if lasts == 0 and following and self.moved:  # both at once: the later one stays
            self.moved = False
            return lasts
        long = lasts > LONGEST_GAP and (
            self.jumps or lasts > (self.seconds or 0) - start
        )
        if self.tick > LONGEST_GAP or long or lasts <= self.least:
            self.counted += following is not None
            return self.step
        self.moved = True
        return lasts

    def _judge(self, end):
        said = self.seconds or 0
        if self.counted and self.fps != self.claimed:
            claimed = f"{float(self.claimed):g} frames a second"
            self.problem = f"claims {claimed}; taken as {USUAL_FPS}"
        elif not self.counted and end < min(0.95 * said, said - 2 * self.step):
            self.problem = f"breaks off after {float(end):.1f} of {float(said):.1f} s"
        elif self.lost:
            self.problem = f"{UNDECODED}: {self.lost}"


class Part:
    """A part of a `Video`, which is read as one: the frames shown from `start` to
    `end`, in seconds since the video's first frame, their times counted from `start`.

    seconds: how long it is; problem: what was odd, or that it ends behind the video's
    end, where it is cut; fps, width, height: the video's. Raises ValueError if it
    begins behind the video's end.
    """

    def __init__(self, video, start, end):
        self.video, self.begin, self.until = video, start, end
        self.fps, self.width, self.height = video.fps, video.width, video.height
        self.seconds, self.late, self.problem = end - start, 0, ""
        shown = dropwhile(lambda frame: frame.end - start <= ROUNDING, video)
        first = next(shown, None)
        if first is None:
            end = float(video.end)
            raise ValueError(f"begins behind the video's end at {end:.1f} s")
        self.frames, video.lost = chain([first], shown), 0

    def __iter__(self):
        for place, frame in enumerate(self.frames):
            if place and self.until - frame.start <= ROUNDING:
                if self.video.lost:
                    self.problem = f"{UNDECODED}: {self.video.lost}"
                return
            start, end = max(frame.start, self.begin), min(frame.end, self.until)
            self.end = end - self.begin
            yield replace(frame, start=start - self.begin, end=end - self.begin)
        self.problem = self.video.problem
        if self.until - end > self.video.step:
            self.problem = f"ends behind the video's end at {float(end):.1f} s"


@contextmanager
def open_video(path):
    """Open a video for reading, as a `Video`, or a part of one, such as
    `game.mp4#t=12.5,18`, as a `Part`; at the block's end it is closed. Raises
    ValueError with the reason if it can't be read: missing, empty, locked, no video, a
    codec that FFmpeg can't decode.
    """
    path, file = Path(path), file_of(Path(path))
    if path == file:
        with open_file(file) as container:
            yield Video(container)
        return
    times = path.name.removeprefix(f"{file.name}#t=").split(",")
    start, end = map(Fraction, times)
    for earlier in (0, 10, None):  # where it lands behind, ten seconds before do
        with open_file(file) as container:
            video = Video(container)
            if earlier is None or video.seek(max(0, start - earlier)):
                yield Part(video, start, end)
                return


def result_or_problem(function, *arguments):
    """Call a function that reads a clip: (what it returns, ""), or (None, the
    reason) where it raises ValueError, so that one bad clip becomes a line in a list
    and the others go on.
    """
    try:
        return function(*arguments), ""
    except ValueError as error:
        return None, str(error)


def times_of(path, longest=None):
    """When each frame of a video (of its first `longest`) is shown, in seconds, and
    when the last one ends: float64 (frames + 1,). Raises ValueError if the video can't
    be read.
    """
    with open_video(path) as video:
        times = [(frame.start, frame.end) for frame in islice(video, longest)]
    return np.array([*(start for start, _ in times), times[-1][1]], float)


def probe(path):
    """Decode a video: a dict of frames (how many), fps (a second, by their timestamps),
    width and height, in pixels. Raises ValueError with the reason if it can't be read.
    """
    with open_video(path) as video:
        starts = [frame.start for frame in video]
        further, fps = len(starts) - 1, video.fps
        if abs(fps * starts[-1] - further) >= 1:  # else it's rounding
            fps = further / starts[-1]
        about = {"fps": float(fps), "width": video.width, "height": video.height}
    return {"frames": len(starts), **about}


def nearest(times, count):
    """The indices, without repetition, of the frames that are nearest to `count`
    moments, evenly spaced from the first frame to the last, halves rounded up.
    """
    middles = (times[1:] + times[:-1]) / 2
    moments = np.linspace(0, times[-1], count) + 1e-6
    return np.unique(np.searchsorted(middles, moments, "right"))


def shown_at(path, moments, problems=None):
    """Yield what a video shows at ascending moments, in seconds since its first frame,
    as BGR uint8 arrays (height, width, 3), one at a time; again, if it stands still.
    Nothing is yielded for moments behind the video's end.

    problems: a list; what was odd about the video is appended to it in the end, as
    text. Raises ValueError with the reason if the video can't be read.
    """
    with open_video(path) as video:
        yield from shown_in(video, moments)
        if video.problem and problems is not None:
            problems.append(video.problem)


def shown_in(video, moments):
    """Yield what an open `Video` shows at ascending moments, as `shown_at` does."""
    moments = iter(moments)
    moment = next(moments, np.inf)
    for frame in video:
        while moment < max(frame.end - ROUNDING, (frame.start + frame.end) / 2):
            yield frame.picture
            moment = next(moments, np.inf)
        if moment == np.inf:
            return


def frames_shown(path, per_second, problems=None):
    """Yield what a video shows at 0, 1 / per_second, 2 / per_second, ... seconds, to
    its end; see `shown_at`.
    """
    return shown_at(path, (k / per_second for k in count()), problems)


def for_pages(frame, width):
    """A BGR frame as an RGB one, scaled down to `width` pixels if it is wider."""
    height, breadth = frame.shape[:2]
    if breadth > width:
        size = (width, max(1, round(height * width / breadth)))
        frame = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)


def frames_to_show(path, count, width=320):
    """Up to `count` frames, evenly spaced by the clock from the first to the last, as a
    list of RGB uint8 arrays (height, width, 3), scaled down to `width` pixels while
    reading; of the first 1,500 frames (a minute) of a long clip.

    Raises ValueError if the clip can't be read.
    """
    starts = times_of(path, LONG_CLIP)[:-1]
    chosen = shown_at(path, starts[nearest(starts, count)])
    return [for_pages(frame, width) for frame in chosen]


def middle_frame(path, width=320):
    """What a clip (its first 1,500 frames) shows after half its time, as an RGB uint8
    array (height, width, 3), scaled down to `width` pixels.

    Raises ValueError if the clip can't be read.
    """
    middle = times_of(path, LONG_CLIP)[-1] / 2
    return for_pages(next(shown_at(path, [middle])), width)


def strip_of(path, seconds, count=9, width=320):
    """What a video that lasts so many seconds shows in the middles of `count` equal
    parts, as RGB uint8 arrays of at most `width` pixels. Raises ValueError if it can't
    be read.
    """
    middles = (seconds * (place + 0.5) / count for place in range(count))
    return [for_pages(frame, width) for frame in shown_at(path, middles)]


def to_network_size(frame, size=224):
    """A BGR uint8 frame of any size, squeezed into a square, as an RGB uint8 array
    (size, size, 3). Where it shrinks, pixels that fall together are averaged.
    """
    shrinks = min(frame.shape[:2]) >= size
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    square = cv2.resize(frame, (size, size), interpolation=how)
    return cv2.cvtColor(square, cv2.COLOR_BGR2RGB)


def load_frame(path, size=224):
    """Read a JPEG file as a network takes it: an RGB uint8 array (size, size, 3).
    Raises ValueError if the file is missing or damaged.
    """
    whole = is_whole_jpeg(path)
    frame = cv2.imdecode(np.fromfile(path, np.uint8), 1) if whole else None
    if frame is None:
        raise ValueError(f"{path} is not a complete JPEG file. Run notebook 01 again.")
    return to_network_size(frame, size)


def batches(items, size):
    """Yield the items in lists of `size`, the last one perhaps shorter."""
    batch = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
