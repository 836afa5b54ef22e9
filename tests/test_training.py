"""What `fit` lacks: a fused Adam, the best weights, a training that goes on where it
was killed.
"""

import json
from functools import partial

from toolbox.models.training import (
    FusedAdam,
    KeepBest,
    TrainingFolder,
    patience_in_epochs,
    save_hdf5,
)
from toolbox.store.files import read_json

import keras
import numpy as np
import pandas as pd
import pytest
from clips import kill_when, run_python, start_python
from small_training import SCALE, new_head, parts_of, small_features, train_in

from lessons.transfer import make_callbacks


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
    random = np.random.default_rng(0)
    inputs, labels = (
        random.random((32, 20), "float32"),
        np.eye(3)[random.integers(3, size=32)],
    )
    heads = []
    for adam in (keras.optimizers.Adam, FusedAdam):
        keras.utils.set_random_seed(1)
        layers = [keras.layers.Dense(n, activation="softmax") for n in (8, 3)]
        head = keras.Sequential([keras.Input((20,)), *layers])
        head.compile(adam(rate), loss="categorical_crossentropy")
        start = head.get_weights()
        for _ in range(10):
            head.train_on_batch(inputs, labels)
        heads.append(head)
    adam, fused = heads
    assert int(fused.optimizer.iterations) == 10
    for first, one, other in zip(
        start, adam.get_weights(), fused.get_weights(), strict=True
    ):
        assert np.abs(one - first).max() > 1e-3
        assert np.allclose(one, other, atol=1e-5)
    states = [[np.array(v) for v in head.optimizer.variables] for head in heads]
    assert all(
        np.allclose(one, other, atol=1e-5) for one, other in zip(*states, strict=True)
    )


def test_training_learns_and_the_best_weights_are_kept(tmp_path, features):
    head, training = train_in(tmp_path / "training", features, epochs=12)
    history = training.read_history()
    assert history["epoch"].tolist() == list(range(1, 13))
    assert history["val_accuracy"].max() > 0.9
    _, validation = parts_of(features)
    loss, _ = head.evaluate(validation, verbose=0)
    assert loss == pytest.approx(history["val_loss"].min(), rel=1e-3, abs=1e-5)
    saved = new_head(seed=99)
    saved.load_weights(training.best)
    assert same_weights(saved, head)
    assert training.finished
    assert not training.backup.exists()


def test_the_best_epoch_is_kept_where_later_ones_are_worse(tmp_path, features):
    """All training labels are wrong, so validation gets worse from the first epoch
    on.
    """
    head, training = train_in(tmp_path / "training", features, epochs=6, wrong=True)
    history = training.read_history()
    best = history["val_loss"].idxmin()
    assert best < 5 and history["val_loss"].iloc[-1] > 1.2 * history["val_loss"][best]
    assert read_json(training.best.with_suffix(".json"))["epoch"] == best + 1
    _, validation = parts_of(features)
    loss, _ = head.evaluate(validation, verbose=0)
    assert loss == pytest.approx(history["val_loss"][best], rel=1e-3)


def test_training_stops_when_nothing_gets_better(tmp_path, features):
    _, training = train_in(
        tmp_path / "training", features, epochs=50, patience=3, wrong=True
    )
    history = training.read_history()
    assert len(history) == history["val_loss"].idxmin() + 1 + 3


def test_the_bar_of_epochs_ends_at_100_percent(tmp_path, features, capsys):
    train_in(tmp_path / "training", features, epochs=50, patience=2, wrong=True)
    last = capsys.readouterr().out.strip().split("\r")[-1]
    assert "100%" in last and "/50" not in last
    assert "validation" in last


class Interrupt(keras.callbacks.Callback):
    """Ctrl-C after some epochs."""

    def __init__(self, after):
        super().__init__()
        self.after = after

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.after:
            raise KeyboardInterrupt


def interrupted(folder, features, after, **settings):
    """Train until someone presses Ctrl-C."""
    with pytest.raises(KeyboardInterrupt):
        train_in(folder, features, more=[Interrupt(after)], **settings)


def test_an_interrupted_training_goes_on_from_its_last_epoch(tmp_path, features):
    interrupted(tmp_path / "training", features, after=4, epochs=8)
    before = TrainingFolder(tmp_path / "training", 8, 50, 3, False).read_history()
    _, training = train_in(tmp_path / "training", features, epochs=8)
    history = training.read_history()
    assert before["epoch"].tolist() == [1, 2, 3, 4]
    assert history["epoch"].tolist() == list(range(1, 9))
    assert history.iloc[:4].equals(before)
    assert training.finished


def test_adam_goes_on_with_its_memory(tmp_path, features):
    interrupted(tmp_path / "training", features, after=4, epochs=8)
    head, _ = train_in(tmp_path / "training", features, epochs=8)
    assert int(head.optimizer.iterations) == 8 * 5  # five batches of at most ten rows


def test_a_best_epoch_before_the_interruption_is_not_forgotten(tmp_path, features):
    """The first epoch is the best; what comes after the interruption is worse."""
    settings = {"epochs": 6, "wrong": True}
    interrupted(tmp_path / "training", features, after=4, **settings)
    head, training = train_in(tmp_path / "training", features, **settings)
    history = training.read_history()
    assert history["val_loss"].idxmin() < 4
    _, validation = parts_of(features)
    loss, _ = head.evaluate(validation, verbose=0)
    assert loss == pytest.approx(history["val_loss"].min(), rel=1e-3)


