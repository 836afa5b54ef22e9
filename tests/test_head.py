"""Notebook 04, second half: batches, the dense head, and training that can be cut off."""

import json
from unittest.mock import patch

import keras
import numpy as np
import pytest
from clips import kill_when, run_python, start_python
from tiny_course import train_on

from framevote.frames import write_jpeg
from framevote.splits import save_array
from framevote.transfer import (
    FeatureBatches,
    FusedAdam,
    Watch,
    epochs_since_best,
    load_checkpoint,
    make_head,
    patience_in_epochs,
    predict_rows,
    read_note,
    run_epoch,
    save_checkpoint,
    train_head,
    training_fingerprint,
    write_note,
)

SCALE = 4.0


@pytest.fixture
def features(tmp_path):
    """A file of 60 small features of three classes: the class shows, under some noise."""
    rng = np.random.default_rng(0)
    features = rng.random((60, 2, 2, 8))
    features[np.arange(60), 0, 0, np.arange(60) % 3] += 2
    save_array(features.astype("float16"), tmp_path / "features.npy")
    write_note(tmp_path / "features.json", fingerprint="a")
    return tmp_path / "features.npy"


def parts_of(features):
    """Batches of 45 rows for training and 15 for validation."""
    rows = np.random.default_rng(1).permutation(60)
    labels = np.eye(3, dtype="float32")[rows % 3]
    return (
        CountedBatches(features, rows[:45], labels[:45], SCALE, batch_size=10),
        FeatureBatches(features, rows[45:], labels[45:], SCALE, batch_size=10),
    )


def new_head(seed=3, **settings):
    """A head for the small features, the same one for the same seed."""
    keras.utils.set_random_seed(seed)
    return make_head(3, inputs=32, **settings)


