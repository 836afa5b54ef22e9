"""Do what notebooks 01, 05 and 12 do, on a given number of clips, and print the peak
memory of this process.

`run.py` starts it in a fresh process for each number of clips. A stand-in takes the
place of VGG16, whose memory doesn't depend on how many frames it has seen. The last
line of the output is a JSON object: the highest memory so far, in MB, after each step.
"""

import argparse
import contextlib
import importlib.util
import json
import sys
import tempfile
from pathlib import Path

from toolbox.clips import extract_frames, make_video_table, open_dataset

from evaluation import vote
from memory import REPOSITORY, peak_megabytes, stand_in

from lessons.frames import extract_clip
from lessons.transfer import make_head


def so_many(videos, count):
    """A table of `count` clips: the given ones, again and again under other names."""
    table = videos.iloc[[i % len(videos) for i in range(count)]].reset_index(drop=True)
    return table.assign(clip=[f"{clip}_{i}" for i, clip in enumerate(table["clip"])])


def steps_with_clips(videos, source, folder):
    """Run the steps on all clips of the table; returns {step: peak in MB after it}."""
    peaks = {}
    extract_frames(extract_clip, videos, source, folder / "frames")
    peaks["01 frames"] = peak_megabytes()
    network, head = stand_in(), make_head(14)
    vote(videos, source, network, head, 1.0, folder / "test")
    peaks["05 votes"] = peak_megabytes()
    if importlib.util.find_spec("ray"):
        from toolbox.store import clips_to_do, go_on

        from lessons.scale import FeatureWorker, plain_loop

        worker = FeatureWorker(None, folder / "parts", network.way, network=network)
        clips = clips_to_do(videos, source, network.facts, 4)
        for _ in go_on(clips, worker.parts, lambda todo: plain_loop(todo, worker)):
            pass
        peaks["12 parts"] = peak_megabytes()
    return peaks


def main():
    """Read the command line, run the steps with their progress on stderr, print the
    peaks.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", help="mocap, ucf101 or a folder of class folders")
    parser.add_argument(
        "count", type=int, help="how many clips; they are used again and again"
    )
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.redirect_stdout(sys.stderr),
    ):
        dataset = open_dataset(options.dataset, course=REPOSITORY)
        videos, _ = make_video_table(dataset.folder)
        peaks = steps_with_clips(
            so_many(videos, options.count), dataset.folder, Path(folder)
        )
    print(json.dumps(peaks))


if __name__ == "__main__":
    main()
