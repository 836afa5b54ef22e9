"""The store of pooled features: kept, shared, and honest about broken clips."""

from toolbox.clips.dataset import Dataset
from toolbox.models import clip_features as pooled
from toolbox.models.clip_features import pooled_clips, recipe_clips
from toolbox.store.files import write_csv

import numpy as np
import pandas as pd
import pytest
from clips import write_clip

from lessons.transfer import to_network_size


class Colours:
    """Stands in for VGG16: the mean colours of frames, padded to 512; counts what it
    gets.
    """

    def __init__(self):
        self.loaded, self.frames = 0, 0

    def load(self, folder, preprocess, way=None):
        self.loaded += 1
        return self

    def using(self, pooled):
        assert pooled
        return self

    def __call__(self, frames):
        assert frames.shape[1:] == (224, 224, 3) and frames.dtype == np.uint8
        self.frames += len(frames)
        return np.pad(frames.mean(axis=(1, 2)) / 256, ((0, 0), (0, 509))).astype(
            "float32"
        )


@pytest.fixture
def network(monkeypatch):
    """The stand-in, where the network would be loaded."""
    colours = Colours()
    monkeypatch.setattr(pooled, "fastest_network", colours.load)
    return colours


@pytest.fixture
def dataset(tmp_path):
    """Three clips, of 1, 2 and 3 seconds, and their table."""
    for look in range(3):
        write_clip(
            tmp_path / "videos" / "Run" / f"{look}.avi",
            frames=25 * (look + 1),
            look=look,
        )
    videos = pd.DataFrame(
        {"clip": ["a", "b", "c"], "class": "Run", "group": ["g1", "g2", "g2"]}
    )
    videos["video"] = [f"Run/{look}.avi" for look in range(3)]
    write_csv(videos, tmp_path / "data" / "videos.csv")
    return Dataset(
        "small", tmp_path / "videos", tmp_path / "data", tmp_path / "weights" / "small"
    )


def test_each_clip_has_four_frames_a_second(dataset, network):
    videos, clips, problems = pooled_clips(dataset, to_network_size)
    assert videos["clip"].tolist() == ["a", "b", "c"] and problems == {}
    assert clips.dtype == object and [clip.shape for clip in clips] == [
        (n, 512) for n in (4, 8, 12)
    ]
    assert all(clip.dtype == np.float32 for clip in clips)
    assert (network.loaded, network.frames) == (1, 24)
    assert [len(clip) for clip in pooled_clips(dataset, to_network_size, 2)[1]] == [
        2,
        4,
        6,
    ]


def test_what_is_kept_is_not_computed_twice_and_needs_no_network(dataset, network):
    first = pooled_clips(dataset, to_network_size)
    again = pooled_clips(dataset, to_network_size)
    assert (network.loaded, network.frames) == (1, 24)
    assert all(map(np.array_equal, first[1], again[1]))
    write_clip(dataset.folder / "Run" / "1.avi", frames=25, look=5)
    pooled_clips(dataset, to_network_size)
    assert (network.loaded, network.frames) == (2, 28)


def test_a_broken_clip_is_told_and_left_out(dataset, network):
    (dataset.folder / "Run" / "0.avi").write_bytes(b"no video")
    videos, clips, problems = pooled_clips(dataset, to_network_size)
    assert videos["clip"].tolist() == ["b", "c"] and videos.index.tolist() == [0, 1]
    assert [len(clip) for clip in clips] == [8, 12]
    assert problems == {"a": "not a video that OpenCV can open"}


def test_without_a_clip_that_can_be_used_it_ends(dataset, network):
    for path in (dataset.folder / "Run").iterdir():
        path.write_bytes(b"")
    with pytest.raises(
        ValueError, match=r"None of the clips of small can be used.*file is empty"
    ):
        pooled_clips(dataset, to_network_size)


def test_the_recipe_s_features_come_back_clip_by_clip(dataset):
    """Rows of a clip need not stand together; a clip is in the training or in the
    test table.
    """
    tables = {
        "train_new": ["Run/1.avi", "Run/0.avi", "Run/1.avi"],
        "test_frames": ["Run/2.avi"],
    }
    for table, file in (("train_new", "features"), ("test_frames", "test_features")):
        write_csv(pd.DataFrame({"video": tables[table]}), dataset.data / f"{table}.csv")
        maps = np.zeros((len(tables[table]), 7, 7, 512), "float16")
        maps[:, 0, 0] = 49 * (1 + np.arange(len(maps)))[:, None]
        np.save(dataset.data / f"{file}.npy", maps)
    videos = pd.DataFrame({"video": ["Run/0.avi", "Run/2.avi", "Run/1.avi"]})
    clips = recipe_clips(dataset, videos)
    assert [clip[:, 0].tolist() for clip in clips] == [[2], [1], [1, 3]]
    assert all(clip.dtype == np.float32 and clip.shape[1] == 512 for clip in clips)
    with pytest.raises(ValueError, match=r"Run/9\.avi has no frames"):
        recipe_clips(dataset, pd.DataFrame({"video": ["Run/9.avi"]}))
