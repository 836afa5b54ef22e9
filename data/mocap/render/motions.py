"""The motion side of the built-in clips: capture files in, one pose per video frame
out.

A pose is a row of 43 numbers, laid out as in the capture files (without their leading
frame time): root position in metres, root rotation, then the joints. Rotations are
quaternions in the order w, x, y, z; knees and elbows are single angles in radians. The
world is y up and a person faces along x.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

FPS = 25
SPEEDS = (0.8, 1.3)  # slowest and fastest, over the recording's
POSE_SIZE = 43
ROOT_POSITION = slice(0, 3)
ROOT_ROTATION = slice(3, 7)

JOINT_SLICES = {
    "chest": slice(7, 11),
    "neck": slice(11, 15),
    "right_hip": slice(15, 19),
    "right_knee": slice(19, 20),
    "right_ankle": slice(20, 24),
    "right_shoulder": slice(24, 28),
    "right_elbow": slice(28, 29),
    "left_hip": slice(29, 33),
    "left_knee": slice(33, 34),
    "left_ankle": slice(34, 38),
    "left_shoulder": slice(38, 42),
    "left_elbow": slice(42, 43),
}
QUATERNION_SLICES = [ROOT_ROTATION] + [s for s in JOINT_SLICES.values() if s.stop - s.start == 4]


@dataclass(frozen=True)
class Action:
    """How one class is made from capture files.

    takes: names of the capture files, used in turn. once: play one pass with a short
    rest at either end, instead of going on for the whole clip. blend_s: seconds spent
    moving from the last pose back to the first one; 0 where the capture is a closed
    cycle. reversed_from: the class whose clips, frame for frame, are shown backwards.
    """

    takes: tuple = ()
    once: bool = False
    blend_s: float = 0.0
    reversed_from: str | None = None

    @property
    def closed(self):
        """Whether the captures are closed cycles."""
        return not self.once and not self.blend_s


ACTIONS = {
    "Backflip": Action(("backflip",)),
    "Cartwheel": Action(("cartwheel",)),
    "Crawl": Action(("crawl",)),
    "Dance": Action(("dance_a", "dance_b")),
    "GetUp": Action(("getup_facedown", "getup_faceup"), once=True),
    "Jump": Action(("jump",)),
    "Kick": Action(("kick",), blend_s=0.35),
    "LieDown": Action(reversed_from="GetUp"),
    "Punch": Action(("punch",), blend_s=0.35),
    "Roll": Action(("roll",)),
    "Run": Action(("run",)),
    "SpinKick": Action(("spinkick",)),
    "Walk": Action(("walk",)),
    "WalkBackwards": Action(reversed_from="Walk"),
}


@dataclass(frozen=True)
class Motion:
    """A capture: its frame times in seconds (n,) and its poses (n, 43)."""

    times: np.ndarray
    poses: np.ndarray

    @property
    def duration(self):
        return float(self.times[-1])


def load_motion(path, closed):
    """Read a DeepMimic capture file and turn it so that the person travels along x, if
    they travel at all.

    closed: the capture is a cycle to be repeated; it is straightened, so that the
    person goes on straight ahead.
    """
    rows = np.array(json.loads(Path(path).read_text())["Frames"])
    times = np.concatenate([[0.0], np.cumsum(rows[:-1, 0])])
    poses = rows[:, 1:].copy()
    if closed:
        poses = straighten(poses, times / times[-1])
    travel = poses[-1, ROOT_POSITION] - poses[0, ROOT_POSITION]
    if np.hypot(travel[0], travel[2]) > 0.5:
        poses = move_on_ground(poses, np.arctan2(travel[2], travel[0]), np.zeros(3))
    return Motion(times, poses)


def multiply(a, b):
    """Hamilton product of quaternions (..., 4) in the order w, x, y, z."""
    aw, ax, ay, az = np.moveaxis(np.asarray(a), -1, 0)
    bw, bx, by, bz = np.moveaxis(np.asarray(b), -1, 0)
    return np.stack(
        [
            aw * bw - ax * bx - ay * by - az * bz,
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
        ],
        axis=-1,
    )


def slerp(a, b, weight):
    """Spherical interpolation between quaternions a and b (n, 4), the short way
    round; weight is (n, 1).
    """
    dot = np.sum(a * b, axis=-1, keepdims=True)
    b = np.where(dot < 0, -b, b)
    angle = np.arccos(np.clip(np.abs(dot), 0.0, 1.0))
    sine = np.sin(angle)
    near = sine < 1e-4
    safe = np.where(near, 1.0, sine)
    weight_a = np.where(near, 1 - weight, np.sin((1 - weight) * angle) / safe)
    weight_b = np.where(near, weight, np.sin(weight * angle) / safe)
    mixed = weight_a * a + weight_b * b
    return mixed / np.linalg.norm(mixed, axis=-1, keepdims=True)


def mix_poses(a, b, weight):
    """Interpolate between poses a and b (n, 43) by weight (n,)."""
    weight = weight[:, None]
    mixed = a * (1 - weight) + b * weight
    for part in QUATERNION_SLICES:
        mixed[:, part] = slerp(a[:, part], b[:, part], weight)
    return mixed


def sample(motion, times):
    """Poses of a capture at the given times (seconds from its start)."""
    times = np.clip(times, 0.0, motion.duration)
    after = np.clip(np.searchsorted(motion.times, times), 1, len(motion.times) - 1)
    before = after - 1
    weight = (times - motion.times[before]) / (motion.times[after] - motion.times[before])
    return mix_poses(motion.poses[before], motion.poses[after], weight)


def heading(pose):
    """Angle about the y axis, in radians, to which the root has turned the x axis."""
    w, x, y, z = pose[ROOT_ROTATION]
    return np.arctan2(-2 * (x * z - w * y), 1 - 2 * (y * y + z * z))


def turn_vectors(vectors, yaw):
    """Turn vectors (..., 3) about the y axis by yaw radians."""
    cos, sin = np.cos(yaw), np.sin(yaw)
    x, y, z = np.moveaxis(vectors, -1, 0)
    return np.stack([cos * x + sin * z, y, cos * z - sin * x], axis=-1)


def move_on_ground(poses, yaw, shift):
    """Turn poses (n, 43) about the origin by yaw radians, then shift them by (x, 0,
    z) metres.
    """
    moved = poses.copy()
    turn = np.array([np.cos(yaw / 2), 0.0, np.sin(yaw / 2), 0.0])
    moved[:, ROOT_POSITION] = turn_vectors(poses[:, ROOT_POSITION], yaw) + shift
    moved[:, ROOT_ROTATION] = multiply(turn, poses[:, ROOT_ROTATION])
    return moved


def step_between(first, last):
    """The ground move (yaw, shift) which puts pose `first` where pose `last` stands,
    facing the same way.
    """
    yaw = heading(last) - heading(first)
    start = turn_vectors(first[ROOT_POSITION], yaw)
    return yaw, (last[ROOT_POSITION] - start) * np.array([1.0, 0.0, 1.0])


def straighten(poses, progress):
    """Take the turn between first and last pose out of a cycle, evenly; progress
    (n,) goes from 0 to 1.
    """
    yaw, _ = step_between(poses[0], poses[-1])
    corrections = -yaw * progress
    straight = poses.copy()
    half = corrections / 2
    turns = np.stack([np.cos(half), np.zeros_like(half), np.sin(half), np.zeros_like(half)], axis=1)
    straight[:, ROOT_ROTATION] = multiply(turns, poses[:, ROOT_ROTATION])
    for i in range(1, len(poses)):
        step = poses[i, ROOT_POSITION] - poses[i - 1, ROOT_POSITION]
        straight[i, ROOT_POSITION] = straight[i - 1, ROOT_POSITION] + turn_vectors(step, corrections[i])
    return straight


def play_on(motion, source_times, blend_s):
    """Poses at source_times (seconds from 0), the capture repeated and each pass
    carried on from the last.
    """
    period = motion.duration + blend_s
    passes = np.floor(source_times / period).astype(int)
    within = source_times - passes * period
    poses = np.empty((len(source_times), POSE_SIZE))
    step_yaw, step_shift = step_between(motion.poses[0], motion.poses[-1])
    yaw, shift = 0.0, np.zeros(3)
    for number in range(passes.max() + 1):
        next_yaw, next_shift = yaw + step_yaw, turn_vectors(step_shift, yaw) + shift
        chosen = passes == number
        here = move_on_ground(sample(motion, within[chosen]), yaw, shift)
        if blend_s:
            start = move_on_ground(motion.poses[:1], next_yaw, next_shift).repeat(len(here), axis=0)
            weight = np.clip((within[chosen] - motion.duration) / blend_s, 0.0, 1.0)
            here = mix_poses(here, start, weight * weight * (3 - 2 * weight))
        poses[chosen] = here
        yaw, shift = next_yaw, next_shift
    return poses


def mirror(poses):
    """Reflect poses left to right, in the person's own x-y plane."""
    mirrored = poses.copy()
    for name, part in JOINT_SLICES.items():
        side, _, joint = name.partition("_")
        if side in ("left", "right"):
            other = JOINT_SLICES[f"{'left' if side == 'right' else 'right'}_{joint}"]
            mirrored[:, part] = poses[:, other]
    for part in QUATERNION_SLICES:
        mirrored[:, part] *= np.array([1, -1, -1, 1])
    mirrored[:, 2] *= -1
    return mirrored


