"""Run notebooks over a large dataset, kill each in the middle, run it again; print what
it cost.

`python benchmarks/full_size.py FOLDER --notebooks "00 01" --kill-after 10` starts each
notebook, kills it with its kernel (SIGKILL) after so many seconds, says what was done
by then, and starts it again to the end. Then it prints the seconds and the peak memory
of both runs, and the disk used. FOLDER may be the stand-in for UCF101 that
`ucf101_standin.py` builds.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

import psutil

REPOSITORY = Path(__file__).resolve().parents[1]
FEATURE_BYTES = 7 * 7 * 512 * 2  # of a frame, as float16


def watch(command, kill_after=None):
    """Run a command, at most so many seconds; returns (its exit code or None if it
    was killed, seconds, peak resident megabytes of the largest of its processes).
    """
    started, peak = time.monotonic(), 0
    process = psutil.Popen(command, stdout=subprocess.DEVNULL)
    while process.poll() is None:
        family = [process, *process.children(recursive=True)]
        peak = max([peak, *map(resident_megabytes, family)])
        if kill_after and time.monotonic() - started > kill_after:
            for member in family:
                member.kill()
            process.wait()
            return None, time.monotonic() - started, peak
        time.sleep(0.2)
    return process.returncode, time.monotonic() - started, peak


def resident_megabytes(process):
    """The resident memory of a process; 0 if it is gone."""
    try:
        return process.memory_info().rss / 1e6
    except psutil.NoSuchProcess:
        return 0


def done_so_far(data, weights):
    """How far the notebooks 00 to 05 have come with a dataset, as text."""
    journals = {
        "clips listed": data / "videos.csv",
        "clips with frames": data / "train_1.jsonl",
        "epochs": weights / "training" / "history.csv",
    }
    counts = {
        name: len(file.read_bytes().splitlines())
        - (file.suffix == ".csv")  # its header
        for name, file in journals.items()
        if file.exists()
    }
    for name, stem in (("frames", "features"), ("test frames", "test_features")):
        for file in (data / f"{stem}.npy", data / f"{stem}.unfinished"):
            if file.exists():
                counts[f"{name} with features"] = file.stat().st_size // FEATURE_BYTES
    return (
        ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
        or "nothing"
    )


def main():
    """Run the chosen notebooks one after another and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="a folder of class folders")
    parser.add_argument("--notebooks", default="00 01 02 03 04 05")
    parser.add_argument(
        "--kill-after", type=float, help="seconds (default: never killed)"
    )
    parser.add_argument(
        "--stop-after", type=float, help="seconds for the second run, if it is long"
    )
    parser.add_argument(
        "--set", dest="knobs", action="append", default=[], metavar="KNOB=VALUE"
    )
    parser.add_argument(
        "--course", type=Path, default=REPOSITORY, help=argparse.SUPPRESS
    )
    options = parser.parse_args()
    name = options.folder.resolve().name
    data, weights = options.course / "data" / name, options.course / "weights" / name
    print(
        f"{'notebook':<9}{'run':<8}{'seconds':>8}{'MB peak':>9}  then there are",
        flush=True,
    )
    for notebook in options.notebooks.split():
        command = [sys.executable, REPOSITORY / "tools" / "run_course.py"]
        command += ["--course", options.course, "--dataset", options.folder]
        command += ["--notebooks", notebook]
        command += [part for knob in options.knobs for part in ("--set", knob)]
        runs = [("killed", options.kill_after)] if options.kill_after else []
        for run, limit in [*runs, ("whole", options.stop_after)]:
            code, seconds, peak = watch(command, limit)
            how = "killed" if code is None else run if code == 0 else f"error {code}"
            done = done_so_far(data, weights)
            print(
                f"{notebook:<9}{how:<8}{seconds:>8.0f}{peak:>9.0f}  {done}", flush=True
            )
    size = sum(file.stat().st_size for file in (*data.rglob("*"), *weights.rglob("*")))
    print(f"disk: {size / 1e6:.0f} MB in data/{name} and weights/{name}")


if __name__ == "__main__":
    main()
