"""The built-in clips as they lie in the repository."""

import csv
import importlib
import subprocess
import sys
from functools import cache

from toolbox.models import SavedClassifier
from toolbox.store import fingerprint

import cv2
import numpy as np
import pandas as pd
import pytest
from clips import COURSE

MOCAP = COURSE / "data" / "mocap"
VIDEOS = sorted((MOCAP / "videos").rglob("*.avi"))
EVERY = 5
BACKWARDS = {"GetUp": "LieDown", "Walk": "WalkBackwards"}


@cache
def frame_count(path):
    return int(cv2.VideoCapture(str(path)).get(cv2.CAP_PROP_FRAME_COUNT))


@cache
def masks_of(name):
    """Masks (n, rows, columns) of a clip, one for each fifth frame."""
    stacked = cv2.imread(str(MOCAP / "masks" / f"{name}.png"), cv2.IMREAD_GRAYSCALE)
    return stacked.reshape(-1, 120, 160) > 0


def test_every_clip_has_five_k_and_one_frames_and_a_mask_for_each_fifth():
    names = sorted(path.stem for path in VIDEOS)
    assert len(VIDEOS) == 420
    assert sorted(path.stem for path in (MOCAP / "masks").glob("*.png")) == names
    for path in VIDEOS:
        count = frame_count(path)
        assert count % EVERY == 1 and 76 <= count <= 126
        shares = masks_of(path.stem).mean(axis=(1, 2))
        assert len(shares) == -(-count // EVERY)
        assert shares.min() > 0.01 and shares.max() < 0.3  # each shows a person


@pytest.mark.parametrize("forwards", BACKWARDS)
def test_masks_of_the_reversed_class_are_those_of_the_other_in_opposite_order(forwards):
    paths = [path for path in VIDEOS if path.parent.name == forwards]
    assert len(paths) == 30
    for path in paths:
        backwards = path.stem.replace(f"_{forwards}_", f"_{BACKWARDS[forwards]}_")
        twin = MOCAP / "videos" / BACKWARDS[forwards] / f"{backwards}.avi"
        assert frame_count(twin) == frame_count(path)
        assert np.array_equal(masks_of(backwards), masks_of(path.stem)[::-1])


def test_each_clip_s_recording_is_the_one_that_the_renderer_takes(monkeypatch):
    monkeypatch.syspath_prepend(MOCAP / "render")
    known = importlib.import_module("recordings").recordings()
    with (MOCAP / "recordings.csv").open(encoding="utf-8") as file:
        assert [*csv.reader(file)] == [["video", "recording"], *map(list, known)]
    table = pd.DataFrame(known, columns=["video", "recording"])
    files = (path.relative_to(MOCAP / "videos").as_posix() for path in VIDEOS)
    assert table["video"].tolist() == sorted(files)
    names = table["video"].str.extract(r"(?P<label>\w+)/v_\w+_(?P<rest>g\d+_c\d+)")
    table = table.join(names)
    counts = table.groupby("label")["recording"].nunique()
    assert counts[counts > 1].to_dict() == {"Dance": 2, "GetUp": 2, "LieDown": 2}
    of_clip = table.set_index(["label", "rest"])["recording"]
    for forwards, backwards in BACKWARDS.items():
        assert of_clip[forwards].equals(of_clip[backwards])


CALL = """
import sys
from toolbox.models import SavedClassifier
from lessons.own_videos import label_video
print(*label_video(sys.argv[1], SavedClassifier(sys.argv[2])).segments["class"])
print("tensorflow" in sys.modules)
"""


def test_the_small_classifier_names_notebook_00_s_clip_without_tensorflow():
    """It has learned from the training clips, and from no other."""
    path = MOCAP / "classifier.tflite"
    lists = (MOCAP / "trainlist01.txt").read_text().split()[::2]
    learned = {fingerprint(MOCAP / "videos" / name) for name in lists}
    assert set(SavedClassifier(path).facts["learned"]) == learned
    clip = MOCAP / "videos" / "LieDown" / "v_LieDown_g03_c01.avi"
    command = [sys.executable, "-c", CALL, clip, path]
    folder = COURSE / "notebooks"
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.stdout.split() == ["LieDown", "False"], done.stderr
