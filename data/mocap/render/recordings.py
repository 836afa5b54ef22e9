"""Which recording each of the built-in clips is made from: python recordings.py

Writes recordings.csv beside the lists of clips. It renders nothing and needs no
PyBullet.
"""

import csv
from pathlib import Path

from motions import ACTIONS
from places import BUILDERS

DATA_FOLDER = Path(__file__).resolve().parent.parent
GROUPS = range(1, len(BUILDERS) + 1)
CLIPS = range(1, 4)


def clip_name(label, group, clip):
    return f"v_{label}_g{group:02d}_c{clip:02d}.avi"


def take_of(label, group, clip):
    """Name of a clip's recording; of a clip that is shown backwards, of the other."""
    takes = ACTIONS[ACTIONS[label].reversed_from or label].takes
    return takes[(group + clip) % len(takes)]


def recordings():
    """A row for each clip: its path in the lists, and the name of its recording."""
    return [
        (f"{label}/{clip_name(label, group, clip)}", take_of(label, group, clip))
        for label in sorted(ACTIONS)
        for group in GROUPS
        for clip in CLIPS
    ]


def write_recordings(folder):
    with (folder / "recordings.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([("video", "recording"), *recordings()])


if __name__ == "__main__":
    write_recordings(DATA_FOLDER)
