"""What `fit` lacks: the best weights, a training that goes on."""

from toolbox.models import training
from toolbox.models.training import read_log

import numpy as np
import pandas as pd
import pytest
from clips import kill_when, start_python
from small_training import parts_of, small_features, train_in


@pytest.fixture
def features(tmp_path):
    return small_features(tmp_path)


def same_weights(first, second, apart=0):
    pairs = zip(first.get_weights(), second.get_weights(), strict=True)
    return all(np.allclose(*pair, rtol=0, atol=apart) for pair in pairs)


def test_training_learns_and_a_finished_one_is_kept(tmp_path, features, capfd):
    weights = tmp_path / "weights" / "weights.hdf5"
    head, history = train_in(weights.parent, features, epochs=12)
    assert "legacy" not in capfd.readouterr().err
    assert history["epoch"].tolist() == list(range(1, 13))
    assert history["val_accuracy"].max() > 0.9
    assert len(list(weights.parent.iterdir())) == 2
    written = weights.stat().st_mtime_ns
    again, same_history = train_in(weights.parent, features, epochs=12)
    assert same_weights(again, head) and same_history.equals(history)
    assert weights.stat().st_mtime_ns == written


def test_the_best_epoch_is_kept_and_training_stops_in_time(tmp_path, features):
    """All training labels are wrong, so validation gets worse from some epoch on."""
    settings = {"epochs": 50, "patience": 3, "wrong": True}
    head, history = train_in(tmp_path / "weights", features, **settings)
    best = history["val_loss"].idxmin()
    assert len(history) == best + 1 + 3
    assert history["val_loss"].iloc[-1] > 1.05 * history["val_loss"][best]
    loss, _ = head.evaluate(parts_of(features)[1], verbose=0)
    assert loss == pytest.approx(history["val_loss"][best], rel=1e-3)


@pytest.mark.parametrize(
    ("wrong", "damaged"),  # if wrong, the best was before
    [
        (True, None),
        pytest.param(False, "latest.weights.h5", marks=pytest.mark.slow),
        pytest.param(False, "training_metadata.json", marks=pytest.mark.slow),
    ],
)
def test_an_interrupted_training_ends_as_an_undisturbed_one(
    tmp_path, features, monkeypatch, wrong, damaged
):
    """Also where the backup was cut off while it was written."""

    def interrupted(bar, epoch, logs=None):
        if epoch == 4:
            raise KeyboardInterrupt

    settings = {"epochs": 20 if wrong else 8, "patience": 5, "wrong": wrong}
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(training.EpochBar, "on_epoch_begin", interrupted)
        train_in(tmp_path / "cut", features, **settings)
    [folder] = (tmp_path / "cut").iterdir()
    if damaged:  # its weights are written first
        last = folder / "backup" / "training_metadata.json"
        last.write_bytes(last.with_name(f"{last.name}.bkp").read_bytes())
        last.with_name(damaged).write_bytes(b"x")
    head, history = train_in(tmp_path / "cut", features, **settings)
    once, undisturbed = train_in(tmp_path / "once", features, **settings)
    assert same_weights(head, once)
    pd.testing.assert_frame_equal(history, undisturbed)


TRAIN = "import sys, small_training; small_training.train_in(*sys.argv[1:], 20)"


def test_a_killed_training_goes_on_and_ends_as_an_undisturbed_one(tmp_path, features):
    """SIGKILL at a moment that chance chooses, after the sixth epoch."""
    folder = tmp_path / "killed"
    run = start_python(TRAIN, folder, features)
    kill_when(run, lambda: any(len(read_log(log)) > 6 for log in folder.rglob("*.csv")))
    assert not (folder / "weights.hdf5").exists()
    head, history = train_in(folder, features, 20)
    undisturbed, expected = train_in(tmp_path / "undisturbed", features, 20)
    assert np.allclose(history, expected, rtol=1e-4)
    assert same_weights(head, undisturbed, apart=1e-4)


def test_lines_cut_off_and_epochs_repeated_are_sorted_out(tmp_path):
    lines = "epoch,loss,val_loss", "0,3.0,1", "1,2.5,2", "2,0.3", "1,2.4,3", "2,0.5,"
    (tmp_path / "history.csv").write_text("\n".join(lines))
    log = read_log(tmp_path / "history.csv").to_numpy().tolist()
    assert log == [[1, 3.0, 1], [2, 2.4, 3]]
