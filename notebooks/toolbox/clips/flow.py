"""Optical flow: the pairs of frames that it is computed from, its numbers reversed."""

from itertools import pairwise

from toolbox.clips.read import nearest, shown_at, times_of

import cv2
import numpy as np


def neighbours(path, count=None, width=160):
    """Yield up to `count` pairs of frames that follow each other, evenly spaced by the
    clock over a clip (None: all): grey uint8 arrays (height, width), scaled to `width`.
    Raises ValueError if the clip can't be read.
    """
    starts = times_of(path)[:-1]
    first = np.arange(len(starts) - 1)
    if count and len(first):
        first = nearest(starts[:-1], count)
    places = np.union1d(first, first + 1)
    pictures = (grey(frame, width) for frame in shown_at(path, starts[places]))
    for (place, before), (_, after) in pairwise(zip(places, pictures, strict=True)):
        if place in first:
            yield before, after


def grey(frame, width):
    """A BGR frame as a grey one of this width, at least 16 pixels high."""
    height = max(16, round(width * frame.shape[0] / frame.shape[1]))
    frame = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
    return cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA)


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
