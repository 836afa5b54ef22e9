"""Compare the course with the 2019 recipe coded as written, in speed and memory (`make
bench`).

Both do the same work on the same clips, in turns, in one run on one machine; what
counts are the ratios. Nothing is asserted. The sizes suit a slow machine; see --help
for larger ones.
"""

import argparse
import contextlib
import io
import json
import logging
import os
import platform
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from toolbox.clips import extract_frames, load_frame, make_video_table, open_dataset
from toolbox.models import (
    efficientnet_backbone,
    extract_features,
    look_at,
    vgg16,
)
from toolbox.models.efficientnet import CHOSEN, build_efficientnet
from toolbox.models.engine import part_of

import keras
import numpy as np
import recipe_2019
from evaluation import vote
from keras.applications.vgg16 import preprocess_input

from lessons import frames, transfer

REPOSITORY = Path(__file__).resolve().parents[1]
RECIPE, KERAS = "the 2019 recipe", "Keras float32"
AIMS = {  # at least so many times as fast as
    "extraction, 1 thread": (1.5, RECIPE),
    "extraction, 2 threads": (2.5, RECIPE),
    "features": (2, KERAS),  # elsewhere than on x86: at least as fast
    "evaluation": (2, RECIPE),
    "looking": (10, "VGG16 by ncnn"),
}
BOUND, REAL_TIME = 0.6, 25  # aims: share of the bound, times real time
FAST_BFLOAT16 = {"amx_bf16", "avx512_bf16"}


