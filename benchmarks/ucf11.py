"""The clips of UCF11 that the tables in README.md were made of, laid out as the course
reads them: UCF's YouTube Action set (Liu, Luo and Shah 2009, doi
10.1109/CVPR.2009.5206744), whose archive has
`<class>/v_<name>_<group>/v_<name>_<group>_<clip>.avi` (or .mpg).

.venv/bin/python benchmarks/ucf11.py /path/to/UCF11_updated_mpg /path/to/ucf11, then
make course DATASET=/path/to/ucf11. Groups 1 to 3 of nine classes are taken: 164 clips,
copied under UCF101's names, and listed in trainlist01.txt (groups 1 and 2, 111 clips)
and testlist01.txt (group 3, 53 clips).
"""

import argparse
import re
import shutil
from pathlib import Path

CLASSES = {
    "basketball": "Basketball",
    "biking": "Biking",
    "diving": "Diving",
    "golf_swing": "GolfSwing",
    "horse_riding": "HorseRiding",
    "soccer_juggling": "SoccerJuggling",
    "tennis_swing": "TennisSwing",
    "trampoline_jumping": "TrampolineJumping",
    "walking": "WalkingWithDog",
}
LISTS = {"trainlist01.txt": ("01", "02"), "testlist01.txt": ("03",)}
CLIPS = {"trainlist01.txt": 111, "testlist01.txt": 53}


def main():
    """Copy and list the clips, and say if there are fewer or more than the tables'."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("archive", type=Path, help="the unpacked archive")
    parser.add_argument("target", type=Path, help="the folder to make")
    options = parser.parse_args()
    found = lay_out(options.archive, options.target)
    for name, count in CLIPS.items():
        print(f"{name}: {len(found[name])} clips; the tables were made of {count}")


def lay_out(archive, target):
    """Copy the clips to `target`, write the lists there, and return them: a dict from a
    list's name to paths such as "Diving/v_Diving_g01_c01.avi", sorted. Raises
    FileNotFoundError if a class has no clips in the archive.
    """
    found = {name: [] for name in LISTS}
    for folder, label in CLASSES.items():
        videos = [*archive.glob(f"{folder}/v_*/v_*.avi")]
        videos += archive.glob(f"{folder}/v_*/v_*.mpg")
        if not videos:
            advice = "Name the folder that has the classes' folders in it."
            raise FileNotFoundError(f"No clips in {archive / folder}. {advice}")
        for video in sorted(videos):
            numbers = re.fullmatch(r"v_\w+?_(\d\d)_(\d\d)", video.stem)
            for name, groups in LISTS.items():
                if numbers and numbers[1] in groups:
                    group, clip = numbers.groups()
                    copy = f"{label}/v_{label}_g{group}_c{clip}{video.suffix}"
                    (target / label).mkdir(parents=True, exist_ok=True)
                    shutil.copy2(video, target / copy)
                    found[name].append(copy)
    for name, copies in found.items():
        lines = "".join(f"{copy}\n" for copy in copies)
        (target / name).write_text(lines, encoding="utf-8")
    return found


if __name__ == "__main__":
    main()