def same_weights(first, second):
    """Whether two heads have the very same weights."""
    pairs = zip(first.get_weights(), second.get_weights(), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


class CountedBatches(FeatureBatches):
    """Batches that count their epochs; someone interrupts them, as Ctrl-C does, after `last`."""

    epochs = 0
    last = 200

    def epoch(self, order):
        if self.epochs == self.last:
            raise KeyboardInterrupt
        self.epochs += 1
        yield from super().epoch(order)


def interrupt(train, validation, weights_file, **settings):
    """Begin a training and interrupt it in its sixth epoch, behind the checkpoint of the fourth:
    its clock says half a minute an epoch.
    """
    train.epochs, train.last = 0, 5
    with (
        patch("framevote.transfer.time.monotonic", lambda: 30 * train.epochs),
        pytest.raises(KeyboardInterrupt),
    ):
        train_head(new_head(dropout=0.2), train, validation, weights_file, **settings)
    assert len(read_note(weights_file.parent / "checkpoint" / "state.json")["history"]) == 4
    train.epochs, train.last = 0, 200


# The head and its batches


@pytest.mark.parametrize("rate", [0.001, keras.optimizers.schedules.CosineDecay(0.01, 5)])
def test_fused_adam_is_adam(rate):
    """Same weights after some steps as with Keras' own, but for rounding; in float32 and mixed."""
    random = np.random.default_rng(0)
    inputs, labels = random.random((32, 20), "float32"), np.eye(3)[random.integers(3, size=32)]
    for policy in ("float32", "mixed_bfloat16"):
        heads = []
        for adam in (keras.optimizers.Adam, FusedAdam):
            keras.utils.set_random_seed(1)
            layers = [keras.layers.Dense(n, dtype=policy, activation="softmax") for n in (8, 3)]
            head = keras.Sequential([keras.Input((20,)), *layers])
            head.compile(adam(rate), loss="categorical_crossentropy")
            start = head.get_weights()
            for _ in range(10):
                head.train_on_batch(inputs, labels)
            heads.append(head)
        adam, fused = heads
        assert int(fused.optimizer.iterations) == 10
        for first, one, other in zip(start, adam.get_weights(), fused.get_weights(), strict=True):
            assert np.abs(one - first).max() > 1e-3
            assert np.allclose(one, other, atol=1e-6)
        states = [[np.array(v) for v in head.optimizer.variables] for head in heads]
        assert all(np.allclose(one, other, atol=1e-6) for one, other in zip(*states, strict=True))


def test_the_head_is_that_of_the_recipe():
    head = make_head(14)
    widths = [layer.units for layer in head.layers if isinstance(layer, keras.layers.Dense)]
    assert widths == [1024, 512, 256, 128, 14]
    rates = [layer.rate for layer in head.layers if isinstance(layer, keras.layers.Dropout)]
    assert rates == [0.5] * 4
    assert head.input_shape == (None, 25088)


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_a_mixed_head_keeps_float32_weights_and_answers(precision, features, tmp_path):
    """It learns, and a head in float32 takes its weights and says the same, but for rounding."""
    train, validation = parts_of(features)
    mixed = new_head(dropout=0.0, precision=precision)
    computes = "bfloat16" if precision == "mixed_bfloat16" else "float32"
    assert [layer.compute_dtype for layer in mixed.layers] == [computes] * 8 + ["float32"]
    weights_file = tmp_path / "weights.hdf5"
    train_head(mixed, train, validation, weights_file, max_epochs=30, patience=30)
    assert {str(weights.dtype) for weights in mixed.get_weights()} == {"float32"}
    said = predict_rows(mixed, features, validation.rows, SCALE)
    assert said.dtype == "float32"
    assert (said.argmax(axis=1) == validation.rows % 3).mean() > 0.9
    plain = new_head(dropout=0.0)
    plain.load_weights(weights_file)
    assert np.abs(predict_rows(plain, features, validation.rows, SCALE) - said).max() < 0.05


def test_probabilities_sum_to_one(features):
    probabilities = predict_rows(new_head(), features, np.arange(7), SCALE, batch_size=3)
    assert probabilities.shape == (7, 3)
    assert probabilities.sum(axis=1) == pytest.approx(1, abs=1e-5)


def test_batches_come_in_the_order_asked_for(features):
    train, _ = parts_of(features)
    order = np.random.default_rng(5).permutation(45)
    batches = list(train.epoch(order))
    assert [len(labels) for _, labels in batches] == [10, 10, 10, 10, 5]
    expected = np.load(features)[train.rows[order]].reshape(45, -1).astype("float32") / SCALE
    found = np.concatenate([inputs for inputs, _ in batches])
    assert found.dtype == np.float32
    assert np.array_equal(found, expected)
    assert np.array_equal(np.concatenate([labels for _, labels in batches]), train.labels[order])


def test_a_watch_counts_only_the_time_that_the_loop_waits():
    now = [100.0]

    def slowly():
        for item in (1, None, 3):
            now[0] += 2
            yield item

    watch, items = Watch(), []
    with patch("time.perf_counter", lambda: now[0]):
        for item in watch.over(slowly()):
            items.append(item)
            now[0] += 50  # busy, which doesn't count
    assert items == [1, None, 3]
    assert watch.seconds == 6


def test_the_numbers_of_an_epoch_are_means_over_all_its_rows(features):
    """Batches of 10 and 5: neither the last one alone, nor each counting the same."""
    head = new_head(dropout=0.0)
    train, validation = parts_of(features)
    logs = run_epoch(head, train, validation, epoch=0, seed=1)
    probabilities = predict_rows(head, features, validation.rows, SCALE)
    right = probabilities.argmax(axis=1) == validation.labels.argmax(axis=1)
    loss = -np.log((probabilities * validation.labels).sum(axis=1)).mean()
    assert logs["val_accuracy"] == pytest.approx(right.mean())
    assert logs["val_loss"] == pytest.approx(loss, rel=1e-3)
    assert logs["accuracy"] * 45 == pytest.approx(round(logs["accuracy"] * 45), abs=1e-3)
    assert set(logs) == {"loss", "accuracy", "val_loss", "val_accuracy"}


def test_predictions_do_not_depend_on_the_batches(features):
    head, rows = new_head(), np.array([9, 4, 4, 0, 33])
    together = predict_rows(head, features, rows, SCALE)
    for size in (1, 2, 5):
        apart = predict_rows(head, features, rows, SCALE, batch_size=size)
        assert apart == pytest.approx(together, abs=1e-5)


@pytest.mark.parametrize(
    ("losses", "expected"), [([], 0), ([2], 0), ([2, 1], 0), ([1, 2, 3], 2), ([2, 1, 1], 1)]
)
def test_epochs_since_best(losses, expected):
    assert epochs_since_best([{"val_loss": loss} for loss in losses]) == expected


# Training


def test_training_learns_and_keeps_its_best_weights(tmp_path, features):
    head = new_head()
    train, validation = parts_of(features)
    history = train_head(head, train, validation, tmp_path / "weights.hdf5", max_epochs=12)
    assert history["epoch"].tolist() == list(range(1, 13))
    assert history["val_accuracy"].max() > 0.9
    probabilities = predict_rows(head, features, validation.rows, SCALE)
    loss = -np.log((probabilities * validation.labels).sum(axis=1)).mean()
    assert loss == pytest.approx(history["val_loss"].min(), rel=1e-3, abs=1e-5)
    saved = new_head(seed=99)
    saved.load_weights(tmp_path / "weights.hdf5")
    assert same_weights(saved, head)
    assert not (tmp_path / "checkpoint").exists()


def test_training_stops_when_nothing_gets_better(tmp_path, features):
    train, validation = parts_of(features)
    train.labels = np.roll(train.labels, 1, axis=1)  # all wrong: validation can only get worse
    history = train_head(
        new_head(dropout=0.0), train, validation, tmp_path / "weights.hdf5", patience=3
    )
    best = history["val_loss"].idxmin()
    assert len(history) == best + 1 + 3 < 200


def test_a_finished_training_is_used_again(tmp_path, features, capsys):
    weights_file = tmp_path / "weights.hdf5"
    head, again = new_head(), new_head()
    train, validation = parts_of(features)
    history = train_head(head, train, validation, weights_file, max_epochs=3)
    capsys.readouterr()
    assert train_head(again, train, validation, weights_file, max_epochs=3).equals(history)
    assert "weights.hdf5 is trained already" in capsys.readouterr().out
    assert train.epochs == 3
    assert same_weights(again, head)


def test_anything_else_trains_again(tmp_path, features):
    weights_file = tmp_path / "weights.hdf5"
    train, validation = parts_of(features)
    trained = []

    def train_again(head=None, **settings):
        train.epochs = 0
        head = head or new_head()
        settings = {"max_epochs": 2} | settings
        trained.append(train_head(head, train, validation, weights_file, **settings))
        assert train.epochs == settings["max_epochs"]

    train_again()
    train_again(seed=5)
    train_again(new_head(dropout=0.2))
    train_again(max_epochs=3)
    weights_file.unlink()
    train_again(max_epochs=3)
    assert trained[-1].equals(trained[-2])
    train.labels = np.roll(train.labels, 1, axis=1)
    train_again(max_epochs=3)
    assert not trained[-1].equals(trained[-2])
    save_array(np.load(features)[::-1], features)
    write_note(features.with_suffix(".json"), fingerprint="b")
    train_again(max_epochs=3)
    assert not trained[-1].equals(trained[-2])


def test_a_live_cell_trains_as_its_export(features):
    """The same class, defined in a notebook and imported, makes no other training."""
    train, validation = parts_of(features)
    live = type("FusedAdam", (FusedAdam,), {"__module__": "__main__"})
    prints = []
    for optimizer in (FusedAdam, live, keras.optimizers.SGD):
        head = new_head()
        head.compile(optimizer(0.01, name="same"), loss=head.loss, metrics=["accuracy"])
        prints.append(training_fingerprint(head, train, validation, 7))
    assert prints[0] == prints[1] != prints[2]


@pytest.mark.parametrize(
    ("rows", "batch_size", "epochs"),
    [(128, 128, 70), (129, 128, 35), (979, 128, 10), (979, 512, 35), (70 * 128, 128, 10)],
)
def test_patience_lasts_seventy_updates_at_least(rows, batch_size, epochs):
    assert patience_in_epochs(10, rows, batch_size) == epochs
    assert patience_in_epochs(80, rows, batch_size) == 80


def test_an_interrupted_training_ends_as_an_undisturbed_one(tmp_path, features):
    train, validation = parts_of(features)
    weights_file, other_file = (tmp_path / name / "weights.hdf5" for name in ("a", "b"))
    interrupt(train, validation, weights_file, max_epochs=8)
    resumed, undisturbed = new_head(dropout=0.2), new_head(dropout=0.2)
    history = train_head(resumed, train, validation, weights_file, max_epochs=8)
    assert train.epochs == 4  # it went on behind the checkpoint
    expected = train_head(undisturbed, train, validation, other_file, max_epochs=8)
    assert history.equals(expected)
    assert same_weights(resumed, undisturbed)


def test_an_interrupted_training_can_be_thrown_away(tmp_path, features):
    """Deleting the weights means to train again; here the first epoch stays the best."""
    train, validation = parts_of(features)
    train.labels = np.roll(train.labels, 1, axis=1)  # all wrong, so validation gets worse
    weights_file = tmp_path / "weights.hdf5"
    interrupt(train, validation, weights_file, max_epochs=8)
    weights_file.unlink()
    history = train_head(
        new_head(dropout=0.2), train, validation, weights_file, max_epochs=8, checkpoint_seconds=0
    )
    assert history["val_loss"].idxmin() < 4
    assert weights_file.exists()


def test_a_finished_training_is_not_mistaken_for_one_that_was_interrupted(tmp_path, features):
    """A training, another one in the same place that is interrupted, and the first again."""
    train, validation = parts_of(features)
    weights_file = tmp_path / "weights.hdf5"
    first, again = new_head(), new_head()
    history = train_head(first, train, validation, weights_file, max_epochs=2)
    interrupt(train, validation, weights_file, max_epochs=8)
    assert train_head(again, train, validation, weights_file, max_epochs=2).equals(history)
    assert same_weights(again, first)


def test_fewer_epochs_after_an_interruption_give_the_weights_of_these_epochs(tmp_path, features):
    train, validation = parts_of(features)
    weights_file, other_file = (tmp_path / name / "weights.hdf5" for name in ("a", "b"))
    interrupt(train, validation, weights_file, max_epochs=8)
    resumed, undisturbed = new_head(dropout=0.2), new_head(dropout=0.2)
    history = train_head(resumed, train, validation, weights_file, max_epochs=4)
    expected = train_head(undisturbed, train, validation, other_file, max_epochs=4)
    assert history.equals(expected)
    assert same_weights(resumed, undisturbed)


def test_a_checkpoint_of_another_training_is_ignored(tmp_path):
    folder, head = tmp_path / "checkpoint", new_head()
    head.optimizer.build(head.trainable_variables)
    save_checkpoint(head, [{"epoch": 1, "val_loss": 1.0}], folder, "mine")
    assert load_checkpoint(new_head(), folder, "mine") == [{"epoch": 1, "val_loss": 1.0}]
    assert load_checkpoint(new_head(), folder, "another") == []
    assert not folder.exists()


def test_a_checkpoint_without_its_weights_is_ignored(tmp_path):
    folder = tmp_path / "checkpoint"
    save_checkpoint(new_head(), [{"epoch": 1, "val_loss": 1.0}], folder, "mine")
    for path in folder.glob("*.h5"):
        path.unlink()
    assert load_checkpoint(new_head(), folder, "mine") == []


# Killed, and started again

TRAIN = "import sys; from tiny_course import train_on; train_on(*sys.argv[1:])"


def test_killed_runs_go_on_and_end_as_an_undisturbed_one(tmp_path, weights_folder, base):
    """Killed while computing features and again while training.

    This takes a while: Keras starts three times, and the real head has 26 million weights.
    """
    frames, work = tmp_path / "frames", tmp_path / "killed"
    for number in range(20):
        noise = np.random.default_rng(number).integers(0, 256, (6, 8, 3), np.uint8)
        write_jpeg(np.kron(noise, np.ones((8, 8, 1), np.uint8)), frames / f"{number:02}.jpg")

    run = start_python(TRAIN, frames, work, weights_folder)
    kill_when(run, lambda: read_note(work / "features.json").get("done", 0) >= 8)
    assert 8 <= read_note(work / "features.json")["done"] < 20
    assert not (work / "features.npy").exists()

    run = start_python(TRAIN, frames, work, weights_folder)
    kill_when(run, (work / "checkpoint" / "state.json").exists)
    state = read_note(work / "checkpoint" / "state.json")
    assert 1 <= len(state["history"]) < 6
    assert not (work / "weights.json").exists()

    output = run_python(TRAIN, frames, work, weights_folder)
    assert "features.npy is complete already" in output
    assert f"{len(state['history'])}/6" in output
    assert "0/6" not in output  # it went on behind the checkpoint
    undisturbed, history = train_on(frames, tmp_path / "undisturbed", weights_folder, base)
    features = (tmp_path / "undisturbed" / "features.npy").read_bytes()
    assert (work / "features.npy").read_bytes() == features
    note = json.loads((work / "weights.json").read_text())
    assert note["history"] == history.to_dict("records")
    assert note["history"][: len(state["history"])] == state["history"]
    resumed = make_head(3)
    resumed.load_weights(work / "weights.hdf5")
    assert same_weights(resumed, undisturbed)
