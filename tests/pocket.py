"""The course on a pocket-size dataset, for the tests that run whole notebooks."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pandas as pd
from clips import COURSE

CLASSES = ("Crawl", "GetUp", "Walk")
GROUPS = ("g01", "g02", "g04", "g05", "g06")  # the first two for testing
CLIPS = [f"v_{label}_{group}_c01" for label in CLASSES for group in GROUPS]


def copy_course(root):
    """Copy the notebooks, the clips that notebook 00 shows and the networks' weights
    into a folder; returns it.
    """
    from toolbox.models.efficientnet import efficientnet_weights
    from toolbox.models.vgg16 import vgg16_weights

    copy_notebooks(root)
    (root / "weights").mkdir()
    for fetch in (vgg16_weights, efficientnet_weights):
        shutil.copy2(fetch(COURSE / "weights"), root / "weights")
    return root


def copy_notebooks(root):
    """Copy the notebooks, and of mocap what notebook 00 opens with on any dataset."""
    shutil.copytree(COURSE / "notebooks", root / "notebooks")
    for name in ("videos", "classifier.tflite"):
        copy = root / "data" / "mocap" / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        source = COURSE / "data" / "mocap" / name
        (shutil.copytree if source.is_dir() else shutil.copy2)(source, copy)


def copy_pocket(root):
    """Copy a clip of each of three classes and five groups of mocap into a folder."""
    mocap = COURSE / "data" / "mocap"
    for name in ("trainlist01.txt", "testlist01.txt"):
        lines = (mocap / name).read_text().splitlines(keepends=True)
        mine = [line for line in lines if Path(line.split()[0]).stem in CLIPS]
        for video in (Path("videos", line.split()[0]) for line in mine):
            (root / video).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(mocap / video, root / video)
        (root / name).write_text("".join(mine))
    return root


def run_tool(name, course, *arguments):
    """Run one of the course's tools on a copy of it; returns the finished process."""
    command = [sys.executable, COURSE / "tools" / name, "--course", course, *arguments]
    return subprocess.run(command, capture_output=True, text=True)


def run_course(course, pocket, notebooks, *knobs):
    """Run notebooks of a copy of the course on the pocket-size dataset."""
    options = [option for knob in knobs for option in ("--set", knob)]
    chosen = "--dataset", pocket, "--notebooks", notebooks
    return run_tool("run_course.py", course, *chosen, *options)


def executed(course, number):
    """A notebook after its run."""
    [path] = (course / "executed" / "pocket").glob(f"{number}_*.ipynb")
    return nbformat.read(path, as_version=4)


def check_pages(course, numbers):
    """Nothing on stderr, each picture described, and the notebooks as they were."""
    for number in numbers.split():
        [path] = (course / "notebooks").glob(f"{number}_*.ipynb")
        assert path.read_bytes() == (COURSE / "notebooks" / path.name).read_bytes()
        for cell in executed(course, number).cells:
            for output in cell.get("outputs", []):
                assert output.get("name") != "stderr", (number, output.text)
                data = output.get("data", {})
                if any(kind.startswith("image/") for kind in data):
                    assert len(cell.metadata["alt"]) > 20, (number, cell.source)
                page = data.get("text/html", "")
                assert page.count("<img") == page.count("<img alt=")


def results_of(course):
    """The rows of results.json as a DataFrame."""
    path = course / "data" / "pocket" / "results.json"
    return pd.DataFrame(json.loads(path.read_text()))


def accuracy_of(results, notebook, part):
    """The accuracies of a notebook's methods on one part, as a dict."""
    rows = results[(results["notebook"] == notebook) & (results["part"] == part)]
    return dict(zip(rows["method"], rows["accuracy"], strict=True))
