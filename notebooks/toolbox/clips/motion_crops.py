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
    """Where something moves in frames (n, height, width, 3) uint8 from a still camera,
    where the deviation over time is above Otsu's threshold (1979): bool (height,
    width). margin: added all around, as a share of the height.
    """
    change = np.stack([frame.mean(axis=-1) for frame in frames]).std(axis=0)
    if np.ptp(change) == 0:
        return np.zeros(change.shape, bool)
    # without single noisy pixels
    moving = opening(change > threshold_otsu(change), disk(1))
    return dilation(moving, disk(max(1, round(margin * len(change)))))


def square_around(region, margin=0.1):
    """The smallest square that holds a region, (height, width) bool, and a margin, as
    far as it fits into the frame: (top, left, side) in pixels. An empty region counts
    as the whole frame.
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
    """Small clips (see `small_clip`) in the order of their paths, decoded in threads,
    kept in the array file `target` (.npy, see `toolbox.store.making`). Returns (clips,
    problems): a read-only memory map of uint8 (n, count, size, size, 3), and a dict
    from a path's number to the reason why that clip can't be read (it is black then).
    """
    of, problems = (count, size, *paths), {}
    if not is_made(target, *of):
        shape = (len(paths), count, size, size, 3)
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        bar = {"total": len(paths), "desc": "small clips", "unit": "clip"}

        def decode(path):
            return result_or_problem(small_clip, path, count, size)

        decoded = progress(in_threads(decode, paths, threads), **bar)
        making_it = making(target, *of, problems=problems)
        with making_it as temporary, open(temporary, "wb") as file:
            np.lib.format.write_array_header_1_0(file, header)
            for number, (clip, problem) in enumerate(decoded):
                clip = np.zeros(shape[1:], "uint8") if problem else clip
                file.write(clip.tobytes())
                problems |= {number: problem} if problem else {}
    problems = read_note(target)["problems"]
    problems = {int(number): reason for number, reason in problems.items()}
    return np.load(target, mmap_mode="r"), problems
