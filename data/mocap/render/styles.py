"""How each of the ten people moves: the same recordings, done in ten ways.

A style is applied to a recording before it is played: the joints swing more or less
widely about the recording's own mean pose, the posture is shifted, and the body is set
on the ground again where the recording had it. The clock then runs unevenly. Angles in
a Style are degrees. See motions.py for what a pose is.
"""

from dataclasses import dataclass, fields, replace

import numpy as np

from motions import JOINT_SLICES, ROOT_POSITION, ROOT_ROTATION, Motion, multiply

# Parent of each joint and its place in the parent's frame, in metres (PyBullet's
# humanoid.urdf, over 4)
SKELETON = {
    "chest": ("root", (0.0, 0.2362, 0.0)),
    "neck": ("chest", (0.0, 0.2238, 0.0)),
    "right_shoulder": ("chest", (-0.024, 0.2435, 0.1831)),
    "right_elbow": ("right_shoulder", (0.0, -0.2748, 0.0)),
    "right_wrist": ("right_elbow", (0.0, -0.2590, 0.0)),
    "left_shoulder": ("chest", (-0.024, 0.2435, -0.1831)),
    "left_elbow": ("left_shoulder", (0.0, -0.2748, 0.0)),
    "left_wrist": ("left_elbow", (0.0, -0.2590, 0.0)),
    "right_hip": ("root", (0.0, 0.0, 0.0849)),
    "right_knee": ("right_hip", (0.0, -0.4215, 0.0)),
    "right_ankle": ("right_knee", (0.0, -0.4099, 0.0)),
    "left_hip": ("root", (0.0, 0.0, -0.0849)),
    "left_knee": ("left_hip", (0.0, -0.4215, 0.0)),
    "left_ankle": ("left_knee", (0.0, -0.4099, 0.0)),
}
# What can touch the ground: link, place on it, radius; for the feet, the corners of a
# box
TOUCHING = [
    ("root", (0.0, 0.0, 0.0), 0.118),
    ("chest", (0.0, 0.10, 0.0), 0.115),
    ("neck", (0.0, 0.175, 0.0), 0.1025),
]
for _side in ("right", "left"):
    TOUCHING += [(f"{_side}_{joint}", (0.0, 0.0, 0.0), 0.045) for joint in ("shoulder", "elbow", "wrist")]
    TOUCHING += [(f"{_side}_knee", (0.0, 0.0, 0.0), 0.055)]
    TOUCHING += [
        (f"{_side}_ankle", (0.045 + along, -0.0225 + up, across), 0.0)
        for along in (-0.0885, 0.0885)
        for up in (-0.0275, 0.0275)
        for across in (-0.045, 0.045)
    ]
RADII = np.array([radius for _, _, radius in TOUCHING])
SHARES = np.array([0.25 if link.endswith("ankle") else 1.0 for link, _, _ in TOUCHING])
LINKS = [link for link, _, _ in TOUCHING]
HANDS = {"right": LINKS.index("right_wrist"), "left": LINKS.index("left_wrist")}

NEAR_GROUND = 0.06  # metres above the ground within which a point carries weight
# swings beyond this are not made wider or narrower any further
WIDEST_SWING = np.radians(60)
# a root that turns further than this from its mean is left as it is
MOST_TURN = np.radians(35)
# radians by which the whole body may be tilted to put hands and feet on the ground
MOST_TILT = 0.25
LONGEST_BEND = np.radians(150)


@dataclass(frozen=True)
class Style:
    """A person's way of moving.

    words: what it looks like. arms, legs, spine: how widely they swing, 1 being as
    recorded. tempo: speed, 1 being as recorded. linger: how unevenly the clock runs, as
    (depth, phase) once per pass of the recording and (depth, phase) twice per pass;
    depths add up to less than 1, phases are in radians. lean: whole upper body forward,
    from the hips. hunch: forward from the waist. nod: head forward. tilt: upper body to
    the right. wide: arms out from the body. ahead: arms to the front. elbows: more
    bent. crouch: knees more bent. stance: legs apart.
    """

    words: str = "as recorded"
    arms: float = 1.0
    legs: float = 1.0
    spine: float = 1.0
    tempo: float = 1.0
    linger: tuple = ((0.0, 0.0), (0.0, 0.0))
    lean: float = 0.0
    hunch: float = 0.0
    nod: float = 0.0
    tilt: float = 0.0
    wide: float = 0.0
    ahead: float = 0.0
    elbows: float = 0.0
    crouch: float = 0.0
    stance: float = 0.0

    def for_clip(self, rng):
        """The style on the day: nobody does a thing twice in quite the same way."""
        changes = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in ("arms", "legs", "spine"):
                changes[field.name] = value * (1 + 0.03 * rng.standard_normal())
            elif field.name == "linger":
                (once, once_at), (twice, twice_at) = value
                less = rng.uniform(0.9, 1.0)
                changes[field.name] = ((once * less, once_at), (twice * less, twice_at))
            elif field.name not in ("words", "tempo"):
                changes[field.name] = value + 1.2 * rng.standard_normal()
        return replace(self, **changes)


