"""Notebook 12: features by many processes, equal to the store's, whatever happens
meanwhile.
"""

import json
import os
import re
import signal
import sys
import time
from functools import partial
from pathlib import Path

from toolbox.clips.clip_table import make_video_table
from toolbox.models.clip_features import look_at
from toolbox.models.vgg16 import fastest_network

import nbformat
import numpy as np
import pandas as pd
import psutil
import pytest
from clips import COURSE, cut, make_dataset, write_clip
from keras.applications.vgg16 import preprocess_input

from lessons.transfer import to_network_size

ray = pytest.importorskip("ray", reason="Ray is an extra: see requirements-scale.txt")
scale = pytest.importorskip("lessons.scale")
cluster = pytest.importorskip("toolbox.models.ray_cluster")
parts_module = pytest.importorskip("toolbox.store.parquet")
Parts, go_on = parts_module.Parts, parts_module.go_on

WAY = "Keras float32"


@pytest.fixture
def videos(tmp_path):
    """Eight clips of two seconds, in two classes; returns (table, their folder)."""
    root = make_dataset(tmp_path / "videos", groups=2, frames=50)
    return make_video_table(root)[0], root


@pytest.fixture
def clips(videos):
    """The same as work to do."""
    return parts_module.clips_to_do(*videos, "facts", 2)


@pytest.fixture
def parts(tmp_path):
    """An empty folder for parts."""
    return Parts(tmp_path / "parts")


@pytest.fixture
def broken_clips(videos):
    """The same clips, of which four are broken: no video, empty, deleted, cut off."""
    table, root = videos
    no_video, empty, deleted, cut_off = (root / video for video in table["video"][:4])
    no_video.write_bytes(b"not a video")
    empty.write_bytes(b"")
    deleted.unlink()
    write_clip(cut_off, frames=100)
    cut(cut_off, 0.5)
    return parts_module.clips_to_do(table, root, "facts", 2)


def check_the_broken(clips, parts):
    """All four are listed with their reasons, the others are complete, and nothing
    is twice.
    """
    problems = parts.problems(clips).set_index("clip")
    no_video, empty, deleted, cut_off = clips["clip"][:4]
    assert problems["problem"][empty] == "the file is empty"
    assert problems["problem"][deleted] == "the file is missing"
    assert "not a video" in problems["problem"][no_video]
    assert (
        "breaks off" in problems["problem"][cut_off]
        and problems["frames"][cut_off] == 4
    )
    assert len(problems) == 4
    assert parts.about()["clip"].is_unique
    features = parts.features()
    assert set(features) == set(clips["clip"][3:])
    assert all(of_clip.shape == (4, 512) for of_clip in features.values())


@pytest.fixture(scope="module")
def network(weights_folder):
    """VGG16 as the shared store runs it, pooled."""
    return fastest_network(weights_folder, preprocess_input, WAY).using(pooled=True)


@pytest.fixture
def worker(network, weights_folder, parts):
    """A worker in this process."""
    return scale.FeatureWorker(
        weights_folder, parts.root, WAY, batch=3, network=network
    )


def test_frames_are_those_by_the_clock(clips):
    row = scale.frames_of(clips.iloc[0].to_dict(), 2)
    frames = scale.as_frames(row["frames"])
    assert frames.shape == (4, 224, 224, 3) and row["problem"] == ""
    seen = []
    look_at(
        row["path"],
        to_network_size,
        lambda batch: seen.append(batch) or batch[:, 0, 0],
        2,
    )
    assert np.array_equal(np.concatenate(seen), frames)
    assert row["clip"] == clips["clip"][0] and row["decoded"] <= time.time()


def test_black_frames_keep_their_size():
    black = np.zeros((2, 224, 224, 3), "uint8")
    assert np.array_equal(scale.as_frames(black.tobytes()), black)
    assert scale.as_frames(b"").shape == (0, 224, 224, 3)


def test_a_worker_computes_what_the_store_keeps(clips, worker, parts, network):
    reports = list(
        go_on(clips.head(3), parts, partial(scale.plain_loop, worker=worker, rate=2))
    )
    assert [report["clips"] for report in reports] == [2, 1]
    assert [report["frames"] for report in reports] == [8, 4]
    assert all(r["decoded"] <= r["started"] <= r["finished"] for r in reports)
    found = parts.features()
    for clip, path in zip(clips["clip"][:3], clips["path"], strict=False):
        stored = (
            look_at(path, to_network_size, network, 2)
            .astype("float16")
            .astype("float32")
        )
        apart = np.abs(found[clip] - stored).max(axis=1) / stored.max(axis=1)
        assert apart.max() <= 2**-8


def test_a_worker_is_warm_before_its_first_part(network, weights_folder, tmp_path):
    looked = []
    network = network.using(
        engine=lambda x: looked.append(len(x)) or np.ones((len(x), 7, 7, 512))
    )
    scale.FeatureWorker(
        weights_folder, tmp_path / "parts", WAY, batch=5, network=network
    )
    assert looked == [5]


