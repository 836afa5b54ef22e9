"""What Keras' `fit` lacks: an end that is kept, and a bar of epochs."""

import shutil
from contextlib import contextmanager

from toolbox.page import keras, progress
from toolbox.store import digest_of, is_made, making, note_of, read_json

import numpy as np
import pandas as pd


@contextmanager
def resumable(head, batches, weights, patience, *of):
    """Yield callbacks for `head.fit(batches, ...)`, so that a training that was cut off
    goes on after its last epoch and ends as if it had not been. They stop it when the
    validation loss has not fallen for `patience` epochs. After the block `weights` (the
    path of an `.hdf5` file) is a kept result: the weights of the best epoch.

    head: compiled, as it is before the training; batches: a `keras.utils.PyDataset`;
    of: all that the training depends on, see `digest_of`.
    """
    folder = weights.with_name(f"training-{digest_of(*of)[:8]}")
    log, best, backup = map(
        folder.joinpath, ("history.csv", "best.weights.h5", "backup")
    )
    try:
        done = read_json(backup / "training_metadata.json").get("epoch", 0)
    except ValueError:  # cut off while it was written: begin anew
        shutil.rmtree(folder)
        done = 0
    folder.mkdir(parents=True, exist_ok=True)
    losses = read_log(log)["val_loss"].tolist()
    for _ in range(done):
        batches.on_epoch_end()  # so that the next epoch has its own order ...
    for state in head.variables:
        if state.path.endswith("seed_generator_state"):  # ... and its own dropout
            state.assign(state + np.array([0, done * len(batches)], "uint32"))
    keep = {"save_best_only": True, "save_weights_only": True}
    keep["initial_value_threshold"] = min(losses, default=None)
    twice = {"double_checkpoint": True, "delete_checkpoint": False}
    yield [
        keras.callbacks.ModelCheckpoint(str(best), **keep),
        keras.callbacks.CSVLogger(log, append=True),
        keras.callbacks.BackupAndRestore(backup, **twice),
        StopInTime(losses[:done], patience),
        EpochBar(),
    ]
    head.load_weights(best)
    with making(weights, *of, history=read_log(log).to_dict("list")) as temporary:
        head.save(temporary, include_optimizer=False)
    shutil.rmtree(folder)


def train_head(head, batches, validation, weights, epochs, patience, *of):
    """Fit a compiled head until the validation loss has not fallen for `patience`
    epochs, and leave the weights of its best epoch in it and in the file `weights`.

    batches, validation: two `FeatureBatches`; of: the seed, and what else the head's
    first weights depend on. A training that was cut off goes on, and one that ended
    isn't repeated. Returns its history: a DataFrame of epoch, losses and accuracies.
    """
    rule = {**head.optimizer.get_config(), "name": ""}  # Keras numbers the names
    settings = [head.get_config(), rule, epochs, patience]
    of = [*settings, *batches.of, *validation.of, *of]
    if not is_made(weights, *of):
        with resumable(head, batches, weights, patience, *of) as callbacks:
            head.fit(
                batches,
                validation_data=validation,
                epochs=epochs,
                callbacks=callbacks,
                shuffle=False,  # `FeatureBatches` shuffles
                verbose=0,
            )
    head.load_weights(weights)
    return history_of(weights)


def history_of(weights):
    """The history of a training that ended, see `resumable`: a DataFrame of epoch (from
    1), its losses and accuracies.
    """
    return pd.DataFrame(read_json(note_of(weights))["history"])


def read_log(log):
    """The log of a `CSVLogger`, as in `history_of`. A line that was cut off is left
    out; of an epoch that was repeated after an interruption, the last line counts.
    """
    if not log.exists() or not log.stat().st_size:
        return pd.DataFrame({"epoch": [], "val_loss": []})
    history = pd.read_csv(log, on_bad_lines="skip")
    history = history.apply(pd.to_numeric, errors="coerce").dropna()
    history = history.drop_duplicates("epoch", keep="last").reset_index(drop=True)
    return history.assign(epoch=history["epoch"].astype(int) + 1)


class StopInTime(keras.callbacks.EarlyStopping):
    """Keras' EarlyStopping, which also counts the epochs before an interruption."""

    def __init__(self, losses, patience):
        super().__init__(patience=patience)
        self.losses = losses

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        for epoch, loss in enumerate(self.losses):
            self.on_epoch_end(epoch, {"val_loss": loss})


class EpochBar(keras.callbacks.Callback):
    """A progress bar of epochs; it ends at 100 %, wherever the training stops."""

    def on_train_begin(self, logs=None):
        self.bar = progress(total=self.params["epochs"], desc="train", unit="epoch")

    def on_epoch_begin(self, epoch, logs=None):
        if self.bar.n < epoch:  # epochs of an earlier run don't count in the rate
            self.bar.n = self.bar.initial = epoch

    def on_epoch_end(self, epoch, logs=None):
        losses = f"loss {logs['loss']:.3f}"
        if "val_loss" in logs:
            losses += f", validation {logs['val_loss']:.3f}"
        self.bar.set_postfix_str(losses, refresh=False)
        self.bar.update()

    def on_train_end(self, logs=None):
        self.bar.total = self.bar.n
        self.bar.close()
