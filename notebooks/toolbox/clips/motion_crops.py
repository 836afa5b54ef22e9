"""Clips as small arrays for a network that reads pixels: cut to where something
moves, and kept.
"""

from toolbox.clips.read import evenly_spaced, frames_to_show, result_or_problem
from toolbox.page import in_threads, progress
from toolbox.store import is_made, making, read_note

import cv2
import numpy as np
from skimage.filters import threshold_otsu
from skimage.morphology import dilation, disk, opening


def moving_part(frames, margin=0.03):
    """Where something moves in a clip from a still camera: a bool array (height,
    width).

    frames: (n, height, width, 3) uint8; margin: added all around, as a share of the
    height. A pixel counts if its standard deviation over time is above Otsu's threshold
    (1979). False everywhere for a single frame.
    """
    change = np.stack([frame.mean(axis=-1) for frame in frames]).std(axis=0)
    if np.ptp(change) == 0:
        return np.zeros(change.shape, bool)
    moving = opening(
        change > threshold_otsu(change), disk(1)
    )  # without single noisy pixels
    return dilation(moving, disk(max(1, round(margin * len(change)))))


def square_around(region, margin=0.1):
    """The smallest square that holds a region, with a margin, as far as it fits into
    the frame: (top, left, side) in pixels.

    region: (height, width) bool; an empty one counts as the whole frame.
    """
    rows, columns = (np.flatnonzero(region.any(axis=axis)) for axis in (1, 0))
    if not region.any():
        rows, columns = (np.arange(length) for length in region.shape)
    side = round((1 + 2 * margin) * max(np.ptp(rows) + 1, np.ptp(columns) + 1))
    side = min(side, *region.shape)
    corner = [
        int(np.clip(round((found[0] + found[-1] + 1 - side) / 2), 0, length - side))
        for found, length in zip((rows, columns), region.shape, strict=True)
    ]
    return (*corner, side)


def cut_square(frame, top, left, side, size):
    """Cut a square out of a frame and scale it to `size` x `size`."""
    cut = frame[top : top + side, left : left + side]
    way = cv2.INTER_AREA if side >= size else cv2.INTER_LINEAR
    return cv2.resize(cut, (size, size), interpolation=way)


def small_clip(path, count, size):
    """A clip as `count` evenly spaced frames, all cut to the one square in which
    something moves: RGB uint8 (count, size, size, 3). A clip with fewer frames
    repeats them. Raises ValueError if it can't be read.
    """
    frames = np.stack(frames_to_show(path, count, width=480))
    square = square_around(moving_part(frames))
    cut = np.stack([cut_square(frame, *square, size) for frame in frames])
    return cut[evenly_spaced(len(cut), count, repeat=True)]


def store_clips(paths, target, count, size, threads=None):
    """Small clips (see `small_clip`) in one array file, decoded in threads, in the
    order of the paths; a file made of the same clips, at the same count and size, is
    kept.

    target: the path of the file, .npy, beside its note, see `toolbox.store.making`.
    Memory holds a few clips. Returns (clips, problems): a read-only memory map of
    uint8 (n, count, size, size, 3), and a dict from a path's number to the reason why
    that clip can't be read (it is black then).
    """
    of, problems = (count, size, *paths), {}
    if not is_made(target, *of):
        with (
            making(target, *of, problems=problems) as temporary,
            open(temporary, "wb") as file,
        ):
            shape = (len(paths), count, size, size, 3)
            header = {"descr": "|u1", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, header)
            black = np.zeros(shape[1:], "uint8")
            decoded = in_threads(
                lambda path: result_or_problem(small_clip, path, count, size),
                paths,
                threads,
            )
            bar = {"total": len(paths), "desc": "small clips", "unit": "clip"}
            for number, (clip, problem) in enumerate(progress(decoded, **bar)):
                file.write((black if problem else clip).tobytes())
                if problem:
                    problems[number] = problem
    problems = read_note(target)["problems"]
    return (
        np.load(target, mmap_mode="r"),
        {int(number): reason for number, reason in problems.items()},
    )
