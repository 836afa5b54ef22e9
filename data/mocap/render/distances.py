"""How far apart movements are: python distances.py

Compares one pass of the movement in a clip with the same in another clip, for two clips
of one person, for two people, and for two classes, with and without the people's
styles. The measure is the angle, in degrees, by which a joint of one pose must be
turned to stand as in the other, averaged over the twelve joints; poses are paired by
dynamic time warping, which may begin and end anywhere in the second clip's movement, so
that speed and starting point do not count. Of the second clip as it is and mirrored
left to right, the nearer one counts. Where a class has two recordings, only clips of
the same one are compared, except between classes.
"""

import argparse
from functools import cache
from itertools import combinations

import numpy as np

from motions import ACTIONS, JOINT_SLICES, mirror, play_on, sample
from recordings import CLIPS, GROUPS, take_of
from render import recording_of, style_of
from styles import AS_RECORDED, inverse, multiply, rotation_vector, style_motion, warp

STEPS = 40  # poses in one pass of a recording
KINDS = ["two clips of a person", "two people", "two classes"]


@cache
def one_pass(label, group, clip, styled, passes=1):
    """Poses of a clip's movement over one or more passes of its recording."""
    action = ACTIONS[label]
    style = style_of(label, group, clip) if styled else AS_RECORDED
    motion = style_motion(recording_of(label, group, clip), style, action.closed)
    phases = warp(np.arange(passes * STEPS) / STEPS, style.linger)
    if action.once:
        return sample(motion, phases * motion.duration)
    return play_on(motion, phases * (motion.duration + action.blend_s), action.blend_s)


def pose_distances(first, second):
    """Mean joint angle between all poses of two movements, in degrees, (n, m)."""
    angles = []
    for part in JOINT_SLICES.values():
        a, b = first[:, None, part], second[None, :, part]
        if a.shape[-1] == 1:
            angles.append(np.abs(a - b)[..., 0])
            continue
        between = multiply(inverse(a), b).reshape(-1, 4)
        angles.append(np.linalg.norm(rotation_vector(between), axis=1).reshape(len(first), len(second)))
    return np.degrees(np.mean(angles, axis=0))


def aligned(costs):
    """Mean cost of the cheapest path through costs (n, m) from anywhere in the first
    row to the last row.
    """
    total, length = costs[0], np.ones(costs.shape[1])
    for row in costs[1:]:
        before, counts = total, length
        total, length = np.empty_like(before), np.empty_like(counts)
        total[0], length[0] = before[0] + row[0], counts[0] + 1
        for column in range(1, len(row)):
            ways = (
                (before[column - 1], counts[column - 1]),
                (before[column], counts[column]),
                (total[column - 1], length[column - 1]),
            )
            best, steps = min(ways, key=lambda way: way[0])
            total[column], length[column] = best + row[column], steps + 1
    return (total / length)[total.argmin()]


def distance(first, second, styled):
    """Distance of two clips' movements, each clip as (label, group, clip)."""
    movement = one_pass(*first, styled)
    other = one_pass(*second, styled, 1 if ACTIONS[second[0]].once else 2)
    return min(aligned(pose_distances(movement, side)) for side in (other, mirror(other)))


def same_take(first, second):
    return take_of(*first) == take_of(*second)


def pairs_to_compare(label, labels):
    """Pairs of clips to compare for one class, by kind."""
    pairs = {kind: [] for kind in KINDS}
    for group in GROUPS:
        clips = [(label, group, clip) for clip in CLIPS]
        pairs[KINDS[0]] += [pair for pair in combinations(clips, 2) if same_take(*pair)][:1]
    # every person with the next and the third one after
    for step in (1, 3):
        for group in GROUPS:
            other = (group + step - 1) % len(GROUPS) + 1
            first = (label, group, CLIPS[0])
            choices = [(label, other, clip) for clip in CLIPS]
            pairs[KINDS[1]] += [(first, second) for second in choices if same_take(first, second)][:1]
    for number, other in enumerate(other for other in labels if other != label):
        group = number % len(GROUPS) + 1
        pairs[KINDS[2]].append(((label, group, CLIPS[0]), (other, group % len(GROUPS) + 1, CLIPS[0])))
    return pairs


def main():
    argparse.ArgumentParser(description=__doc__.partition("\n")[0]).parse_args()
    labels = [label for label, action in ACTIONS.items() if action.takes]
    found = {
        (label, kind, styled): np.mean([distance(*pair, styled) for pair in pairs])
        for label in labels
        for kind, pairs in pairs_to_compare(label, labels).items()
        for styled in (False, True)
    }
    heads = [f"{kind}, {'own' if styled else 'plain'}" for kind in KINDS for styled in (False, True)]
    rows = [["class", *heads]]
    for label in labels:
        rows.append([label, *(f"{found[label, kind, on]:.1f}" for kind in KINDS for on in (False, True))])
    means = [np.mean([found[label, kind, on] for label in labels]) for kind in KINDS for on in (False, True)]
    rows.append(["mean", *(f"{mean:.1f}" for mean in means)])
    rows.insert(1, ["---"] + ["---:"] * len(heads))
    for row in rows:
        print("| " + " | ".join(row) + " |")


if __name__ == "__main__":
    main()
