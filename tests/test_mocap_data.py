"""The built-in clips as they lie in the repository."""

from functools import cache

import cv2
import numpy as np
import pytest
from clips import COURSE

MOCAP = COURSE / "data" / "mocap"
VIDEOS = sorted((MOCAP / "videos").rglob("*.avi"))
EVERY = 5
BACKWARDS = {"GetUp": "LieDown", "Walk": "WalkBackwards"}


@cache
def frame_count(path):
    return int(cv2.VideoCapture(str(path)).get(cv2.CAP_PROP_FRAME_COUNT))


@cache
def masks_of(name):
    """Masks (n, rows, columns) of a clip, one for each fifth frame."""
    stacked = cv2.imread(str(MOCAP / "masks" / f"{name}.png"), cv2.IMREAD_GRAYSCALE)
    return stacked.reshape(-1, 120, 160) > 0


def test_every_clip_has_five_k_and_one_frames_and_a_mask_for_each_fifth():
    names = sorted(path.stem for path in VIDEOS)
    assert len(VIDEOS) == 420
    assert sorted(path.stem for path in (MOCAP / "masks").glob("*.png")) == names
    for path in VIDEOS:
        count = frame_count(path)
        assert count % EVERY == 1 and 76 <= count <= 126
        shares = masks_of(path.stem).mean(axis=(1, 2))
        assert len(shares) == -(-count // EVERY)
        assert shares.min() > 0.01 and shares.max() < 0.3  # each shows a person


@pytest.mark.parametrize("forwards", BACKWARDS)
def test_masks_of_the_reversed_class_are_those_of_the_other_in_opposite_order(forwards):
    paths = [path for path in VIDEOS if path.parent.name == forwards]
    assert len(paths) == 30
    for path in paths:
        backwards = path.stem.replace(f"_{forwards}_", f"_{BACKWARDS[forwards]}_")
        twin = MOCAP / "videos" / BACKWARDS[forwards] / f"{backwards}.avi"
        assert frame_count(twin) == frame_count(path)
        assert np.array_equal(masks_of(backwards), masks_of(path.stem)[::-1])
