"""The person's masks of the built-in clips, and pictures painted by them."""

import cv2
import numpy as np
from PIL import Image

HEIGHT, WIDTH = 120, 160  # of a mask
PER_SECOND = 5  # masks; the k-th belongs to second k / 5, which is frame 5 k
# of ImageNet: as good as nothing to a network that learned from it
MEAN_COLOUR = np.array([124, 117, 104], "uint8")


def person_mask(path, k):
    """The k-th mask of a clip: True where the person is, bool (120, 160); the last one
    where there are fewer.

    path: of the PNG file, all masks of the clip below each other. Raises ValueError if
    it isn't such a file.
    """
    stacked = np.asarray(Image.open(path).convert("1"))
    if stacked.shape[1] != WIDTH or len(stacked) % HEIGHT:
        raise ValueError(f"{path} holds no masks of {WIDTH} x {HEIGHT} pixels.")
    masks = stacked.reshape(-1, HEIGHT, WIDTH)
    return masks[min(k, len(masks) - 1)]


def masks_for(path, count, every):
    """The masks 0, `every`, 2 `every`, ..., `count` of them: bool (count, 120, 160)."""
    return np.stack([person_mask(path, every * k) for k in range(count)])


def share_of_positions(mask, positions=7):
    """How much of each of `positions` x `positions` equal parts of the picture the
    mask takes up: float (positions, positions) from 0 to 1.
    """
    size = (positions, positions)
    return cv2.resize(mask.astype("float32"), size, interpolation=cv2.INTER_AREA)


def grown(mask, shape, margin=2):
    """The mask with a margin, in its own pixels, in the size of a picture."""
    side = 2 * margin + 1
    larger = cv2.dilate(mask.astype("uint8"), np.ones((side, side), "uint8"))
    return cv2.resize(larger, shape[1::-1], interpolation=cv2.INTER_NEAREST) > 0


def without_person(picture, mask):
    """A picture (height, width, 3) whose person is painted over with the colours
    around: their whole box, as their outline would tell the pose.
    """
    person, painted = grown(mask, picture.shape), picture.copy()
    if not person.any():
        return painted
    rows, columns = (np.flatnonzero(person.any(axis=axis)) for axis in (1, 0))
    box = np.zeros(person.shape, "uint8")
    box[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = 255
    area = {"dsize": (56, 56), "interpolation": cv2.INTER_AREA}
    small, hole = cv2.resize(picture, **area), cv2.resize(box, **area) > 0
    hole = cv2.dilate(hole.astype("uint8"), np.ones((3, 3), "uint8"))
    filled = cv2.inpaint(small, hole, 3, cv2.INPAINT_TELEA)
    painted[box > 0] = cv2.resize(filled, picture.shape[1::-1])[box > 0]
    return painted


def without_scene(picture, mask):
    """A picture (height, width, 3) of the person alone, on ImageNet's mean colour."""
    return np.where(grown(mask, picture.shape)[..., None], picture, MEAN_COLOUR)
