"""What Keras' `fit` lacks for long trainings: a faster Adam, safe checkpoints, a bar
of epochs.
"""

import shutil

from toolbox.page import progress, quiet_start
from toolbox.store import digest_of, read_json, whole, write_json

import absl.logging
import pandas as pd

with quiet_start():
    import keras


class FusedAdam(keras.optimizers.Adam):
    """Keras' Adam with the update of each variable as one operation of TensorFlow's; on
    other backends it is Keras' own. For dense gradients, without AMSGrad.

    Source: Kingma and Ba 2015, arXiv:1412.6980, and TensorFlow's
    `tf.raw_ops.ResourceApplyAdam`.
    """

    def update_step(self, gradient, variable, learning_rate):
        """Move one variable against its gradient, and the two running means with it."""
        if keras.backend.backend() != "tensorflow":
            super().update_step(gradient, variable, learning_rate)
            return
        import tensorflow as tf

        place = self._get_variable_index(variable)
        mean, square = self._momentums[place], self._velocities[place]
        steps = tf.cast(tf.convert_to_tensor(self.iterations) + 1, variable.dtype)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=mean.value.handle,
            v=square.value.handle,
            beta1_power=self.beta_1**steps,
            beta2_power=self.beta_2**steps,
            lr=tf.cast(learning_rate, variable.dtype),
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=gradient,
        )


class TrainingFolder:
    """The files of one training, so that it can go on after an interruption.

    folder: holds `history` (CSV), the weights of the `best` epoch, and the `backup` of
    the last; made_of: all that the training depends on, see `digest_of`. Files of a
    training that was made of something else are deleted, so no training goes on from
    another's weights.
    """

    def __init__(self, folder, *made_of):
        self.folder, self.note = folder, folder / "training.json"
        self.history, self.best = folder / "history.csv", folder / "best.hdf5"
        self.backup = folder / "backup"
        digest = digest_of(*made_of)
        if not self.note.exists() or read_json(self.note).get("made_of") != digest:
            shutil.rmtree(folder, ignore_errors=True)
            write_json(self.note, made_of=digest, finished=False)
        repair_backup(self.backup)

    @property
    def finished(self):
        """Whether the training ran to its end, and its weights are there."""
        return read_json(self.note)["finished"] and self.best.exists()

    def read_history(self):
        """The log of the `CSVLogger`: a DataFrame of epoch (from 1), its losses and
        accuracies.

        A line that was cut off is left out; of an epoch that was repeated after an
        interruption, the last line counts.
        """
        history = pd.read_csv(self.history, on_bad_lines="skip")
        history = history.apply(pd.to_numeric, errors="coerce").dropna()
        history = history.drop_duplicates("epoch", keep="last").sort_values("epoch")
        return history.assign(epoch=history["epoch"].astype(int) + 1).reset_index(
            drop=True
        )

    def finish(self):
        """Note that the training ran to its end; the backup is needed no more."""
        write_json(self.note, made_of=read_json(self.note)["made_of"], finished=True)
        shutil.rmtree(self.backup, ignore_errors=True)


def repair_backup(backup):
    """Let the older copy of `BackupAndRestore(double_checkpoint=True)` take the
    place of the newer if a kill cut off the newer one's note (Keras does so by
    itself where the weights are damaged).
    """
    try:
        read_json(backup / "training_metadata.json")
    except ValueError:
        older = list(backup.glob("*.bkp"))
        for file in older:
            file.replace(file.with_suffix(""))
        if not older:
            shutil.rmtree(backup)


class KeepBest(keras.callbacks.Callback):
    """Keep the weights of the epoch with the lowest validation loss in a file, and
    leave them in the model when the training ends.

    path: ends with `.hdf5`. Unlike `ModelCheckpoint`, it writes the file whole or not
    at all, and knows the best of the epochs before an interruption.
    """

    def __init__(self, path):
        super().__init__()
        self.path, self.note = path, path.with_suffix(".json")

    def on_train_begin(self, logs=None):
        self.lowest = read_json(self.note).get("val_loss", float("inf"))
        if not self.path.exists():
            self.lowest = float("inf")

    def on_epoch_end(self, epoch, logs=None):
        if logs["val_loss"] < self.lowest:
            self.lowest = float(logs["val_loss"])
            save_hdf5(self.model, self.path)
            write_json(self.note, val_loss=self.lowest, epoch=epoch + 1)

    def on_train_end(self, logs=None):
        self.model.load_weights(self.path)


class EpochBar(keras.callbacks.Callback):
    """A progress bar of epochs with the losses of the last one; it ends at 100 %,
    wherever the training stops.
    """

    def on_train_begin(self, logs=None):
        self.bar = progress(total=self.params["epochs"], desc="train", unit="epoch")

    def on_epoch_begin(self, epoch, logs=None):
        if (
            self.bar.n < epoch
        ):  # epochs of an earlier run, not to be counted in the rate
            self.bar.n = self.bar.initial = epoch

    def on_epoch_end(self, epoch, logs=None):
        losses = f"loss {logs['loss']:.3f}, validation {logs['val_loss']:.3f}"
        self.bar.set_postfix_str(losses, refresh=False)
        self.bar.update()

    def on_train_end(self, logs=None):
        self.bar.total = self.bar.n
        self.bar.close()


def patience_in_epochs(patience, rows, batch_size=128):
    """How many epochs to wait for a better one: `patience`, or more where that would be
    fewer than 70 updates of the weights.

    patience: epochs; rows: how many an epoch trains on; batch_size: rows for each
    update.
    """
    updates = -(-rows // batch_size)  # in an epoch
    return max(patience, round(70 / updates))


def save_hdf5(model, path):
    """Save a model in the layout that `load_weights` of an `.hdf5` file reads, whole or
    not at all.

    Keras calls the layout legacy at each save; the course wants it, so the warning is
    kept quiet.
    """
    before = absl.logging.get_verbosity()
    absl.logging.set_verbosity(absl.logging.ERROR)
    try:
        with whole(path) as temporary:
            model.save(temporary, include_optimizer=False)
    finally:
        absl.logging.set_verbosity(before)
