"""Reading video files: when each frame is shown, and why a clip can't be read."""

import math
import re
from contextlib import suppress
from pathlib import Path

from toolbox.store import is_whole_jpeg

import cv2
import numpy as np

USUAL_FPS, HIGHEST_FPS = 25, 240


LONGEST_GAP = (
    60  # seconds from one frame to the next; a longer one is a damaged timestamp
)


LONG_CLIP = 1500  # frames


def usable_fps(fps):
    """The frame rate in frames a second if it is believable (one in a minute to 240
    in a second), else 25, the rate of UCF101.
    """
    return fps if 1 / LONGEST_GAP <= fps <= HIGHEST_FPS else USUAL_FPS


def evenly_spaced(total, count, repeat=False):
    """The indices of `count` of `total` items, evenly spaced from the first to the
    last, halves rounded up. If there are fewer, all of them, once; or some several
    times, to `repeat`.
    """
    count = count if repeat else min(count, total)
    return np.floor(np.linspace(0, total - 1, count) + 0.5).astype(int)


def is_unicode(path):
    """Whether a path is text; OpenCV must not be given another (it crashes)."""
    try:
        return bool(str(path).encode())
    except UnicodeEncodeError:
        return False


def open_capture(path):
    """An opened cv2.VideoCapture with one decoding thread (we run one clip per
    thread). Raises ValueError with the reason if the file can't be opened.
    """
    try:
        if not is_unicode(path):
            raise ValueError("the name is not Unicode; rename it")
        if not path.exists():
            raise ValueError("the file is missing")
        if not path.is_file():
            raise ValueError("not a file")
        with open(path, "rb") as file:
            start = file.read(4096)
    except PermissionError:
        raise ValueError("no permission to read the file") from None
    except OSError as error:
        raise ValueError(f"the file can't be read ({error.strerror})") from None
    if not start:
        raise ValueError("the file is empty")
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    if not capture.isOpened():
        # in the header of an AVI file
        codec = re.search(rb"strh....vids(\w{4})", start, re.DOTALL)
        named = f" (codec {codec[1].decode()})" if codec else ""
        raise ValueError(f"not a video that OpenCV can open{named}")
    return capture


class Video:
    """A video that is read from its first frame to its last; a context manager.

    frames: how many the header counts, or promises by its length and rate, 0 if it
    doesn't say; fps: frames a second, believable (else 25); width, height: in pixels;
    elapsed: when the grabbed frame is shown, in milliseconds from the first (by its
    timestamp, so that clips of variable frame rate are sampled by time; by its number,
    where that can't be believed); position: the same in frames; problem: what was odd,
    or "", known once `grab` has returned False.

    Raises ValueError with the reason if the file can't be opened or its first frame not
    decoded.
    """

    def __init__(self, path):
        self.capture = open_capture(Path(path))
        self.frames = max(int(self.capture.get(cv2.CAP_PROP_FRAME_COUNT)), 0)
        self.claimed_fps = self.capture.get(cv2.CAP_PROP_FPS)
        self.fps = usable_fps(self.claimed_fps)
        self.grabbed = self.position = self.elapsed = 0
        self.ended, self.timed = False, False
        if not self.capture.grab():
            codec = int(self.capture.get(cv2.CAP_PROP_FOURCC)).to_bytes(
                4, "little", signed=True
            )
            name = codec.decode("ascii", "replace").strip("\0 ") or "unknown"
            raise ValueError(f"no frame can be decoded (codec {name})")
        self.start = self.capture.get(cv2.CAP_PROP_POS_MSEC)
        self.height, self.width = self.retrieve().shape[:2]

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.capture.release()

    @property
    def problem(self):
        problems = []
        if self.fps != self.claimed_fps:
            problems.append(
                f"claims {self.claimed_fps:g} frames a second; taken as {USUAL_FPS}"
            )
        # WebM and Matroska don't count frames: OpenCV takes the length times the rate
        seconds = self.elapsed / 1000 if self.timed else 0
        reached = max(self.grabbed, round(seconds * self.claimed_fps) + 1)
        # headers are off by one, two
        few = reached < min(self.frames - 2, 0.95 * self.frames)
        if self.ended and few and reached == self.grabbed:
            problems.append(f"breaks off after {self.grabbed} of {self.frames} frames")
        elif self.ended and few:
            length = self.frames / self.claimed_fps
            problems.append(f"breaks off after {seconds:.1f} of {length:.1f} s")
        return "; ".join(problems)

    def grab(self):
        """Go on to the next frame (at first, to the first); False if there is none."""
        if self.grabbed:  # the first was grabbed when the file was opened
            self.ended = self.ended or not self.capture.grab()
            if self.ended:
                return False
            self._tell_the_time()
        self.grabbed += 1
        return True

    def retrieve(self):
        """The grabbed frame as a BGR uint8 array (height, width, 3). Raises
        ValueError if it can't be decoded.
        """
        try:
            decoded, frame = self.capture.retrieve()
        except cv2.error:
            decoded = False
        if not decoded:
            raise ValueError(f"frame {self.position} can't be decoded")
        return frame

    def _tell_the_time(self):
        gap = self.capture.get(cv2.CAP_PROP_POS_MSEC) - self.start - self.elapsed
        least = 0 if self.fps == self.claimed_fps else 1000 / HIGHEST_FPS
        self.timed = least < gap <= 1000 * LONGEST_GAP
        self.elapsed += gap if self.timed else 1000 / self.fps
        self.position = math.floor(self.elapsed * self.fps / 1000 + 0.5)


