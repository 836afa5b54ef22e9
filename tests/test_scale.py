"""Notebook 12: features by many processes, equal to the store's, whatever happens
meanwhile.
"""

import time
from functools import partial

from toolbox.clips.clip_table import make_video_table
from toolbox.clips.read import frames_shown, to_network_size
from toolbox.models.clip_features import look_at
from toolbox.models.vgg16 import vgg16_backbone

import numpy as np
import psutil
import pytest
from clips import cut, make_dataset, write_clip
from keras.applications.vgg16 import preprocess_input
from lessons_of import lesson
from pocket import check_pages, executed, run_course

ray = pytest.importorskip("ray", reason="Ray is an extra: see requirements-scale.txt")
cluster = pytest.importorskip("toolbox.models.ray_cluster")
parts_module = pytest.importorskip("toolbox.store.parquet")
Parts, go_on = parts_module.Parts, parts_module.go_on
pytestmark, scale = pytest.mark.slow, lesson("12")

ENGINE = "Keras float32"


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
    return vgg16_backbone(weights_folder, preprocess_input, ENGINE).using(pooled=True)


@pytest.fixture
def worker(network, weights_folder, parts):
    """A worker in this process."""
    return scale.FeatureWorker(
        weights_folder, parts.root, ENGINE, batch=3, network=network
    )


def test_notebook_12_computes_what_the_others_keep(course, pocket):
    knobs = "CLIPS=8", "CLIPS_A_PART=1", "WORKERS=1", "COMPARE=[]", "FRAMES_AT_ONCE=4"
    done = run_course(course, pocket, "00 12", *knobs)
    assert done.returncode == 0, done.stderr
    check_pages(course, "00 12")
    assert "was killed; workers that reported" in str(executed(course, "12").cells)
    clips = Parts(course / "data" / "pocket" / "features_parquet").about()["clip"]
    assert len(clips) == 8 and clips.is_unique


def test_frames_are_those_by_the_clock(clips):
    row = scale.frames_of(clips.iloc[0].to_dict(), 2)
    frames = scale.as_frames(row["frames"])
    assert frames.shape == (4, 224, 224, 3) and row["problem"] == ""
    seen = [to_network_size(frame) for frame in frames_shown(row["path"], 2)]
    assert np.array_equal(seen, frames)
    assert row["clip"] == clips["clip"][0] and row["decoded"] <= time.time()


def test_a_worker_computes_what_the_store_keeps(clips, worker, parts, network):
    reports = list(
        go_on(clips.head(3), parts, partial(scale.plain_loop, worker=worker, rate=2))
    )
    assert [report["clips"] for report in reports] == [2, 1]
    assert [report["frames"] for report in reports] == [8, 4]
    assert all(r["decoded"] <= r["started"] <= r["finished"] for r in reports)
    found = parts.features()
    for clip, path in zip(clips["clip"][:3], clips["path"], strict=False):
        stored = look_at(path, network, 2).astype("float16").astype("float32")
        apart = np.abs(found[clip] - stored).max(axis=1) / stored.max(axis=1)
        assert apart.max() <= 2**-8


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
    """The arguments of a FeatureWorker."""
    places = {"weights": str(weights_folder), "parts": parts.root}
    return places | {"engine": ENGINE, "threads": threads, "batch": 4}


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