AS_RECORDED = Style()
STYLES = [
    Style(
        "springy: upright, wide swings of arms and legs, quick",
        arms=1.25,
        legs=1.15,
        spine=1.15,
        tempo=1.1,
        linger=((0.30, 0.5), (0.15, 2.0)),
        lean=-4,
        hunch=-6,
        nod=-4,
        wide=9,
        crouch=-3,
        stance=2,
    ),
    Style(
        "stiff: small swings, arms close and nearly straight, head high",
        arms=0.72,
        legs=0.82,
        spine=0.7,
        tempo=0.97,
        linger=((0.12, 4.0), (0.12, 0.0)),
        hunch=-7,
        nod=-10,
        wide=-5,
        elbows=-12,
        stance=-1,
    ),
    Style(
        "old: stooped, knees and elbows bent, short steps, slow",
        arms=0.85,
        legs=0.8,
        spine=0.9,
        tempo=0.88,
        linger=((0.35, 3.0), (0.1, 1.0)),
        lean=9,
        hunch=19,
        nod=-8,
        ahead=12,
        elbows=20,
        crouch=10,
        stance=2,
    ),
    Style(
        "swaggering: leans back, elbows out, trunk turning, feet apart",
        arms=1.1,
        legs=1.05,
        spine=1.3,
        tempo=0.95,
        linger=((0.25, 1.5), (0.25, 3.5)),
        lean=-9,
        hunch=-5,
        nod=6,
        wide=20,
        elbows=15,
        stance=6,
    ),
    Style(
        "airy: arms held out and far-swinging, head up, light",
        arms=1.25,
        legs=0.95,
        spine=1.1,
        tempo=1.03,
        linger=((0.35, 5.5), (0.1, 4.0)),
        hunch=-8,
        nod=-14,
        wide=24,
        elbows=-10,
        stance=-2,
    ),
    Style(
        "pressing ahead: leans forward, elbows tightly bent, long steps, fast",
        arms=1.05,
        legs=1.25,
        spine=1.0,
        tempo=1.12,
        linger=((0.15, 2.5), (0.3, 5.0)),
        lean=14,
        nod=-10,
        wide=-3,
        ahead=8,
        elbows=28,
        crouch=3,
    ),
    Style(
        "slouching: round back, head down, arms hanging, slow",
        arms=0.7,
        legs=0.9,
        spine=0.85,
        tempo=0.9,
        linger=((0.4, 0.0), (0.05, 1.0)),
        lean=-5,
        hunch=20,
        nod=18,
        ahead=5,
        elbows=-12,
        crouch=5,
    ),
    Style(
        "prowling: crouched, arms wide and forward, wary",
        arms=0.95,
        legs=1.05,
        spine=1.1,
        tempo=0.95,
        linger=((0.2, 3.8), (0.35, 2.0)),
        lean=11,
        hunch=5,
        nod=-14,
        wide=16,
        ahead=18,
        elbows=12,
        crouch=18,
        stance=5,
    ),
    Style(
        "heavy: legs wide apart, arms away from the body, rolling trunk",
        arms=0.8,
        legs=0.85,
        spine=1.3,
        tempo=0.92,
        linger=((0.3, 2.2), (0.2, 0.5)),
        lean=-5,
        hunch=4,
        wide=22,
        ahead=-5,
        elbows=8,
        crouch=6,
        stance=10,
    ),
    Style(
        "lopsided: trunk tilted to one side, jerky",
        arms=1.2,
        legs=1.1,
        spine=1.0,
        tempo=1.05,
        linger=((0.3, 4.7), (0.35, 5.5)),
        lean=3,
        hunch=6,
        nod=8,
        tilt=14,
        wide=4,
        elbows=10,
        crouch=4,
        stance=2,
    ),
]


