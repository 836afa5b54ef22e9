"""The store of pooled features: kept, shared, and honest about broken clips."""

from toolbox.clips.dataset import Dataset
from toolbox.models import clip_features as pooled
from toolbox.models.backbone import Backbone
from toolbox.models.clip_features import pooled_clips
from toolbox.models.frame_features import frames_of_clips, see_frames
from toolbox.store.files import write_csv, write_jpeg

import numpy as np
import pandas as pd
import pytest
from clips import write_clip


class Colours:
    """Stands in for the network: mean colours, padded to 512; counts what it gets."""

    def __init__(self):
        self.loaded, self.frames, self.preprocess = 0, 0, np.asarray

    def load(self):
        self.loaded += 1
        return self.compute, None

    def compute(self, pixels, layers, pooled):
        assert pixels.shape[1:] == (224, 224, 3) and pooled
        self.frames += len(pixels)
        return [np.pad(pixels.mean((1, 2)) / 256, ((0, 0), (0, 509)))]

    def backbone(self, folder, engine=None):
        return Backbone("colours", "NumPy", self.load, self.preprocess, ("all",))


@pytest.fixture
def network(monkeypatch):
    colours = Colours()
    monkeypatch.setattr(pooled, "efficientnet_backbone", colours.backbone)
    return colours


@pytest.fixture
def dataset(tmp_path):
    """Three clips, of 1, 2 and 3 seconds, and their table."""
    videos = pd.DataFrame({"clip": list("abc"), "video": ["0.avi", "1.avi", "2.avi"]})
    for look, video in enumerate(videos["video"]):
        write_clip(tmp_path / "videos" / video, frames=25 * (look + 1), look=look)
    write_csv(videos, tmp_path / "data" / "videos.csv")
    folders = (tmp_path / name for name in ("videos", "data", "weights"))
    return Dataset("small", *folders)


def test_each_clip_has_four_frames_a_second_and_is_kept(dataset, network):
    videos, clips, problems = pooled_clips(dataset)
    assert videos["clip"].tolist() == ["a", "b", "c"] and problems == {}
    assert [clip.shape for clip in clips] == [(4, 512), (8, 512), (12, 512)]
    assert clips.dtype == object and clips[0].dtype == np.float32
    loaded = network.loaded
    assert all(map(np.array_equal, clips, pooled_clips(dataset)[1]))
    assert network.frames == 24 and network.loaded == loaded
    write_clip(dataset.folder / "1.avi", frames=25, look=5)
    pooled_clips(dataset)
    assert network.frames == 28
    assert [len(clip) for clip in pooled_clips(dataset, 2)[1]] == [2, 2, 6]


def test_another_preprocessing_makes_all_features_anew(dataset, network):
    whole = pooled_clips(dataset)[1]
    network.preprocess = lambda frames: frames / 2
    assert np.allclose(2 * pooled_clips(dataset)[1][0], whole[0], atol=1e-2)
    assert network.frames == 48


def test_broken_clips_are_told_and_left_out(dataset, network):
    (dataset.folder / "0.avi").write_bytes(b"no video")
    videos, clips, problems = pooled_clips(dataset)
    assert videos["clip"].tolist() == ["b", "c"] and videos.index.tolist() == [0, 1]
    assert [len(clip) for clip in clips] == [8, 12] and list(problems) == ["a"]
    for path in dataset.folder.iterdir():
        path.write_bytes(b"")
    with pytest.raises(ValueError, match=r"file is empty"):
        pooled_clips(dataset)


def test_what_frames_show_comes_back_clip_by_clip(dataset):
    """Rows of a clip need not stand together; a clip is in one of the two tables."""
    for table, file, clips in (
        ("train_new", "looks", ["1.avi", "0.avi", "1.avi"]),
        ("test_frames", "test_looks", ["2.avi"]),
    ):
        write_csv(pd.DataFrame({"video": clips}), dataset.data / f"{table}.csv")
        maps = np.zeros((len(clips), 7, 7, 512), "float16")
        maps[:, 0, 0] = 49 * (1 + np.arange(len(maps)))[:, None]
        np.save(dataset.data / f"{file}.npy", maps)
    videos = pd.DataFrame({"video": ["0.avi", "2.avi", "1.avi"]})
    clips = frames_of_clips(dataset, videos, "looks", where=False)
    assert [clip[:, 0].tolist() for clip in clips] == [[2], [1], [1, 3]]
    assert clips[0].dtype == np.float32 and clips[0].shape == (1, 512)
    laid_out = frames_of_clips(dataset, videos, "looks")
    assert laid_out[0].shape == (1, 7 * 7 * 512) and laid_out[0].dtype == np.float32
    assert laid_out[2][:, 511].tolist() == [49, 147] and laid_out[2][:, 512].max() == 0
    with pytest.raises(ValueError, match=r"9\.avi has no frames"):
        frames_of_clips(dataset, pd.DataFrame({"video": ["9.avi"]}), "looks")


def test_the_frames_of_both_parts_are_seen_in_their_tables_order(dataset):
    """Two frames of training clips, one of a test clip, each of its own grey."""

    def look(pixels, layers, pooled):
        return [pixels.mean((1, 2))]

    def load():
        return look, {"all": (3,)}

    shades = {"train_1": [50, 150], "test_1": [200]}
    for table, home in (("train_new", "train_1"), ("test_frames", "test_1")):
        (dataset.data / home).mkdir()
        for shade in shades[home]:
            frame = np.full((224, 224, 3), shade, "uint8")
            write_jpeg(frame, dataset.data / home / f"{shade}.jpg")
        images = [f"{shade}.jpg" for shade in reversed(shades[home])]
        write_csv(pd.DataFrame({"image": images}), dataset.data / f"{table}.csv")
    see_frames(dataset, Backbone("grey", "none", load, np.asarray, ("all",)), "greys")
    assert np.load(dataset.data / "greys.npy")[:, 0].tolist() == [150, 50]
    assert np.load(dataset.data / "test_greys.npy")[:, 0].tolist() == [200]


def test_a_part_of_a_video_is_looked_at_as_a_clip_is(dataset, network):
    table = pd.DataFrame({"clip": ["c_1-2.5"], "video": ["2.avi#t=1,2.5"]})
    write_csv(table, dataset.data / "videos.csv")
    _, (part,), problems = pooled_clips(dataset)
    assert part.shape == (6, 512) and problems == {}
    table["video"] = "2.avi"
    write_csv(table, dataset.data / "videos.csv")
    _, (whole,), _ = pooled_clips(dataset)
    assert np.array_equal(part, whole[4:10])
