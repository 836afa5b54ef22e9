"""What notebook 07 stands on: clips and their pictures, masks, drawings."""

import toolbox  # noqa: F401  before cv2, which it silences
from toolbox.clips import masks
from toolbox.clips.masks import HEIGHT, MEAN_COLOUR, WIDTH, person_mask
from toolbox.models.clip_features import pictures_of, see
from toolbox.plots.scores import draw_heat

import cv2
import numpy as np
import pytest
from clips import write_clip


def test_pictures_are_seen_in_batches_and_split_into_clips(tmp_path):
    lengths, sizes = {"a": 30, "b": 75}, []
    paths = [write_clip(tmp_path / f"{k}.avi", n) for k, n in lengths.items()]
    clips = [pictures_of(path, 5 / 3) for path in paths]
    assert [clip.shape for clip in clips] == [(2, 224, 224, 3), (5, 224, 224, 3)]

    def network(pictures):
        sizes.append(len(pictures))
        return pictures.mean(axis=(1, 2))

    seen = see(network, clips * 6, "clips")
    assert [len(one) for one in seen] == [2, 5] * 6 and max(sizes) <= 16
    assert np.allclose(seen[3], clips[1].mean(axis=(1, 2)))


def test_the_mask_of_a_moment_and_what_is_painted_over(tmp_path):
    """Three masks: a square that goes right, as the renderer writes them."""
    moments, mask_file = np.zeros((3, HEIGHT, WIDTH), "uint8"), tmp_path / "clip.png"
    for k, moment in enumerate(moments):
        moment[40:80, 20 + 40 * k : 60 + 40 * k] = 255
    bits = [cv2.IMWRITE_PNG_BILEVEL, 1]
    cv2.imwrite(str(mask_file), np.concatenate(moments), bits)
    mask = person_mask(mask_file, 1)
    assert mask.shape == (120, 160) and mask.dtype == bool
    assert mask[40:80, 60:100].all() and mask.sum() == 1600
    assert (person_mask(mask_file, 7) == person_mask(mask_file, 2)).all()
    first, third = masks.masks_for(mask_file, 2, every=2)
    assert third[50, 110] and not first[50, 110]
    share = masks.share_of_positions(person_mask(mask_file, 0), 4)
    assert share.shape == (4, 4) and share[0].max() == share[:, 2:].max() == 0
    assert share.sum() * 30 * 40 == pytest.approx(1600, rel=1e-3)
    picture = np.full((224, 224, 3), 60, "uint8")
    picture[cv2.resize(mask.astype("uint8"), (224, 224)) > 0] = 250
    nobody = masks.without_person(picture, mask)
    assert nobody.max() < 70 and abs(nobody.astype(int) - 60).max() < 10
    assert picture.max() == 250
    alone = masks.without_scene(picture, mask)
    assert (alone[:60] == MEAN_COLOUR).all() and (alone[100, 110] == 250).all()


def test_heat_is_red_for_and_blue_against():
    frame, heat = np.full((70, 70, 3), 100, "uint8"), np.zeros((7, 7))
    heat[0, 0], heat[6, 6] = 2.0, -2.0
    drawn = draw_heat(frame, heat)
    assert drawn.shape == frame.shape and drawn.dtype == np.uint8
    assert drawn[2, 2, 0] > 180 > 60 > drawn[2, 2, 2]
    assert drawn[68, 68, 2] > 180 > 60 > drawn[68, 68, 0]
    assert (drawn[35, 35] == 100).all()
    assert (draw_heat(frame, 0 * heat) == frame).all()