def about(axis, angle):
    """Rotations (n, 4) about axis 0, 1 or 2 by angle (n,) or a number, in radians."""
    angle = np.atleast_1d(angle)
    turn = np.zeros((len(angle), 4))
    turn[:, 0], turn[:, 1 + axis] = np.cos(angle / 2), np.sin(angle / 2)
    return turn


def inverse(rotation):
    return rotation * np.array([1.0, -1.0, -1.0, -1.0])


def turned(rotation, vectors):
    """Vectors (n, 3) turned by rotations (n, 4)."""
    w, axis = rotation[..., :1], rotation[..., 1:]
    once = np.cross(axis, vectors)
    return vectors + 2 * (w * once + np.cross(axis, once))


def rotation_vector(rotation):
    """Axis times angle (n, 3) of rotations (n, 4), the short way round."""
    rotation = rotation * np.where(rotation[:, :1] < 0, -1.0, 1.0)
    sine = np.linalg.norm(rotation[:, 1:], axis=1, keepdims=True)
    angle = 2 * np.arctan2(sine, rotation[:, :1])
    return rotation[:, 1:] * np.where(sine > 1e-9, angle / np.maximum(sine, 1e-9), 2.0)


def from_rotation_vector(vector):
    angle = np.linalg.norm(vector, axis=1, keepdims=True)
    return np.concatenate([np.cos(angle / 2), vector * np.sinc(angle / (2 * np.pi)) / 2], axis=1)


def mean_rotation(rotations):
    """The rotation (4,) nearest to all of rotations (n, 4)."""
    return np.linalg.eigh(rotations.T @ rotations)[1][:, -1]


def scale_angle(angle, factor, widest=np.inf):
    """Angles times factor; what lies beyond `widest` is changed about as much as
    `widest` itself.
    """
    if np.isinf(widest):
        return angle * factor
    return angle + (factor - 1) * widest * np.tanh(angle / widest)


def scale_about(rotations, mean, factor, widest=np.inf):
    """Rotations (n, 4) moved nearer to a mean rotation (4,) or further off: the
    angle to it times factor.
    """
    vector = rotation_vector(multiply(inverse(mean), rotations))
    angle = np.linalg.norm(vector, axis=1, keepdims=True)
    scale = scale_angle(angle, factor, widest) / np.maximum(angle, 1e-9)
    return multiply(mean, from_rotation_vector(vector * scale))


def warp(phase, linger):
    """An uneven clock: phases (1 being a whole pass) to phases, always rising; whole
    numbers stay whole.
    """
    warped = np.array(phase, float)
    for turns, (depth, at) in enumerate(linger, start=1):
        circle = 2 * np.pi * turns
        warped += depth / circle * (np.sin(circle * np.asarray(phase) + at) - np.sin(at))
    return warped


def place_links(poses):
    """World positions and rotations of all links of poses (n, 43): two dictionaries
    by link.
    """
    places, turns = {"root": poses[:, ROOT_POSITION]}, {"root": poses[:, ROOT_ROTATION]}
    for name, (parent, offset) in SKELETON.items():
        places[name] = places[parent] + turned(turns[parent], np.broadcast_to(offset, (len(poses), 3)))
        if name not in JOINT_SLICES:
            turns[name] = turns[parent]
            continue
        value = poses[:, JOINT_SLICES[name]]
        turns[name] = multiply(turns[parent], value if value.shape[1] == 4 else about(2, value[:, 0]))
    return places, turns


def touching_points(poses):
    """World positions (n, points, 3) of what can touch the ground; see TOUCHING."""
    places, turns = place_links(poses)
    points = [
        places[link] + turned(turns[link], np.broadcast_to(offset, (len(poses), 3)))
        for link, offset, _ in TOUCHING
    ]
    return np.stack(points, axis=1)


def heights(points):
    return points[..., 1] - RADII


def floor_of(heights):
    """Height of the ground in a recording, from the heights (n, points) of what can
    touch it.
    """
    return np.percentile(heights.min(axis=1), 20)


