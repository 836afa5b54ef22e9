"""What a network sees in single frames: computed once, kept in one file, and read from
it a batch at a time.
"""

import math

from toolbox.clips import load_frame
from toolbox.models.clip_features import as_array
from toolbox.page import in_threads, keras, progress
from toolbox.store import growing_array, read_csv

import numpy as np

# The frames of the training clips, and of the test clips: their table and their folder
FRAMES = {"": ("train_new", "train_1"), "test_": ("test_frames", "test_1")}


def extract_features(paths, network, target, batch_size=16):
    """Compute the features of JPEG files and keep them in `target`, an array file (n,
    7, 7, 512) of float16; goes on where an earlier run stopped, and keeps a finished
    file.

    paths: list of Path; network: a `toolbox.models.Backbone`. Memory holds a few
    batches. Raises ValueError if a frame can't be read, OSError if the disk is full,
    RuntimeError while another process writes the same file.
    """
    shape, of = (len(paths), *network.shape), [network.facts, *paths]
    with growing_array(target, shape, *of, step=batch_size) as (done, append):
        starts = range(done, len(paths), batch_size)
        batches = (paths[start : start + batch_size] for start in starts)
        frames = in_threads(
            lambda batch: np.stack([*map(load_frame, batch)]), batches, 2
        )
        desc = f"{network.name} features"
        bar = progress(total=len(paths), initial=done, desc=desc, unit="frame")
        for batch in frames:
            append(network(batch))
            bar.update(len(batch))
        bar.close()


class FeatureBatches(keras.utils.PyDataset):
    """Batches of (features (batch, d) float32, labels (batch, classes)), or of the
    features alone, for Keras' `fit`, `evaluate` and `predict`, read from a file.

    features_file: array file (n, ...); rows: which of its rows, (m,) int; labels: (m,
    classes) one-hot, or None; scale: features are divided by it; seed: for a new order
    in each epoch, or None.
    """

    def __init__(self, features_file, rows, labels, scale, batch_size=128, seed=None):
        super().__init__()
        self.file, self.rows, self.labels = features_file, rows, labels
        self.scale, self.batch_size = np.float32(scale), batch_size
        self.order = np.arange(len(rows))
        self.rng = None if seed is None else np.random.default_rng(seed)
        self.of = [features_file, rows, labels, scale, batch_size, seed]
        self.on_epoch_end()

    def __len__(self):
        return math.ceil(len(self.rows) / self.batch_size)

    def __getitem__(self, index):
        start = index * self.batch_size
        chosen = np.sort(self.order[start : start + self.batch_size])
        features = np.load(self.file, mmap_mode="r")[self.rows[chosen]]
        features = features.reshape(len(chosen), -1).astype("float32") / self.scale
        return (features,) if self.labels is None else (features, self.labels[chosen])

    def on_epoch_end(self):
        if self.rng is not None:
            self.order = self.rng.permutation(len(self.rows))


def predict_features(head, features_file, scale, rows=None):
    """A head's class probabilities, (m, classes), for frames of a features file.

    scale: see `FeatureBatches`; rows: which rows of the file, (m,) int, or None: all.
    """
    if rows is None:
        rows = np.arange(len(np.load(features_file, mmap_mode="r")))
    batches = FeatureBatches(features_file, rows, None, scale)
    return head.predict(batches, verbose=0)


def see_frames(dataset, network, name):
    """Let a network see the frames that notebooks 01 and 05 took of the clips, one a
    second, and keep what it sees in `<name>.npy` and `test_<name>.npy`, as
    `extract_features` does.
    """
    for part, (table, pictures) in FRAMES.items():
        images = read_csv(dataset.data / f"{table}.csv")["image"]
        paths = [dataset.data / pictures / image for image in images]
        extract_features(paths, network, dataset.data / f"{part}{name}.npy")


def frames_of_clips(dataset, videos, name, where=True):
    """What `see_frames` kept of each clip: an array (n,) of float32 (frames, d), in the
    order of `videos`. Raises ValueError if a clip has no frames.

    where: lay maps (7, 7, channels) out flat; else take their means over the places.
    """
    features = {}
    for part, (table, _) in FRAMES.items():
        of_clip = read_csv(dataset.data / f"{table}.csv").groupby("video").indices
        kept = np.load(dataset.data / f"{part}{name}.npy", mmap_mode="r")
        for clip, rows in of_clip.items():
            seen = kept[rows].astype("float32")
            pooled = seen.mean(axis=tuple(range(1, seen.ndim - 1)))
            features[clip] = seen.reshape(len(rows), -1) if where else pooled
    if missing := [video for video in videos["video"] if video not in features]:
        raise ValueError(f"{missing[0]} has no frames: run notebooks 01 to 05 again.")
    return as_array([features[video] for video in videos["video"]])
