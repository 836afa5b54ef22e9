"""How long own videos take: from a folder to a classifier, and a film to its answers.

.venv/bin/python benchmarks/own_videos.py [FOLDER [FILM]]; default: the first 100 clips
of mocap, and a film of two minutes that is joined of its clips. Each line is a process
of its own, as a user would start it, in a new folder with the network's weights only.
"""

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from toolbox.clips import find_videos, join_clips, open_video
from toolbox.models.efficientnet import efficientnet_weights

COURSE = Path(__file__).resolve().parent.parent
CLIPS, FILM = 100, 120  # how many, seconds


def main():
    """Print seconds, ratios to real time, sizes and the highest memory."""
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        course = home / "course"
        (course / "weights").mkdir(parents=True)
        shutil.copy(efficientnet_weights(COURSE / "weights"), course / "weights")
        folder, film = (*map(Path, sys.argv[1:]), None, None)[:2]
        folder = folder or some_of_mocap(home / "clips")
        film = film or a_film(COURSE / "data" / "mocap", home / "film.avi")
        with open_video(film) as video:
            seconds = sum(frame.end - frame.start for frame in video)
        print(f"{len(find_videos(folder))} clips; a film of {float(seconds):.0f} s")
        clock("from the folder to a classifier", course, "--dataset", folder)
        took = clock("the film, looked at and annotated", course, film)
        print(f"  {seconds / took:.1f} times as fast as it plays")
        clock("what is answered already", course, film)
        for file in sorted(course.glob("weights/*/classifier*.*")):
            print(f"{file.name}: {file.stat().st_size / 1e6:.1f} MB")
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        print(f"highest memory: {peak / 1024:.0f} MB")


def clock(what, course, *arguments):
    """Run the command, print what it took and return the seconds."""
    command = [sys.executable, COURSE / "tools" / "classify.py", "--course", course]
    settings = {"stdout": subprocess.DEVNULL, "env": {**os.environ, "VIDEO": ""}}
    start = time.perf_counter()
    subprocess.run([*command, *arguments], check=True, **settings)
    took = time.perf_counter() - start
    print(f"{what}: {took:.1f} s")
    return took


def some_of_mocap(target):
    """A folder with the first clips of mocap, a few of each class and group."""
    source = COURSE / "data" / "mocap" / "videos"
    for file in sorted(source.glob("*/*_c01.avi"))[:CLIPS]:
        (target / file.parent.name).mkdir(parents=True, exist_ok=True)
        shutil.copy(file, target / file.parent.name)
    return target


def a_film(folder, target):
    """A film of clips of a folder, one after the other."""
    videos = find_videos(folder)["video"].sample(frac=1, random_state=0)
    join_clips([folder / video for video in videos.head(FILM // 4)], target)
    return target


if __name__ == "__main__":
    main()
