"""Optical flow: the pairs of frames that it is computed from, its numbers reversed."""

from toolbox.clips.read import evenly_spaced, open_video, probe

import cv2
import numpy as np


def neighbours(path, count, width=160):
    """Yield up to `count` pairs of frames that follow each other, evenly spaced over
    a clip: grey uint8 arrays (height, width), scaled to `width`. Raises ValueError
    if the clip can't be read.
    """
    total = max(probe(path)["frames"] - 1, 1)
    wanted, before = set(evenly_spaced(total, count).tolist()), None
    with open_video(path) as video:
        for index in range(max(wanted) + 2):
            if not video.grab():
                return
            if index in wanted or index - 1 in wanted:
                grey = cv2.cvtColor(video.retrieve(), cv2.COLOR_BGR2GRAY)
                height = max(16, round(width * grey.shape[0] / grey.shape[1]))
                grey = cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA)
                if index - 1 in wanted:
                    yield before, grey
                before = grey


def mirrored(motion):
    """Flow histograms (..., rows, columns, directions) of the same clip seen in a
    mirror.
    """
    count = motion.shape[-1]
    return motion[..., ::-1, :][..., (count // 2 - np.arange(count)) % count]


def motion_backwards(motion):
    """Flow histograms (t, rows, columns, directions) of the same clip played
    backwards.
    """
    opposite = np.roll(motion[::-1], motion.shape[-1] // 2, axis=-1)
    return mirrored(opposite)
