"""Time notebook 12: Ray with pools of workers against a plain loop, on the same clips.

`run.py` starts it in a process of its own. The last line of the output is a JSON
object: for each way, the seconds until the first worker began and the frames a second
from there on.
"""

import argparse
import contextlib
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import toolbox
from toolbox.clips import make_video_table, open_dataset
from toolbox.models import FLOAT32, start_ray
from toolbox.store import Parts, clips_to_do, go_on

import numpy as np
import pandas as pd

import lessons
from lessons.scale import FeatureWorker, plain_loop, ray_pipeline

REPOSITORY = Path(__file__).resolve().parents[1]


def time_one(clips, settings, workers):
    """Compute the clips by a pool of workers, or by a plain loop if there are 0. The
    clock starts when all of them have seen their first batch.
    """
    with tempfile.TemporaryDirectory() as folder:
        settings = settings | {"parts": folder}
        called = time.time()
        if workers:
            pool = settings | {"threads": max(1, os.cpu_count() // workers)}

            def compute(todo):
                return ray_pipeline(todo, workers, pool)

        else:
            worker = FeatureWorker(**settings)

            def compute(todo):
                return plain_loop(todo, worker)

        reports = pd.DataFrame(go_on(clips, Parts(folder), compute))
    begun = reports["started"].min()
    speed = reports["frames"].sum() / (reports["finished"].max() - begun)
    return {"start-up": begun - called, "frames a second": float(speed)}


def main():
    """Read the command line, time all ways with their progress on stderr, print the
    numbers.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", help="mocap, ucf101 or a folder of class folders")
    parser.add_argument("clips", type=int, help="how many clips")
    parser.add_argument("workers", type=int, nargs="+", help="0 is a plain loop")
    parser.add_argument("--way", default=FLOAT32, help="how VGG16 is computed")
    options = parser.parse_args()
    settings = {"weights": str(REPOSITORY / "weights"), "way": options.way}
    with contextlib.redirect_stdout(sys.stderr):
        dataset = open_dataset(options.dataset, course=REPOSITORY)
        videos, _ = make_video_table(dataset.folder)
        some = np.linspace(0, len(videos) - 1, options.clips).astype(int)
        clips = clips_to_do(videos.iloc[some], dataset.folder, options.way, 4)
        start_ray(modules=[lessons, toolbox])
        timed = {count: time_one(clips, settings, count) for count in options.workers}
    print(json.dumps(timed))


if __name__ == "__main__":
    main()
