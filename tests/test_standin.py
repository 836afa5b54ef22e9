"""The stand-in for UCF101 that the benchmarks run on."""

import sys
from types import SimpleNamespace

from toolbox.clips.clip_table import make_video_table
from toolbox.models.vgg16 import FLOAT32, fastest_network
from toolbox.store.files import save_array, write_csv, write_jpeg

import numpy as np
import pandas as pd
import psutil
import pytest
from full_size import watch
from head_epochs import train_epochs
from repeated_features import repeat_features
from ucf101_standin import MOCAP, build

from lessons.transfer import divide_by_255, extract_features


def test_a_stand_in_has_the_names_of_the_lists_over_built_in_clips(tmp_path):
    lists = tmp_path / "lists"
    lists.mkdir()
    names = [
        f"{label}/v_{label}_g{group:02}_c{take:02}.avi"
        for label in ("Archery", "Diving", "Punch")
        for group in (1, 8, 25)
        for take in (1, 2, 7)
    ]
    for part, groups in (("train", ("g08", "g25")), ("test", ("g01",))):
        mine = [name for name in names if name.split("_")[-2] in groups]
        (lists / f"{part}list01.txt").write_text("\n".join(mine))
    assert build(lists, tmp_path / "standin") == len(names)
    assert build(lists, tmp_path / "standin") == len(names)  # what is there stays
    table, unreadable = make_video_table(tmp_path / "standin")
    assert unreadable.empty
    assert (
        sorted(f"{row['class']}/{row['clip']}.avi" for _, row in table.iterrows())
        == names
    )
    assert set(table.loc[table["part"] == "test", "group"]) == {
        "Archery_g01",
        "Diving_g01",
        "Punch_g01",
    }
    known = {path.read_bytes() for path in MOCAP.glob("*/*.avi")}
    assert all(
        (tmp_path / "standin" / "UCF-101" / name).read_bytes() in known
        for name in names
    )


@pytest.fixture
def repeating(tmp_path):
    """Five JPEG files, of which two repeat others."""
    paths = [tmp_path / f"{number}.jpg" for number in range(5)]
    for path, look in zip(paths, (0, 1, 0, 2, 1), strict=True):
        noise = np.random.default_rng(look).integers(0, 256, (6, 8, 3), np.uint8)
        write_jpeg(np.kron(noise, np.ones((8, 8, 1), np.uint8)), path)
    return paths


@pytest.fixture(scope="module")
def network(weights_folder):
    return fastest_network(weights_folder, divide_by_255, FLOAT32)


def interrupted(engine, calls):
    """An engine that someone interrupts after so many calls."""
    left = iter(range(calls))

    def compute(frames):
        if next(left, None) is None:
            raise KeyboardInterrupt
        return engine(frames)

    return compute


def test_repeated_features_are_those_of_notebook_04(tmp_path, repeating, network):
    """Notebook 04 takes the file for its own, row for row, and computes nothing
    more.
    """
    target, plain = tmp_path / "features.npy", tmp_path / "plain.npy"
    assert repeat_features(repeating, network, target) == 3
    extract_features(
        repeating, network.using(engine=interrupted(network.engine, 0)), target
    )
    extract_features(repeating, network, plain)
    repeated, expected = (np.load(file).astype("float32") for file in (target, plain))
    assert repeated == pytest.approx(expected, rel=2e-3, abs=2e-3)


def test_repeated_features_go_on_behind_those_of_an_interrupted_notebook(
    tmp_path, repeating, network
):
    target = tmp_path / "features.npy"
    twice = network.using(engine=interrupted(network.engine, 2))
    with pytest.raises(KeyboardInterrupt):
        extract_features(repeating, twice, target, batch_size=1)
    begun = (tmp_path / "features.unfinished").read_bytes()
    assert (
        len(begun) == 128 + 2 * 7 * 7 * 512 * 2
    )  # the header, and two rows of float16
    assert repeat_features(repeating, network, target, batch_size=1) == 3
    assert target.read_bytes()[: len(begun)] == begun
    features = np.load(target)
    assert features.shape == (5, 7, 7, 512)
    assert all(
        np.allclose(features[a], features[b], rtol=2e-3) for a, b in ((0, 2), (1, 4))
    )


def test_epochs_of_the_head_say_how_long_reading_took(tmp_path):
    parts = ["train"] * 8 + ["validation"] * 4
    write_csv(pd.DataFrame({"split_by_frame": parts}), tmp_path / "split.csv")
    save_array(np.ones((12, 7, 7, 512), "float16"), tmp_path / "features.npy")
    save_array(np.eye(2, dtype="float32")[[0, 1] * 6], tmp_path / "labels.npy")
    epochs = list(train_epochs(SimpleNamespace(data=tmp_path), batch_size=4))
    assert [rows for rows, _, _ in epochs] == [12, 12]
    assert all(0 < reading < seconds for _, seconds, reading in epochs)


def test_a_killed_command_is_watched(tmp_path):
    """Its children die with it, and its memory was seen."""
    wait = "import time; x = b'x' * 50_000_000; time.sleep(60)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {wait!r}])"
    code, seconds, peak = watch([sys.executable, "-c", parent], kill_after=2)
    assert code is None
    assert 2 <= seconds < 30
    assert peak > 50
    assert not psutil.Process().children(recursive=True)
    assert watch([sys.executable, "-c", "raise SystemExit(3)"])[0] == 3
