"""What `fit` lacks: a fused Adam, the best weights, a training that goes on where it
was killed.
"""

from toolbox.models import training
from toolbox.models.training import FusedAdam, patience_in_epochs, read_log

import keras
import numpy as np
import pandas as pd
import pytest
from clips import kill_when, start_python
from small_training import new_head, parts_of, small_features, train_in


@pytest.fixture
def features(tmp_path):
    """A file of 60 small features of three classes."""
    return small_features(tmp_path)


def same_weights(first, second):
    """Whether two heads have the very same weights."""
    pairs = zip(first.get_weights(), second.get_weights(), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


@pytest.mark.parametrize(
    "rate", [0.001, keras.optimizers.schedules.CosineDecay(0.01, 5)]
)
def test_fused_adam_is_adam(rate):
    """Same weights and same means after some steps as with Keras' own, but for
    rounding.
    """
    random, heads = np.random.default_rng(0), []
    inputs, labels = random.random((32, 32), "float32"), np.eye(3)[np.arange(32) % 3]
    for adam in (keras.optimizers.Adam, FusedAdam):
        head = new_head()
        head.compile(adam(rate), loss="categorical_crossentropy")
        start = head.get_weights()
        for _ in range(10):
            head.train_on_batch(inputs, labels)
        heads.append(
            [np.array(v) for v in (*head.variables, *head.optimizer.variables)]
        )
    assert all(np.allclose(*pair, atol=1e-5) for pair in zip(*heads, strict=True))
    assert np.abs(heads[1][0] - start[0]).max() > 1e-3


def test_training_learns_and_a_finished_one_is_kept(tmp_path, features):
    head, history = train_in(tmp_path / "weights", features, epochs=12)
    assert history["epoch"].tolist() == list(range(1, 13))
    assert history["val_accuracy"].max() > 0.9
    files = [path.name for path in (tmp_path / "weights").iterdir()]
    assert sorted(files) == ["weights.hdf5", "weights.hdf5.json"]
    saved = new_head(seed=99)
    saved.load_weights(tmp_path / "weights" / "weights.hdf5")
    assert same_weights(saved, head)
    written = (tmp_path / "weights" / "weights.hdf5").stat().st_mtime_ns
    again, same_history = train_in(tmp_path / "weights", features, epochs=12)
    assert same_weights(again, head) and same_history.equals(history)
    assert (tmp_path / "weights" / "weights.hdf5").stat().st_mtime_ns == written


def test_the_best_epoch_is_kept_and_training_stops_in_time(tmp_path, features):
    """All training labels are wrong, so validation gets worse from some epoch on."""
    settings = {"epochs": 50, "patience": 3, "wrong": True}
    head, history = train_in(tmp_path / "weights", features, **settings)
    best = history["val_loss"].idxmin()
    assert len(history) == best + 1 + 3
    assert history["val_loss"].iloc[-1] > 1.05 * history["val_loss"][best]
    _, validation = parts_of(features)
    loss, _ = head.evaluate(validation, verbose=0)
    assert loss == pytest.approx(history["val_loss"][best], rel=1e-3)


def test_the_bar_of_epochs_ends_at_100_percent(tmp_path, features, capsys):
    train_in(tmp_path, features, epochs=50, patience=2, wrong=True)
    last = capsys.readouterr().out.strip().split("\r")[-1]
    assert "100%" in last and "/50" not in last
    assert "validation" in last


class Interrupted(training.EpochBar):
    """Ctrl-C before the fifth epoch."""

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 4:
            raise KeyboardInterrupt


@pytest.mark.parametrize(
    "settings",
    [
        {"epochs": 8},
        {"epochs": 20, "patience": 5, "wrong": True},  # the best was before
    ],
)
def test_an_interrupted_training_ends_as_an_undisturbed_one(
    tmp_path, features, monkeypatch, settings
):
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(training, "EpochBar", Interrupted)
        train_in(tmp_path / "cut", features, **settings)
    [folder] = (tmp_path / "cut").iterdir()
    before = read_log(folder / "history.csv")
    head, history = train_in(tmp_path / "cut", features, **settings)
    once, undisturbed = train_in(tmp_path / "once", features, **settings)
    assert before["epoch"].tolist() == [1, 2, 3, 4]
    assert same_weights(head, once)
    pd.testing.assert_frame_equal(history, undisturbed)


@pytest.mark.parametrize("damaged", ["latest.weights.h5", "training_metadata.json"])
def test_a_backup_cut_off_while_it_was_written_is_no_obstacle(
    tmp_path, features, monkeypatch, damaged
):
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(training, "EpochBar", Interrupted)
        train_in(tmp_path / "weights", features)
    [path] = (tmp_path / "weights").glob(f"training-*/backup/{damaged}")
    path.write_bytes(path.read_bytes()[:10])
    _, history = train_in(tmp_path / "weights", features)
    assert history["epoch"].tolist() == list(range(1, 9))


TRAIN = (
    "import sys; from small_training import train_in; train_in(sys.argv[1],"
    " sys.argv[2], 20)"
)


def test_a_killed_training_goes_on_and_ends_as_an_undisturbed_one(tmp_path, features):
    """SIGKILL at a moment that chance chooses, after the sixth epoch."""
    folder = tmp_path / "killed"
    run = start_python(TRAIN, folder, features)
    kill_when(run, lambda: any(map(sixth, folder.glob("training-*/history.csv"))))
    assert not (folder / "weights.hdf5").exists()
    head, history = train_in(folder, features, 20)
    undisturbed, expected = train_in(tmp_path / "undisturbed", features, 20)
    assert np.allclose(history, expected, rtol=1e-4)
    for one, other in zip(head.get_weights(), undisturbed.get_weights(), strict=True):
        assert np.allclose(one, other, atol=1e-4)


def sixth(log):
    """Whether a log has six epochs."""
    return len(log.read_text().splitlines()) > 6


def test_lines_cut_off_and_epochs_repeated_are_sorted_out(tmp_path):
    (tmp_path / "history.csv").write_text(
        "epoch,accuracy,loss\n0,0.1,3.0\n1,0.2,2.5\n2,0.3\n1,0.25,2.4\n2,0.35,2.0\n3,0."
    )
    expected = pd.DataFrame(
        {"epoch": [1, 2, 3], "accuracy": [0.1, 0.25, 0.35], "loss": [3.0, 2.4, 2.0]}
    )
    pd.testing.assert_frame_equal(read_log(tmp_path / "history.csv"), expected)


def test_the_layout_of_weights_hdf5_is_no_warning(tmp_path, capfd):
    training.save_hdf5(new_head(), tmp_path / "weights.hdf5")
    assert "legacy" not in capfd.readouterr().err


def test_patience_lasts_seventy_updates_at_least():
    cases = (128, 128, 70), (129, 128, 35), (979, 128, 10), (979, 512, 35)
    for rows, batch_size, epochs in cases:
        assert patience_in_epochs(10, rows, batch_size) == epochs
        assert patience_in_epochs(80, rows, batch_size) == 80