def test_interrupted_before_the_first_backup_it_starts_as_it_started(
    tmp_path, features
):
    interrupted(tmp_path / "again", features, after=0, epochs=3)
    again, _ = train_in(tmp_path / "again", features, epochs=3)
    once, _ = train_in(tmp_path / "once", features, epochs=3)
    assert same_weights(again, once)


def test_another_training_in_the_same_place_starts_from_nothing(tmp_path, features):
    interrupted(tmp_path / "training", features, after=4, epochs=8)
    other, training = train_in(tmp_path / "training", features, epochs=3, seed=5)
    once, _ = train_in(tmp_path / "once", features, epochs=3, seed=5)
    assert same_weights(other, once)
    assert len(training.read_history()) == 3


def test_finished_is_said_only_of_the_same_training(tmp_path):
    folder = partial(TrainingFolder, tmp_path / "training")
    training = folder("a", 1)
    assert not training.finished
    training.finish()
    assert not folder("a", 1).finished  # no weights are there
    training.best.write_bytes(b"weights")
    assert folder("a", 1).finished
    assert not folder("a", 2).finished
    assert not folder("a", 1).finished  # it was the other one's in between


@pytest.mark.parametrize("damaged", ["latest.weights.h5", "training_metadata.json"])
def test_a_backup_cut_off_while_it_was_written_gives_way_to_the_one_before(
    tmp_path, features, damaged
):
    interrupted(tmp_path / "training", features, after=4, epochs=8)
    path = tmp_path / "training" / "backup" / damaged
    path.write_bytes(path.read_bytes()[:10])
    _, training = train_in(tmp_path / "training", features, epochs=8)
    assert training.read_history()["epoch"].tolist() == list(range(1, 9))


def test_lines_cut_off_and_epochs_repeated_are_sorted_out(tmp_path):
    training = TrainingFolder(tmp_path)
    training.history.write_text(
        "epoch,accuracy,loss\n0,0.1,3.0\n1,0.2,2.5\n2,0.3\n1,0.25,2.4\n2,0.35,2.0\n3,0."
    )
    expected = pd.DataFrame(
        {"epoch": [1, 2, 3], "accuracy": [0.1, 0.25, 0.35], "loss": [3.0, 2.4, 2.0]}
    )
    pd.testing.assert_frame_equal(training.read_history(), expected)


def test_keep_best_writes_whole_files(tmp_path, features):
    """A disk that is full while the second best is saved leaves the first as it was."""
    train, validation = parts_of(features)
    head = new_head()
    keeper = KeepBest(tmp_path / "best.hdf5")
    head.fit(train, validation_data=validation, callbacks=[keeper], verbose=0)
    first = (tmp_path / "best.hdf5").read_bytes()

    class FullDisk(keras.Sequential):
        def save(self, path, **_):
            path.write_bytes(b"half of")
            raise OSError("No space left on device")

    keeper.set_model(FullDisk())
    with pytest.raises(OSError, match="No space left"):
        keeper.on_epoch_end(1, {"val_loss": -1.0})
    assert (tmp_path / "best.hdf5").read_bytes() == first


def test_weights_hdf5_is_read_by_load_weights_without_a_warning(tmp_path, capfd):
    head = new_head()
    save_hdf5(head, tmp_path / "weights" / "weights.hdf5")
    again = new_head(seed=99)
    again.load_weights(tmp_path / "weights" / "weights.hdf5")
    assert same_weights(head, again)
    assert "legacy" not in capfd.readouterr().err


@pytest.mark.parametrize(
    ("rows", "batch_size", "epochs"),
    [
        (128, 128, 70),
        (129, 128, 35),
        (979, 128, 10),
        (979, 512, 35),
        (70 * 128, 128, 10),
    ],
)
def test_patience_lasts_seventy_updates_at_least(rows, batch_size, epochs):
    assert patience_in_epochs(10, rows, batch_size) == epochs
    assert patience_in_epochs(80, rows, batch_size) == 80


TRAIN = (
    "import sys; from small_training import train_in; train_in(sys.argv[1],"
    " sys.argv[2], 40)"
)


def test_killed_trainings_go_on_and_end_as_well_as_an_undisturbed_one(
    tmp_path, features
):
    """SIGKILL twice, at epochs that chance chooses."""
    folder = tmp_path / "killed"
    log = folder / "history.csv"

    def epochs():
        return len(log.read_text().splitlines()) - 1 if log.exists() else 0

    for moment in (3, 12):
        run = start_python(TRAIN, folder, features)
        kill_when(run, lambda moment=moment: epochs() >= moment)
        assert not json.loads((folder / "training.json").read_text())["finished"]
    run_python(TRAIN, folder, features)
    history = TrainingFolder(folder, 40, 50, 3, False).read_history()
    assert history["epoch"].tolist() == list(range(1, 41))
    _, undisturbed = train_in(tmp_path / "undisturbed", features, 40)
    assert (
        history["val_loss"].min()
        < 1.5 * undisturbed.read_history()["val_loss"].min() + 0.05
    )
    assert json.loads((folder / "training.json").read_text())["finished"]


def test_the_callbacks_are_keras_own_but_for_two(tmp_path):
    kinds = [
        type(callback) for callback in make_callbacks(TrainingFolder(tmp_path / "t"), 3)
    ]
    assert sum(kind.__module__.startswith("keras.") for kind in kinds) == len(kinds) - 2


def test_features_are_scaled(features):
    train, _ = parts_of(features)
    assert train[0][0].max() <= np.load(features).max() / SCALE
