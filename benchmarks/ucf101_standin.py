"""Build a stand-in for UCF101: its 13,320 names and its official lists over the
built-in clips.

`python benchmarks/ucf101_standin.py LISTS FOLDER` links a clip of mocap for each name
in the lists (a folder that holds `trainlist01.txt` and so on), in UCF101's layout. Then
`make course DATASET=FOLDER` shows what UCF101 costs in time, memory and disk. What a
network scores on it means nothing: several classes show the same movement.
"""

import argparse
import os
import shutil
from pathlib import Path, PurePosixPath

from toolbox.clips import listed_clips, lists_in
from toolbox.page import progress

MOCAP = Path(__file__).resolve().parents[1] / "data" / "mocap" / "videos"


def source_of(clip, number, clips):
    """The clip of mocap that stands in for a clip of UCF101: the class decides the
    movement, the group the person and the place, so that clips of one group remain
    alike.

    clip: "class/v_class_g07_c02.avi"; number: of its class, from 0; clips: {movement:
    its files}.
    """
    movements = sorted(clips)
    files = clips[movements[number % len(movements)]]
    group, take = (int(part[1:]) for part in PurePosixPath(clip).stem.split("_")[-2:])
    return files[((group - 1) * 3 + (take - 1) % 3) % len(files)]


def build(lists, folder):
    """Link or copy a clip for every name in the lists; returns how many there are."""
    names = listed_clips(lists)
    if not names:
        raise FileNotFoundError(f"There is no trainlist01.txt in {lists}.")
    clips = {
        place.name: sorted(place.glob("*.avi")) for place in sorted(MOCAP.iterdir())
    }
    classes = sorted({PurePosixPath(name).parent.name for name in names})
    (folder / "ucfTrainTestlist").mkdir(parents=True, exist_ok=True)
    for file in lists_in(lists):
        shutil.copy2(file, folder / "ucfTrainTestlist" / file.name)
    for name in progress(names, desc="link", unit="clip"):
        target = folder / "UCF-101" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        source = source_of(name, classes.index(target.parent.name), clips)
        if not target.exists():
            link_or_copy(source, target)
    return len(names)


def link_or_copy(source, target):
    """A hard link where the file system has them, else a copy."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("lists", type=Path, help="the folder of the official lists")
    parser.add_argument("folder", type=Path, help="where the stand-in goes")
    options = parser.parse_args()
    print(f"{build(options.lists, options.folder)} clips in {options.folder}")