def open_video(path):
    """Open a video for reading, as a `Video`. Raises ValueError with the reason if
    it can't be read: missing, empty, locked, no video, a codec that OpenCV can't
    decode.
    """
    return Video(path)


def result_or_problem(function, *arguments):
    """Call a function that reads a clip: (what it returns, ""), or (None, the
    reason) where it raises ValueError, so that one bad clip becomes a line in a list
    and the others go on.
    """
    try:
        return function(*arguments), ""
    except ValueError as error:
        return None, str(error)


def probe(path):
    """Open a video and decode its first frame: a dict of frames (as the header counts
    them; counted where it doesn't say), fps (believable), width and height, in pixels.

    Raises ValueError with the reason if the clip can't be read.
    """
    with open_video(path) as video:
        frames = video.frames
        while not frames and video.grab():
            pass
        return {
            "frames": frames or video.grabbed,
            "fps": video.fps,
            "width": video.width,
            "height": video.height,
        }


def frames_at(path, indices, width):
    """The frames at these ascending positions, as many as there are, as a list of
    RGB uint8 arrays, each scaled down to `width` pixels if it is wider; nothing
    behind the last of them is read.
    """
    found = []
    with open_video(path) as video:
        for index in indices:
            while (not video.grabbed or video.position < index) and video.grab():
                pass
            if video.ended:
                break
            found.append(shown_frame(video.retrieve(), width))
    return found


def shown_frame(frame, width):
    """A BGR frame as an RGB one, scaled down to `width` pixels if it is wider."""
    height, breadth = frame.shape[:2]
    if breadth > width:
        size = (width, max(1, round(height * width / breadth)))
        frame = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)


def frames_to_show(path, count, width=320):
    """Up to `count` frames, evenly spaced from the first to the last, as a list of RGB
    uint8 arrays (height, width, 3), scaled down to `width` pixels while reading.

    Of a long clip only the first 1,500 frames (a minute) are read. One that ends before
    its header says so gives fewer. Raises ValueError if the clip can't be read.
    """
    total = min(probe(path)["frames"], LONG_CLIP)
    return frames_at(path, evenly_spaced(total, count), width)


def middle_frame(path, width=320):
    """The frame in the middle of a clip (of its first 1,500 frames), as an RGB uint8
    array (height, width, 3), scaled down to `width` pixels; an earlier one where the
    clip breaks off before it.

    Raises ValueError if the clip can't be read.
    """
    middle = min(probe(path)["frames"], LONG_CLIP) // 2
    return frames_at(path, evenly_spaced(middle + 1, 8), width)[-1]


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


ROUNDING = 0.001  # seconds; some files round the times of their frames to it


def frames_shown(path, per_second, problems=None):
    """Yield what a video shows at 0, 1 / per_second, 2 / per_second, ... seconds, as
    BGR uint8 arrays (height, width, 3), one at a time: the k-th belongs to second k /
    per_second, at any frame rate. A picture that stands still is yielded again.

    problems: a list; what was odd about the clip is appended to it in the end, as text.
    Raises ValueError with the reason if the clip can't be opened.
    """
    with open_video(path) as video:
        k, frame = 0, None
        while video.grab():
            while k / per_second < video.elapsed / 1000 - ROUNDING:
                yield frame
                k += 1
            # one that can't be decoded: the one before stands on
            with suppress(ValueError):
                frame = video.retrieve()
        while k / per_second < video.elapsed / 1000 + 1 / video.fps - ROUNDING:
            yield frame
            k += 1
        if video.problem and problems is not None:
            problems.append(video.problem)


def strip_of(path, seconds, count=9, width=320):
    """Frames from the middles of `count` equal parts of a video that lasts so many
    seconds, as RGB uint8 arrays of at most `width` pixels. They are sought, so that
    a long video takes no longer; where that fails, the one before is shown again.
    Raises ValueError if the video can't be read.
    """
    strip = []
    with open_video(path) as video:
        frame = video.retrieve()
        for place in range(count):
            video.capture.set(
                cv2.CAP_PROP_POS_MSEC, 1000 * seconds * (place + 0.5) / count
            )
            found, sought = video.capture.read()
            frame = sought if found else frame
            strip.append(shown_frame(frame, width))
    return strip


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
