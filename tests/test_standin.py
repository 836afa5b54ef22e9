"""The stand-in for UCF101 that the benchmarks run on."""

import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import psutil
import pytest
from full_size import watch
from head_epochs import train_epochs
from repeated_features import repeat_features
from ucf101_standin import MOCAP, build

from framevote.frames import write_jpeg
from framevote.splits import save_array
from framevote.transfer import extract_features
from framevote.videos import make_video_table


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
    assert sorted(f"{row['class']}/{row['clip']}.avi" for _, row in table.iterrows()) == names
    assert set(table.loc[table["part"] == "test", "group"]) == {"g01"}
    known = {path.read_bytes() for path in MOCAP.glob("*/*.avi")}
    assert all((tmp_path / "standin" / "UCF-101" / name).read_bytes() in known for name in names)


@pytest.fixture
def repeating(tmp_path):
    """Five JPEG files, of which two repeat others."""
    paths = [tmp_path / f"{number}.jpg" for number in range(5)]
    for path, look in zip(paths, (0, 1, 0, 2, 1), strict=True):
        noise = np.random.default_rng(look).integers(0, 256, (6, 8, 3), np.uint8)
        write_jpeg(np.kron(noise, np.ones((8, 8, 1), np.uint8)), path)
    return paths


def test_repeated_features_are_those_of_notebook_04(tmp_path, repeating, base, capsys):
    """Notebook 04 takes the file for its own, row for row."""
    assert repeat_features(repeating, base, tmp_path / "features.npy") == 3
    capsys.readouterr()
    extract_features(repeating, base, tmp_path / "features.npy")
    assert "features.npy is complete already" in capsys.readouterr().out
    extract_features(repeating, base, tmp_path / "plain.npy")
    repeated, plain = (np.load(tmp_path / f"{name}.npy") for name in ("features", "plain"))
    assert repeated.astype("float32") == pytest.approx(plain.astype("float32"), rel=2e-3, abs=2e-3)


def test_repeated_features_go_on_behind_those_of_an_interrupted_notebook(tmp_path, repeating, base):
    calls = iter(range(5))

    def divide_by_255(frames):  # by notebook 04's name; someone interrupts it at the third frame
        if next(calls) == 2:
            raise KeyboardInterrupt
        return frames.astype("float32") / 255

    target = tmp_path / "features.npy"
    with pytest.raises(KeyboardInterrupt):
        extract_features(repeating, base, target, divide_by_255, batch_size=1)
    assert repeat_features(repeating, base, target) == 3
    assert target.stat().st_size == 128 + 5 * 7 * 7 * 512 * 2  # the header, and float16
    features = np.load(target)
    assert all(np.allclose(features[a], features[b], rtol=2e-3) for a, b in ((0, 2), (1, 4)))


def test_epochs_of_the_head_say_how_long_they_waited(tmp_path):
    images = [f"{number}.jpg" for number in range(12)]
    pd.DataFrame({"image": images}).to_csv(tmp_path / "train_new.csv", index=False)
    save_array(np.ones((12, 7, 7, 512), "float16"), tmp_path / "features.npy")
    split = tmp_path / "split_by_frame"
    save_array(np.array(["a", "b"]), split / "classes.npy")
    for part, rows in (("train", range(8)), ("validation", range(8, 12))):
        save_array(np.array([images[row] for row in rows]), split / f"{part}_images.npy")
        save_array(
            np.eye(2, dtype="float32")[[row % 2 for row in rows]], split / f"{part}_labels.npy"
        )
    epochs = list(train_epochs(SimpleNamespace(data=tmp_path), batch_size=4))
    assert [rows for rows, _, _ in epochs] == [12, 12]
    assert all(0 < waited < seconds for _, seconds, waited in epochs)


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
