"""The store of pooled features: kept, shared, and honest about broken clips."""

from toolbox.clips import read
from toolbox.clips.dataset import Dataset
from toolbox.models import clip_features as pooled
from toolbox.models.backbone import Backbone
from toolbox.models.clip_features import pooled_clips, recipe_clips
from toolbox.store.files import write_csv

import numpy as np
import pandas as pd
import pytest
from clips import write_clip


class Colours:
    """Stands in for VGG16: the mean colours of frames, padded to 512; counts what it
    gets.
    """

    def __init__(self):
        self.loaded, self.frames, self.preprocess = 0, 0, np.asarray

    def load(self):
        self.loaded += 1
        return self.compute, None

    def compute(self, pixels, layers):
        assert pixels.shape[1:] == (224, 224, 3)
        self.frames += len(pixels)
        return [np.pad(pixels / 256, ((0, 0), (0, 0), (0, 0), (0, 509)))]

    def backbone(self, folder, preprocess, engine=None):
        return Backbone("colours", "NumPy", self.load, self.preprocess, ("all",))


@pytest.fixture
def network(monkeypatch):
    """The stand-in, where VGG16 would be."""
    colours = Colours()
    monkeypatch.setattr(pooled, "vgg16_backbone", colours.backbone)
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
    videos, clips, problems = pooled_clips(dataset)
    assert videos["clip"].tolist() == ["a", "b", "c"] and problems == {}
    assert clips.dtype == object and [clip.shape for clip in clips] == [
        (n, 512) for n in (4, 8, 12)
    ]
    assert all(clip.dtype == np.float32 for clip in clips)
    assert network.frames == 24
    assert [len(clip) for clip in pooled_clips(dataset, 2)[1]] == [
        2,
        4,
        6,
    ]


def test_what_is_kept_is_not_computed_twice_and_needs_no_network(dataset, network):
    first = pooled_clips(dataset)
    loaded = network.loaded
    again = pooled_clips(dataset)
    assert network.frames == 24 and network.loaded == loaded
    assert all(map(np.array_equal, first[1], again[1]))
    write_clip(dataset.folder / "Run" / "1.avi", frames=25, look=5)
    pooled_clips(dataset)
    assert network.frames == 28


def test_what_is_done_to_a_frame_is_known(dataset, network, monkeypatch):
    """Another preprocessing or another resizing makes all features anew."""
    pooled_clips(dataset)
    network.preprocess = lambda frames: frames / 2
    halves = pooled_clips(dataset)[1]
    assert network.frames == 48

    def upside_down(frame, size=224, resize=read.to_network_size):
        return resize(frame[::-1], size)

    monkeypatch.setattr(read, "to_network_size", upside_down)
    monkeypatch.setattr(pooled, "to_network_size", upside_down)
    again = pooled_clips(dataset)[1]
    assert network.frames == 72
    assert np.allclose(halves[0], again[0], atol=1e-2)  # of means


def test_a_broken_clip_is_told_and_left_out(dataset, network):
    (dataset.folder / "Run" / "0.avi").write_bytes(b"no video")
    videos, clips, problems = pooled_clips(dataset)
    assert videos["clip"].tolist() == ["b", "c"] and videos.index.tolist() == [0, 1]
    assert [len(clip) for clip in clips] == [8, 12]
    assert problems == {"a": "not a video that OpenCV can open"}


def test_without_a_clip_that_can_be_used_it_ends(dataset, network):
    for path in (dataset.folder / "Run").iterdir():
        path.write_bytes(b"")
    with pytest.raises(
        ValueError, match=r"None of the clips of small can be used.*file is empty"
    ):
        pooled_clips(dataset)


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
