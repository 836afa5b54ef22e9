"""What VGG16 sees in every clip: the one store of pooled features that notebooks share."""

from functools import cache

from toolbox.clips import features_of_clips, look_at
from toolbox.features import way_of
from toolbox.files import read_csv, read_json, write_json
from toolbox.validate import as_array
from toolbox.vgg16 import Network, fastest_network

import numpy as np
from keras.applications.vgg16 import preprocess_input

WAY_NOTE = "pooled.json"  # in data/<dataset>/: how the store in pooled/ was computed


def pooled_network(dataset, way=None):
    """VGG16 as it looks at clips for the store: behind ImageNet's preprocessing, pooled, by the way
    (see `toolbox.vgg16.ways`) that the store was begun with, or else notebook 04's features, where
    that can be had.

    way: one to take instead. Raises what `fastest_network` raises.
    """
    before = read_json(dataset.data / WAY_NOTE).get("way") or way_of(dataset.data / "features.npy")
    return fastest_network(dataset.weights.parent, preprocess_input, way, before).using(pooled=True)


def pooled_clips(dataset, prepare, per_second=4):
    """What VGG16 sees in a dataset's clips at 0, 1 / per_second, ... seconds, the mean over the 7 x
    7 positions; computed once, and kept in `data/<dataset>/pooled/` for all notebooks.

    prepare: function of a BGR frame that returns what the network takes, RGB uint8 (224, 224, 3).
    Returns (videos, clips, problems): the rows of `videos.csv` that can be used, numbered anew; an
    array (n,) of their features, each float32 (frames, 512); and a dict from clip to text for what
    was odd or broken. Raises ValueError if no clip can be used.
    """

    @cache
    def network():  # once a clip has to be looked at, and not before
        found, note = pooled_network(dataset), dataset.data / WAY_NOTE
        if not note.exists():
            write_json(note, way=found.way)
        return found

    def look(path, odd):
        return look_at(path, prepare, network(), per_second, odd)

    videos = read_csv(dataset.data / "videos.csv")
    made_from = [Network("", None, preprocess_input, pooled=True).facts, per_second]
    where = dataset.folder, dataset.data / "pooled"
    features, problems = features_of_clips(look, videos, *where, made_from)
    videos = videos[videos["clip"].isin(list(features))].reset_index(drop=True)
    if videos.empty:
        raise ValueError(f"None of the clips of {dataset.name} can be used: {problems}")
    return videos, as_array([features[clip] for clip in videos["clip"]]), problems


def recipe_clips(dataset, videos):
    """The features of the 2019 recipe as notebooks 04 and 05 left them (one frame a second, divided
    by 255), the mean over the 7 x 7 positions: an array (n,) of arrays float32 (frames, 512).

    videos: DataFrame with `video`, the clips in their order. Raises ValueError if a clip has no
    frames there.
    """
    features = {}
    for table, file in (("train_new", "features"), ("test_frames", "test_features")):
        of_clip = read_csv(dataset.data / f"{table}.csv").groupby("video").indices
        maps = np.load(dataset.data / f"{file}.npy", mmap_mode="r")
        features |= {clip: maps[rows].mean((1, 2), "float32") for clip, rows in of_clip.items()}
    if missing := [video for video in videos["video"] if video not in features]:
        raise ValueError(f"{missing[0]} has no frames: run notebooks 01 to 05 again.")
    return as_array([features[video] for video in videos["video"]])
