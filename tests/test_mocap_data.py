"""The built-in clips as they lie in the repository."""

from functools import cache
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
MOCAP = REPOSITORY / "data" / "mocap"
VIDEOS = sorted((MOCAP / "videos").rglob("*.avi"))
MASK_HEIGHT, MASK_WIDTH, EVERY = 120, 160, 5
BACKWARDS = {"GetUp": "LieDown", "Walk": "WalkBackwards"}


@cache
def frame_count(path):
    return int(cv2.VideoCapture(str(path)).get(cv2.CAP_PROP_FRAME_COUNT))


@cache
def masks_of(name):
    """Masks (n, rows, columns) of a clip, one for each fifth frame."""
    stacked = cv2.imread(str(MOCAP / "masks" / f"{name}.png"), cv2.IMREAD_GRAYSCALE)
    return stacked.reshape(-1, MASK_HEIGHT, MASK_WIDTH) > 0


def test_every_clip_has_a_mask_file_and_no_mask_is_without_a_clip():
    assert len(VIDEOS) == 420
    names = sorted(path.stem for path in VIDEOS)
    assert sorted(path.stem for path in (MOCAP / "masks").glob("*.png")) == names


def test_clips_have_five_k_and_one_frames_and_a_mask_for_each_fifth():
    for path in VIDEOS:
        count = frame_count(path)
        assert count % EVERY == 1 and 76 <= count <= 126
        shares = masks_of(path.stem).mean(axis=(1, 2))
        assert len(shares) == -(-count // EVERY)
        assert shares.min() > 0.01 and shares.max() < 0.3  # each shows a person


def test_masks_are_of_the_frames_as_encoded():
    """Where the masks change, so does the picture, and less at other times."""
    [path] = (path for path in VIDEOS if path.stem == "v_Jump_g02_c01")
    capture, frames = cv2.VideoCapture(str(path)), []
    while (read := capture.read())[0]:
        frames.append(cv2.resize(read[1], (MASK_WIDTH, MASK_HEIGHT)).astype(float))
    frames, masks = frames[::EVERY], masks_of(path.stem)
    changed = [np.abs(a - b).mean(axis=2) for a, b in pairwise(frames)]
    own = [a ^ b for a, b in pairwise(masks)]
    fit, other = (
        np.mean([change[at].mean() for change, at in zip(changed, moved, strict=True)])
        for moved in (own, own[::-1])
    )
    assert fit > 1.5 * other


@pytest.mark.parametrize("forwards", BACKWARDS)
def test_masks_of_the_reversed_class_are_those_of_the_other_in_opposite_order(forwards):
    pairs = 0
    for path in VIDEOS:
        if path.parent.name == forwards:
            backwards = path.stem.replace(f"_{forwards}_", f"_{BACKWARDS[forwards]}_")
            twin = MOCAP / "videos" / BACKWARDS[forwards] / f"{backwards}.avi"
            assert frame_count(twin) == frame_count(path)
            assert np.array_equal(masks_of(backwards), masks_of(path.stem)[::-1])
            pairs += 1
    assert pairs == 30