def smooth(track, times, seconds, closed):
    """Smooth a track (n, d), given at even times; a closed one goes on from its end
    to its start.
    """
    step = np.median(np.diff(times))
    reach = max(1, round(3 * seconds / step))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) * step / seconds) ** 2)
    weights /= weights.sum()
    if closed:
        padded = np.concatenate([track[-1 - reach : -1], track, track[1 : 1 + reach]])
    else:
        padded = np.pad(track, ((reach, reach), (0, 0)), mode="edge")
    return np.stack([np.convolve(column, weights, "valid") for column in padded.T], axis=1)


def scale_swings(poses, style):
    """Let the joints of poses (n, 43) swing more or less widely about their mean
    over these poses.
    """
    styled = poses.copy()
    root = poses[:, ROOT_ROTATION]
    mean = mean_rotation(root)
    if np.linalg.norm(rotation_vector(multiply(inverse(mean), root)), axis=1).max() < MOST_TURN:
        styled[:, ROOT_ROTATION] = scale_about(root, mean, style.spine, WIDEST_SWING)
    for name, part in JOINT_SLICES.items():
        joint = name.rpartition("_")[2]
        if joint == "ankle":
            continue  # set by keep_feet
        factor = {"chest": style.spine, "neck": style.spine, "hip": style.legs, "knee": style.legs}.get(
            joint, style.arms
        )
        values = poses[:, part]
        if values.shape[1] == 4:
            styled[:, part] = scale_about(values, mean_rotation(values), factor, WIDEST_SWING)
        else:
            middle = values.mean()
            styled[:, part] = middle + scale_angle(values - middle, factor, WIDEST_SWING)
    return styled


def shift_posture(poses, style, upright, hands_free):
    """Shift the posture of poses (n, 43).

    upright (n,): 1 where the person stands, 0 where they lie or are upside down;
    hands_free: likewise by side, 0 where the hand carries weight. The shift fades out
    there.
    """
    styled = poses.copy()
    degrees = np.pi / 180 * upright

    def turn(name, axis, angle):
        part = ROOT_ROTATION if name == "root" else JOINT_SLICES[name]
        # the root is turned in its own frame, the others in that of their parent
        pair = (styled[:, part], about(axis, angle))
        styled[:, part] = multiply(*(pair if name == "root" else pair[::-1]))

    turn("root", 2, -style.lean * degrees)
    back = np.pi / 180 * (0.35 + 0.65 * upright)
    turn("chest", 2, -style.hunch * back)
    turn("chest", 0, style.tilt * back)
    turn("neck", 2, -style.nod * back)
    turn("neck", 0, -0.5 * style.tilt * back)
    for side, out in (("right", -1), ("left", 1)):
        turn(f"{side}_hip", 2, (style.lean + style.crouch) * degrees)
        turn(f"{side}_hip", 0, out * style.stance * degrees)
        styled[:, JOINT_SLICES[f"{side}_knee"]] -= 2 * (style.crouch * degrees)[:, None]
        arm = np.pi / 180 * (0.3 + 0.7 * upright) * hands_free[side]
        turn(f"{side}_shoulder", 2, style.ahead * arm)
        turn(f"{side}_shoulder", 0, out * style.wide * arm)
        styled[:, JOINT_SLICES[f"{side}_elbow"]] += (style.elbows * arm)[:, None]
    return styled


def keep_bends_human(poses, recorded):
    """Keep knees and elbows from bending too far, or the wrong way further than they
    were recorded to.
    """
    kept = poses.copy()
    for side in ("right", "left"):
        knee, elbow = JOINT_SLICES[f"{side}_knee"], JOINT_SLICES[f"{side}_elbow"]
        kept[:, knee] = np.clip(poses[:, knee], -LONGEST_BEND, max(recorded[:, knee].max(), -0.02))
        kept[:, elbow] = np.clip(poses[:, elbow], min(recorded[:, elbow].min(), 0.02), LONGEST_BEND)
    return kept


def keep_feet(poses, recorded):
    """Turn the ankles of poses (n, 43) so that the feet point in space as they were
    recorded.
    """
    kept = poses.copy()
    _, wanted = place_links(recorded)
    _, turns = place_links(poses)
    for side in ("right", "left"):
        ankle = multiply(inverse(turns[f"{side}_knee"]), wanted[f"{side}_ankle"])
        part = JOINT_SLICES[f"{side}_ankle"]
        change = rotation_vector(multiply(inverse(recorded[:, part]), ankle))
        angle = np.linalg.norm(change, axis=1, keepdims=True)
        change *= np.minimum(angle, np.radians(35)) / np.maximum(angle, 1e-9)
        kept[:, part] = multiply(recorded[:, part], from_rotation_vector(change))
    return kept


