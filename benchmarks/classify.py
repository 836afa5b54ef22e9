"""How many times faster than real time `tools/classify.py` is, part by part, and its
peak memory.

The parts take turns on a film of built-in clips (320 x 240, 25 frames a second); the
median of the rounds counts, and their range is told, and the processor time of all
threads, which other work on the machine disturbs less. The classifier learns from
noise: it costs the same.
"""

import argparse
import os
import tempfile
import time
from functools import partial
from pathlib import Path

from toolbox.clips import (
    annotate,
    frames_shown,
    join_clips,
    make_video_table,
    open_dataset,
    to_network_size,
)
from toolbox.evaluation import segments_of
from toolbox.models import as_array, head_of, look_at, vgg16_backbone
from toolbox.plots import caption_at

import numpy as np
from keras.applications.vgg16 import preprocess_input
from memory import REPOSITORY, peak_megabytes

from lessons.own_videos import ClipClassifier, describe, moments_of, windows_of

RATE, WINDOW = 4, 8  # as in tools/classify.py


def make_film(path, seconds):
    """Join clips from all over the built-in ones; returns (seconds of the film,
    classes).
    """
    dataset = open_dataset("mocap", course=REPOSITORY)
    videos, _ = make_video_table(dataset.folder)
    count = max(1, round(seconds / (videos["frames"] / videos["fps"]).mean()))
    chosen = videos["video"].iloc[np.linspace(0, len(videos) - 1, count).astype(int)]
    cuts = join_clips([dataset.folder / video for video in chosen], path)
    return cuts[-1], np.unique(videos["class"].to_numpy(str))


def head_from_noise(classes):
    """The part of a classifier behind VGG16, of its usual size."""
    rng = np.random.default_rng(0)
    labels = np.repeat(classes, 2)
    clips = as_array(list(rng.random((len(labels), WINDOW, 512), "float32")))
    return head_of(
        ClipClassifier(WINDOW).fit(clips, labels), describe, (WINDOW, 512), classes
    )


def read(film):
    """What a look without a network takes: decode all frames, scale those that are
    looked at.
    """
    for frame in frames_shown(film, RATE):
        to_network_size(frame)


def classify(features, head, classes):
    """From features to (segments, moments)."""
    probabilities = np.asarray(head(windows_of(features, WINDOW)))
    moments = moments_of(probabilities, WINDOW, len(features))
    return segments_of(moments, classes, RATE, threshold=0), moments


def timed(function, *arguments):
    """Call a function; returns (array of seconds and processor seconds, what it
    returned).
    """
    clocks = [time.perf_counter, time.process_time]
    started = np.array([clock() for clock in clocks])
    result = function(*arguments)
    return np.array([clock() for clock in clocks]) - started, result


def one_round(film, look, head, classes):
    """What each part took, as a dict of arrays: see `timed`."""
    seconds = {}
    seconds["  of it: read and scale"], _ = timed(read, film)
    seconds["look"], features = timed(look, film)
    seconds["classify"], (segments, moments) = timed(classify, features, head, classes)
    caption = caption_at(segments, moments, classes, RATE)
    seconds["annotate"], _ = timed(
        annotate, film, film.with_name("annotated.mp4"), caption
    )
    seconds["in sum"] = sum(seconds[part] for part in ("look", "classify", "annotate"))
    return seconds


def main():
    """Make the film, run the rounds, and print a row for each part."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--seconds", type=float, default=60, help="of the film (default: 60)"
    )
    parser.add_argument("--rounds", type=int, default=3, help="default: 3")
    parser.add_argument(
        "--engine", help='what computes VGG16, such as "ncnn float32" (default: best)'
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        film = Path(folder) / "film.avi"
        length, classes = make_film(film, options.seconds)
        network = vgg16_backbone(
            REPOSITORY / "weights", preprocess_input, options.engine
        )
        look = partial(
            look_at,
            network=network.using(pooled=True),
            per_second=RATE,
        )
        head = head_from_noise(classes)
        before = peak_megabytes()
        head(np.zeros((1, WINDOW, 512), "float32"))  # the first call builds
        rounds = [one_round(film, look, head, classes) for _ in range(options.rounds)]
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    print(
        f"a film of {length:.0f} s, {options.rounds} rounds, {os.cpu_count()}"
        f" cores{load}"
    )
    for part in rounds[0]:
        taken, processor = np.array([seconds[part] for seconds in rounds]).T
        pace = length / taken
        print(
            f"{part:24} {np.median(taken):7.2f} s {np.median(pace):7.1f} x real time"
            f" ({pace.min():.1f} to {pace.max():.1f}), processor"
            f" {np.median(processor):.2f} s"
        )
    print(
        f"peak memory {peak_megabytes():.0f} MB; before the first frame {before:.0f} MB"
    )


if __name__ == "__main__":
    main()