def parse_options():
    """The command line as a namespace."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--dataset", default="mocap", help="mocap, ucf101 or a folder of class folders")
    for name, default, what in (
        ("clips", 100, "clips to extract frames from"),
        ("extraction-rounds", 7, "rounds of extraction"),
        ("frames", 64, "frames to compute features of"),
        ("test-clips", 12, "test clips to classify"),
        ("rounds", 2, "rounds of features and evaluation"),
    ):
        add(f"--{name}", type=int, default=default, help=f"{what} (default: {default})")
    add("--memory-frames", type=int, nargs="*", default=[1000, 8000])
    told = (
        "how many of these VGG16 itself computes, a stand-in the rest (default: all, "
    )
    told += "if that takes under 5 minutes, else 32 of 1,000)"
    add("--vgg16-frames", type=int, nargs="*", help=told)
    return parser.parse_args()


def describe_machine():
    """Print what the timings depend on."""
    cpuinfo = Path("/proc/cpuinfo")
    text = cpuinfo.read_text(encoding="utf-8") if cpuinfo.exists() else ""
    known = ", ".join(sorted(FAST_BFLOAT16 & set(text.split()))) or "no unit known"
    print(
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, bfloat16:"
        f" {known}\nPython {platform.python_version()}, Keras {keras.__version__} on"
        f" {keras.backend.backend()}: {', '.join(keras.distribution.list_devices())}"
    )
    if hasattr(os, "getloadavg"):
        load = os.getloadavg()[0]
        print(f"load before the start: {load:.1f} (above 0.5, ratios suffer)")
    print()


def timed(function, *arguments, **settings):
    """Call a function without its progress bar; returns (seconds, what it returned)."""
    with contextlib.redirect_stdout(io.StringIO()):
        started = time.perf_counter()
        result = function(*arguments, **settings)
        return time.perf_counter() - started, result


def report(stage, theirs, ours):
    """Print a row: median seconds of both, the median and the range of the rounds'
    ratios; below it, the aim.
    """
    ratios = np.divide(theirs, ours)
    ratio, (factor, other) = np.median(ratios), AIMS[stage]
    x86 = platform.machine() in ("x86_64", "AMD64")
    factor = factor if x86 or stage not in ("features", "evaluation") else 1
    print(
        f"{stage:22} {np.median(theirs):7.2f} s {np.median(ours):7.2f} s {ratio:6.2f}x "
        f"({ratios.min():.2f} to {ratios.max():.2f})\n"
        f"  aim: {stage} at least {factor:g}x {other}: "
        f"{'reached' if ratio >= factor else 'NOT reached'}",
        flush=True,
    )


def spread(items, count):
    """Up to `count` items, evenly spread over all of them."""
    chosen = np.linspace(0, len(items) - 1, min(count, len(items)))
    return [items[i] for i in chosen.astype(int)]


def compare_extraction(videos, source, folder, rounds):
    """Time the extraction of frames, in turns; returns our frames as sorted paths."""
    paths = [source / video for video in videos["video"]]
    for path in paths:
        path.read_bytes()  # the first to come shouldn't pay for the disk
    seconds, processor = ({"recipe": [], 1: [], 2: []} for _ in range(2))
    for turn in range(rounds):
        places = {name: folder / f"frames_{turn}_{name}" for name in seconds}
        places["recipe"].mkdir()
        for name, place in places.items():
            before = time.process_time()
            if name == "recipe":
                work = partial(recipe_2019.extract_frames, paths, place)
            else:
                work = partial(extract_frames, frames.extract_clip, videos, source)
                work = partial(work, place, 1, threads=name)
            taken, _ = timed(work)
            seconds[name].append(taken)
            processor[name].append(time.process_time() - before)
    names = {k: {path.name for path in at.glob("*.jpg")} for k, at in places.items()}
    report("extraction, 1 thread", seconds["recipe"], seconds[1])
    report("extraction, 2 threads", seconds["recipe"], seconds[2])
    same = [
        name
        for name in names["recipe"] & names[1]
        if (places["recipe"] / name).read_bytes() == (places[1] / name).read_bytes()
    ]
    counts = " / ".join(str(len(found)) for found in names.values())
    saved = np.median(np.divide(processor["recipe"], processor[1]))
    print(f"  {len(videos)} clips; {counts} frames, {len(same)} equal byte for byte")
    print(f"  processor time, which other work disturbs less: {saved:.2f}x")
    return sorted(places[1].glob("*.jpg"))


def compare_features(paths, network, recipe_base, folder, rounds):
    """Time features of the same frames; returns (ours, our frames a second)."""
    recipe_2019.extract_features(paths[:32], recipe_base)  # the first calls compile
    network(np.stack([load_frame(paths[0])] * 16))
    theirs, ours = [], []
    for turn in range(rounds):
        target = folder / f"features_{turn}.npy"
        taken, their_features = timed(recipe_2019.extract_features, paths, recipe_base)
        theirs.append(taken)
        taken, _ = timed(extract_features, paths, network, target)
        ours.append(taken)
    report("features", theirs, ours)
    our_features = np.load(target)
    pixels = transfer.divide_by_255(np.stack([load_frame(path) for path in paths[:8]]))
    exact = recipe_base.predict_on_batch(pixels)
    print(
        f"  {len(paths)} frames; cosine with the recipe's features "
        f"{cosine(their_features, our_features):.3f} (it resizes in another way), "
        f"{cosine(exact, our_features[:8]):.5f} on the same pixels"
    )
    return our_features, len(paths) / np.median(ours)


def compare_looking(paths, clip, rounds):
    """Time EfficientNet-Lite0, as it looks at own videos, against VGG16 by ncnn,
    against what this machine's float32 matrix product allows, and a clip's own pace.
    """
    pictures = np.stack([load_frame(path) for path in paths])
    weights = REPOSITORY / "weights"
    engine = vgg16.NCNN if vgg16.has_ncnn() else None
    vgg = vgg16.vgg16_backbone(weights, preprocess_input, engine)
    lite = efficientnet_backbone(weights).using(pooled=True)
    seconds = {vgg: [], lite: []}
    for network in seconds:
        network(pictures[:2])
    for _ in range(rounds):
        for network, taken in seconds.items():
            taken.append(timed(network, pictures)[0])
    report("looking", *seconds.values())
    pace = len(pictures) / np.median(seconds[lite])
    bound = matrix_product_flops() / flops_of_lite()
    share = pace / bound
    looked, features = timed(look_at, clip, lite, 4)
    faster = len(features) / 4 / looked
    told = f"{pace:.0f} frames/s by {lite.engine}, {share:.0%} of the bound"
    print(f"  {told}: {'reached' if share >= BOUND else 'NOT reached'}")
    told = f"a clip is looked at {faster:.0f} times as fast as it plays"
    print(f"  {told}: {'reached' if faster >= REAL_TIME else 'NOT reached'}")


def flops_of_lite():
    """Floating-point operations for a frame: two for each multiplication."""
    model, flops = build_efficientnet(), 0
    for layer in part_of(model, CHOSEN, pooled=True).layers:
        if layer.weights and layer.weights[0].ndim == 4:  # a convolution
            height, width = layer.output.shape[1:3]
            flops += 2 * height * width * np.prod(layer.weights[0].shape)
    return float(flops)


def matrix_product_flops(side=2048, rounds=5):
    """Floating-point operations a second of a float32 matrix product."""
    matrix = np.random.default_rng(0).random((side, side), "float32")
    matrix @ matrix
    return 2 * side**3 / min(timed(np.matmul, matrix, matrix)[0] for _ in range(rounds))


def cosine(a, b):
    """The median over the rows of the cosine between two arrays (n, ...)."""
    a, b = (x.reshape(len(x), -1).astype("float32") for x in (a, b))
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return np.median((a * b).sum(1) / norms)


def quick_head(features, labels, classes):
    """(head, scale), trained for a moment, so that its votes mean something."""
    keras.utils.set_random_seed(0)
    head, scale = transfer.make_head(classes, dropout=0.0), float(features.max())
    head.compile("adam", loss="categorical_crossentropy")
    inputs = features.reshape(len(features), -1).astype("float32") / scale
    head.fit(inputs, np.eye(classes, dtype="float32")[labels], 16, epochs=10, verbose=0)
    return head, scale


def compare_evaluation(videos, source, recipe_base, network, head, folder, rounds):
    """Time the classification of test clips by vote; head: with its scale."""
    paths = [source / video for video in videos["video"]]
    theirs, ours = [], []
    for turn in range(rounds):
        place = folder / f"evaluation_{turn}" / "recipe"
        place.mkdir(parents=True)
        recipe = partial(recipe_2019.classify_clips, paths, recipe_base, *head, place)
        taken, their_votes = timed(recipe)
        theirs.append(taken)
        work = partial(vote, videos, source, network, *head, place.with_name("ours"))
        taken, (our_votes, count) = timed(work)
        ours.append(taken)
    report("evaluation", theirs, ours)
    agreement = np.mean(np.equal(their_votes, our_votes))
    print(
        f"  {len(paths)} clips, {count} frames: {agreement:.0%} of the votes agree "
        f"({len(set(our_votes))} different classes were voted for)"
    )


def compare_memory(frames_folder, counts, vgg16_counts):
    """Measure the peak memory of notebook 04's steps, a process for each number."""
    if platform.system() == "Windows":
        print("memory: not measured, Windows has no way to read a peak")
        return
    peaks = {}
    for count, by_vgg16 in zip(counts, vgg16_counts, strict=True):
        script = Path(__file__).with_name("memory.py")
        command = [sys.executable, script, frames_folder, str(count)]
        command += ["--vgg16-frames", str(by_vgg16)]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        if run.returncode:
            print(f"memory: failed\n{run.stderr[-2000:]}")
            return
        steps = json.loads(run.stdout.splitlines()[-1])
        peaks[count] = max(steps.values())
        told = ", ".join(f"{name} {peak:.0f}" for name, peak in steps.items())
        print(f"memory of 04, {count:,} frames, peak in MB after each step: {told}")
        if by_vgg16 < count:
            print(f"  VGG16 itself on {by_vgg16}; all with a stand-in of its shape")
    growth = peaks[counts[-1]] / peaks[counts[0]]
    growth_told = (
        f"memory of 04: x{growth:.2f} from {counts[0]:,} to {counts[-1]:,} frames"
    )
    for said, reached in (
        (f"{growth_told}, aim x1.1", growth <= 1.1),
        (
            f"at most {max(peaks.values()):.0f} MB, aim 2000 MB",
            max(peaks.values()) < 2000,
        ),
    ):
        print(f"{said}: {'reached' if reached else 'NOT reached'}")


