"""The built-in clips as they lie in the repository, and the movements they are
rendered from.
"""

import sys
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

sys.path.append(str(MOCAP / "render"))

import motions  # noqa: E402
import styles  # noqa: E402


@cache
def frame_count(path):
    return int(cv2.VideoCapture(str(path)).get(cv2.CAP_PROP_FRAME_COUNT))


@cache
def masks_of(name):
    """Masks (n, rows, columns) of a clip, one for each fifth frame."""
    stacked = cv2.imread(str(MOCAP / "masks" / f"{name}.png"), cv2.IMREAD_GRAYSCALE)
    return stacked.reshape(-1, MASK_HEIGHT, MASK_WIDTH) > 0


# The files


def test_every_clip_has_a_mask_file_and_no_mask_is_without_a_clip():
    assert len(VIDEOS) == 420
    names = sorted(path.stem for path in VIDEOS)
    assert sorted(path.stem for path in (MOCAP / "masks").glob("*.png")) == names


def test_clips_have_five_k_and_one_frames_and_a_mask_for_each_fifth():
    for path in VIDEOS:
        count = frame_count(path)
        assert count % EVERY == 1
        assert 76 <= count <= 126
        assert len(masks_of(path.stem)) == -(-count // EVERY)


def test_a_clip_has_as_many_frames_as_its_file_says():
    for path in VIDEOS[::60]:
        capture, count = cv2.VideoCapture(str(path)), 0
        while capture.grab():
            count += 1
        assert count == frame_count(path)


def test_each_mask_shows_a_person():
    for path in VIDEOS:
        shares = masks_of(path.stem).mean(axis=(1, 2))
        assert shares.min() > 0.01
        assert shares.max() < 0.3


def test_masks_are_of_the_frames_as_encoded():
    """Where the masks change, so does the picture; less so where they change at
    other times.
    """
    path = next(path for path in VIDEOS if path.stem == "v_Jump_g02_c01")
    capture, frames = cv2.VideoCapture(str(path)), []
    while (read := capture.read())[0]:
        frames.append(cv2.resize(read[1], (MASK_WIDTH, MASK_HEIGHT)).astype(float))
    frames, masks = frames[::EVERY], masks_of(path.stem)
    changed = [np.abs(a - b).mean(axis=2) for a, b in pairwise(frames)]
    own = [a ^ b for a, b in pairwise(masks)]
    fit = np.mean([change[at].mean() for change, at in zip(changed, own, strict=True)])
    other = np.mean(
        [change[at].mean() for change, at in zip(changed, own[::-1], strict=True)]
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


def test_clips_and_masks_are_small():
    sizes = [
        path.stat().st_size for path in [*VIDEOS, *(MOCAP / "masks").glob("*.png")]
    ]
    assert sum(sizes) <= 30e6


# The movements


@pytest.fixture
def march():
    """A made-up recording: somebody marches on the spot."""
    times = np.linspace(0, 1, 31)
    swing = np.sin(2 * np.pi * times)
    poses = np.zeros((len(times), motions.POSE_SIZE))
    for part in motions.QUATERNION_SLICES:
        poses[:, part.start] = 1
    for side, way in (("right", 1), ("left", -1)):
        poses[:, motions.JOINT_SLICES[f"{side}_hip"]] = styles.about(
            2, 0.3 + 0.5 * way * swing
        )
        poses[:, motions.JOINT_SLICES[f"{side}_knee"]] = (-0.6 + 0.4 * way * swing)[
            :, None
        ]
        poses[:, motions.JOINT_SLICES[f"{side}_shoulder"]] = styles.about(
            2, -0.5 * way * swing
        )
        poses[:, motions.JOINT_SLICES[f"{side}_elbow"]] = (0.5 + 0.3 * way * swing)[
            :, None
        ]
    lowest = styles.heights(styles.touching_points(poses)).min(axis=1)
    poses[:, 1] -= lowest
    return motions.Motion(times, poses)


def turn_between(first, second):
    """Angles between rotations (n, 4)."""
    between = motions.multiply(styles.inverse(first), second)
    return np.linalg.norm(styles.rotation_vector(between), axis=1)


def test_the_style_as_recorded_changes_nothing(march):
    styled = styles.style_motion(march, styles.AS_RECORDED, closed=True)
    assert np.allclose(styled.poses[:, :3], march.poses[:, :3], atol=1e-6)
    for part in motions.QUATERNION_SLICES:
        assert np.allclose(
            turn_between(styled.poses[:, part], march.poses[:, part]), 0, atol=1e-6
        )
    for name, part in motions.JOINT_SLICES.items():
        if name.endswith(("knee", "elbow")):
            assert np.allclose(styled.poses[:, part], march.poses[:, part])


@pytest.mark.parametrize(
    "style", styles.STYLES, ids=lambda style: style.words.partition(":")[0]
)
def test_each_style_moves_otherwise_and_stays_on_the_ground(march, style):
    styled = styles.style_motion(march, style, closed=True).poses
    arm = motions.JOINT_SLICES["right_shoulder"]
    assert turn_between(styled[:, arm], march.poses[:, arm]).max() > np.radians(3)
    lowest = styles.heights(styles.touching_points(styled)).min(axis=1)
    assert np.abs(lowest).max() < 0.03
    for side in ("right", "left"):
        assert styled[:, motions.JOINT_SLICES[f"{side}_knee"]].max() <= 0
        assert styled[:, motions.JOINT_SLICES[f"{side}_elbow"]].min() >= 0


def test_the_styles_differ_from_each_other():
    assert len(styles.STYLES) == 10
    assert len({style.words for style in styles.STYLES}) == 10


def test_a_rotation_scaled_about_the_mean_has_the_scaled_angle():
    mean = styles.about(1, 0.7)
    angles = np.linspace(0.05, 1.2, 20)
    rotations = motions.multiply(mean, styles.about(0, angles))
    for factor in (0.5, 1.0, 1.3):
        scaled = styles.scale_about(rotations, mean[0], factor)
        assert np.allclose(
            turn_between(np.repeat(mean, 20, axis=0), scaled), factor * angles
        )


def test_wide_swings_are_not_made_wider_without_end():
    widest = np.radians(60)
    angles = np.radians([5, 170])
    small, large = np.degrees(styles.scale_angle(angles, 1.3, widest))
    assert small == pytest.approx(6.5, abs=0.1)
    assert large < 170 + 0.3 * 60


def test_the_mean_rotation_lies_in_the_middle():
    assert np.allclose(
        turn_between(
            styles.mean_rotation(styles.about(2, np.linspace(0.2, 0.8, 7)))[None],
            styles.about(2, 0.5),
        ),
        0,
        atol=1e-7,
    )


@pytest.mark.parametrize(
    "style", styles.STYLES, ids=lambda style: style.words.partition(":")[0]
)
def test_the_uneven_clock_always_runs_forward_and_keeps_whole_passes(style):
    phases = np.linspace(0, 3, 601)
    warped = styles.warp(phases, style.linger)
    assert np.diff(warped).min() > 0
    assert np.allclose(warped[::200], [0, 1, 2, 3])


def test_clips_have_frames_from_the_first_to_the_last_fifth():
    for seconds in np.linspace(3.0, 5.0, 21):
        times = motions.frame_times(seconds)
        assert len(times) % 5 == 1
        assert abs(times[-1] - seconds) <= 0.1 + 1e-9