def plan_poses(action, motion, rng, restyle=None, warp=None, tempo=1.0):
    """Choose speed, start, length and side for one clip; returns its poses (n, 43), one
    per video frame.

    There are 5k + 1 frames, so that every fifth frame, from the first to the last, is
    the same when the clip is shown backwards. restyle: takes a Motion and gives it back
    in a person's own style; warp: takes phases (1 being a pass of the recording) to
    phases; tempo: the person's own speed.
    """
    speed = np.clip(rng.uniform(0.8, 1.25) * tempo, *SPEEDS)
    if rng.random() < 0.5:
        motion = Motion(motion.times, mirror(motion.poses))
    if restyle:
        motion = restyle(motion)
    warp = warp or (lambda phase: phase)
    if action.once:
        pass_s = motion.duration / speed
        clock = frame_times(np.clip(pass_s + rng.uniform(0.3, 0.8), 3.0, 5.0))
        rest_before_s = (clock[-1] - pass_s) * rng.uniform(0.3, 0.7)
        phase = np.clip((clock - rest_before_s) / pass_s, 0.0, 1.0)
        return sample(motion, warp(phase) * motion.duration)
    period = motion.duration + action.blend_s
    clock = frame_times(rng.uniform(3.0, 4.2))
    start = rng.uniform(0.0, period)
    return play_on(motion, warp((start + clock * speed) / period) * period, action.blend_s)


def frame_times(length_s):
    """Times of about length_s seconds of video frames, 5k + 1 of them."""
    return np.arange(5 * round(length_s * FPS / 5) + 1) / FPS