def set_on_ground(poses, recorded, times, closed):
    """Tilt the body a little and shift it up or down so that it touches the ground
    where it was recorded to.

    Returns the poses and how much weight each point carries, (n, points).
    """
    wanted = heights(touching_points(recorded))
    weights = np.clip(1 - (wanted - floor_of(wanted)) / NEAR_GROUND, 0.0, 1.0) * SHARES
    points = touching_points(poses)
    offsets = points - poses[:, None, ROOT_POSITION]
    gaps = wanted - heights(points)
    design = np.stack(
        [np.ones_like(gaps), offsets[..., 0], -offsets[..., 2]], axis=-1
    )  # up, about z, about x
    normal = np.einsum("npi,npj,np->nij", design, design, weights) + np.diag([1e-6, 0.04, 0.04])
    solved = np.linalg.solve(normal, np.einsum("npi,np->ni", design, gaps * weights)[..., None])[..., 0]
    tilt = np.clip(smooth(solved[:, 1:], times, 0.08, closed), -MOST_TILT, MOST_TILT)
    vector = np.stack([tilt[:, 1], np.zeros(len(tilt)), tilt[:, 0]], axis=1)
    kept = poses.copy()
    kept[:, ROOT_ROTATION] = multiply(from_rotation_vector(vector), poses[:, ROOT_ROTATION])
    kept = keep_feet(kept, recorded)
    lift = (wanted.min(axis=1) - heights(touching_points(kept)).min(axis=1))[:, None]
    on_ground = np.minimum(weights.max(axis=1) / SHARES.min(), 1.0)[:, None]
    lift = smooth(lift, times, 0.02, closed) * on_ground + smooth(lift, times, 0.08, closed) * (1 - on_ground)
    kept[:, 1] += lift[:, 0]
    return kept, weights


def keep_footing(poses, recorded, weights, times, closed):
    """Let the body travel so that what stands on the ground stays as still as it did
    in the recording.
    """
    moved = poses.copy()
    wanted = touching_points(recorded)[..., [0, 2]] - recorded[:, None, [0, 2]]
    found = touching_points(poses)[..., [0, 2]] - poses[:, None, [0, 2]]
    shares = np.minimum(weights[1:], weights[:-1])[..., None]
    total = shares.sum(axis=1)
    change = np.diff(wanted - found, axis=0)
    change = (change * shares).sum(axis=1) / np.maximum(total, 1e-9)
    touching = total[:, 0] > 0.05
    if not touching.any():
        return moved
    steps = np.arange(len(change))
    change = np.stack([np.interp(steps, steps[touching], column[touching]) for column in change.T], axis=1)
    change = np.concatenate([change, change[:1] if closed else change[-1:]])
    change = smooth(change, times, 0.04, closed)[:-1]
    moved[1:, [0, 2]] += np.cumsum(change, axis=0)
    return moved


def style_motion(motion, style, closed):
    """The recording, done by somebody else; closed: it is a cycle that goes on from
    its end to its start.
    """
    recorded = motion.poses
    up = turned(recorded[:, ROOT_ROTATION], np.broadcast_to([0.0, 1.0, 0.0], (len(recorded), 3)))
    upright = np.clip(up[:, 1], 0.0, 1.0)
    height = heights(touching_points(recorded))
    carries = {
        side: np.clip(1.5 - (height[:, number] - floor_of(height)) / 0.08, 0.0, 1.0)
        for side, number in HANDS.items()
    }
    hands_free = {
        side: 1 - smooth(carried[:, None], motion.times, 0.1, closed)[:, 0]
        for side, carried in carries.items()
    }
    poses = shift_posture(scale_swings(recorded, style), style, upright, hands_free)
    poses = keep_feet(keep_bends_human(poses, recorded), recorded)
    poses, weights = set_on_ground(poses, recorded, motion.times, closed)
    return Motion(motion.times, keep_footing(poses, recorded, weights, motion.times, closed))