def test_broken_clips_are_listed_by_the_plain_loop(broken_clips, worker, parts):
    by_loop = partial(scale.plain_loop, worker=worker, rate=2)
    list(go_on(broken_clips, parts, by_loop))
    check_the_broken(broken_clips, parts)
    again = list(go_on(broken_clips, parts, by_loop))
    assert (
        sum(report["clips"] for report in again) == 4
    )  # those without frames are tried again, with what is in their parts
    check_the_broken(broken_clips, parts)


@pytest.fixture(scope="module")
def running_ray():
    """Ray on this machine, for the tests that need it."""
    import toolbox

    import lessons

    cluster.start_ray(modules=[lessons, toolbox], seats=3)
    yield
    ray.shutdown()


def settings(weights_folder, parts, threads=1):
    """The arguments of a scale.FeatureWorker."""
    places = {"weights": str(weights_folder), "parts": parts.root}
    return places | {"way": WAY, "threads": threads, "batch": 4}


def test_a_pool_without_a_seat_for_decoding_is_refused(
    running_ray, clips, weights_folder, parts
):
    for workers, threads, gpus in ((3, 1, 0), (1, 3, 0), (1, 1, 1)):
        run = scale.ray_pipeline(
            clips, workers, settings(weights_folder, parts, threads), gpus
        )
        with pytest.raises(ValueError, match="don't fit"):
            next(run)


def test_a_killed_worker_loses_nothing(
    running_ray, broken_clips, worker, weights_folder, parts, tmp_path
):
    """Broken clips among the work; a real process is killed; features equal the
    plain loop's.
    """
    by_ray = Parts(tmp_path / "ray")
    pool = settings(weights_folder, by_ray)
    compute = partial(
        scale.ray_pipeline, workers=1, settings=pool, clips_a_part=1, rate=2
    )
    victim, workers = None, set()
    for report in go_on(broken_clips, by_ray, compute):
        workers.add(report["worker"])
        if victim is None:
            victim = report["worker"]
            psutil.Process(victim).kill()
    assert not psutil.pid_exists(victim)
    assert len(workers) == 2, "no other process took its place"
    check_the_broken(broken_clips, by_ray)
    list(go_on(broken_clips, parts, partial(scale.plain_loop, worker=worker, rate=2)))
    assert by_ray.about().equals(parts.about())
    theirs = parts.features()
    for clip, features in by_ray.features().items():
        assert np.allclose(features, theirs[clip], rtol=1e-4, atol=1e-3)


def dies_of_the_first(clip, rate=2):
    """In place of `frames_of`: a clip that takes its decoder's process down."""
    if clip["clip"].endswith("_g01_c01"):
        os.kill(os.getpid(), signal.SIGKILL)
    return scale.frames_of(clip, rate)


def test_a_clip_that_kills_its_decoder_is_given_up_and_listed(
    running_ray, clips, weights_folder, parts, monkeypatch
):
    ray.cloudpickle.register_pickle_by_value(
        sys.modules[__name__]
    )  # the workers lack this file
    pool, clips = settings(weights_folder, parts), clips.head(3)
    compute = partial(
        scale.ray_pipeline, workers=1, settings=pool, clips_a_part=1, rate=2
    )
    with monkeypatch.context() as patch:
        patch.setattr(scale, "frames_of", dies_of_the_first)
        list(go_on(clips, parts, compute))
    assert parts.keep_finished(clips) == set(clips["clip"][1:])
    assert parts.problems(clips)["clip"].tolist() == [clips["clip"][0]]


def test_the_picture_has_a_bar_for_each_part_and_marks_the_victim():
    reports = pd.DataFrame({"worker": [7, 8, 8], "decoded": [0.0, 1, 2]})
    reports = reports.assign(started=[1.0, 1.5, 4], finished=[3.0, 4, 6])
    [axis] = cluster.draw_workers(reports, victim=7, killed_at=3.5).axes
    assert [text.get_text() for text in axis.get_yticklabels()] == [
        *("decoded", "process 7", "process 8")
    ]
    bars = [len(bars.get_paths()) for bars in axis.collections]
    assert bars == [1, 2] and "Killed after 4 s" in axis.get_title(loc="left")
    [axis] = cluster.draw_workers(reports).axes
    assert "Nobody" in axis.get_title(loc="left")


def test_the_cluster_of_the_page_has_only_keys_that_ray_knows():
    jsonschema, yaml = pytest.importorskip("jsonschema"), pytest.importorskip("yaml")
    notebook = nbformat.read(COURSE / "notebooks" / "12_scale_out.ipynb", as_version=4)
    text = "\n".join(cell.source for cell in notebook.cells)
    described = yaml.safe_load(re.search(r"```yaml\n(.*?)```", text, re.DOTALL)[1])
    schema = Path(ray.__file__).parent / "autoscaler" / "ray-schema.json"
    jsonschema.validate(described, json.loads(schema.read_text()))
    assert described["head_node_type"] in described["available_node_types"]
    assert f"ray:{ray.__version__}-py" in described["docker"]["image"]
    mounted = re.search(r"-v (\S+):\1$", described["docker"]["run_options"][0])[1]
    assert mounted in described["initialization_commands"][-1]
    assert (
        f"cd {mounted}" in described["setup_commands"][0]
        and "file_mounts" not in described
    )