def main():
    """Run all comparisons and print them as a table."""
    options = parse_options()
    logging.getLogger("tensorflow").setLevel("ERROR")  # `predict` compiles a lot
    started = time.perf_counter()
    describe_machine()
    dataset = open_dataset(options.dataset, course=REPOSITORY)
    _, (videos, _) = timed(make_video_table, dataset.folder)
    classes = sorted(videos["class"].unique())
    train, test = (
        videos[videos["part"] == part].reset_index(drop=True)
        for part in ("train", "test")
    )
    train = train.iloc[spread(train.index, options.clips)].reset_index(drop=True)
    test = test.iloc[spread(test.index, options.test_clips)].reset_index(drop=True)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        print(f"{'stage':22} {'recipe':>9} {'ours':>9} {'ratio':>7} (over the rounds)")
        extracted = compare_extraction(
            train, dataset.folder, folder, options.extraction_rounds
        )
        paths = spread(extracted, options.frames)
        network = vgg16.vgg16_backbone(REPOSITORY / "weights", transfer.divide_by_255)
        recipe_base = vgg16.build_vgg16(vgg16.vgg16_weights(REPOSITORY / "weights"))
        features, speed = compare_features(
            paths, network, recipe_base, folder, options.rounds
        )
        class_of = dict(zip(train["clip"], train["class"], strict=True))
        names = (path.stem.rsplit("_frame", 1)[0] for path in paths)
        labels = [classes.index(class_of[name]) for name in names]
        head = quick_head(features, labels, len(classes))
        clip = dataset.folder / test.loc[test["frames"].idxmax(), "video"]
        compare_looking(paths, clip, options.rounds)
        both = recipe_base, network
        compare_evaluation(test, dataset.folder, *both, head, folder, options.rounds)
        if options.memory_frames:
            fast = sum(options.memory_frames) / speed < 300
            counts = [n if fast else n * 32 // 1000 for n in options.memory_frames]
            chosen = options.vgg16_frames or counts
            compare_memory(extracted[0].parent, options.memory_frames, chosen)
    print(f"\nall of this took {(time.perf_counter() - started) / 60:.0f} minutes")


if __name__ == "__main__":
    main()
