"""The pairs of frames that optical flow is computed from."""

from itertools import pairwise

from toolbox.clips.read import open_video, times_of

import cv2
import numpy as np


def neighbours(path, count=None, width=160):
    """Yield up to `count` pairs of frames that follow each other, evenly spaced by the
    clock over a clip (None: all): two grey uint8 arrays (height, width), scaled to
    `width`, and the seconds between them. The clip is decoded once, if it says how long
    it is. Raises ValueError if it can't be read.
    """
    with open_video(path) as video:
        told = getattr(video, "claimed", video.fps) == video.fps and video.seconds
        last = float(told or times_of(path)[-1]) - 2 / float(video.fps)
        moments = np.linspace(0, max(last, 0), count or 1) + 1e-6
        for before, after in pairwise(video):
            nearer = moments < float(before.start + after.start) / 2
            moments, seconds = moments[~nearer], float(after.start - before.start)
            if seconds and (nearer.any() or not count):
                yield grey(before.picture, width), grey(after.picture, width), seconds


def grey(frame, width):
    """A BGR frame as a grey one of this width, at least 16 pixels high."""
    height = max(16, round(width * frame.shape[0] / frame.shape[1]))
    frame = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
    return cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA)
