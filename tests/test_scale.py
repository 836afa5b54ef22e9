"""Notebook 12: features by many processes, equal to the store's."""

from functools import partial

from toolbox.clips.clip_table import make_video_table
from toolbox.models.clip_features import look_at
from toolbox.models.efficientnet import efficientnet_backbone

import numpy as np
import psutil
import pytest
from clips import cut, make_dataset, write_clip
from lessons_of import lesson
from pocket import check_pages, executed, run_course

ray = pytest.importorskip("ray", reason="Ray is an extra: see requirements-scale.txt")
cluster = pytest.importorskip("toolbox.models.ray_cluster")
parts_module = pytest.importorskip("toolbox.store.parquet")
Parts, go_on = parts_module.Parts, parts_module.go_on
pytestmark, scale = pytest.mark.slow, lesson("12")

ENGINE = "LiteRT float32"


@pytest.fixture
def broken_clips(tmp_path):
    """Eight clips to do, four of them broken: no video, empty, deleted, cut off."""
    root = make_dataset(tmp_path / "videos", groups=2, frames=50)
    table, _ = make_video_table(root)
    no_video, empty, deleted, cut_off = (root / video for video in table["video"][:4])
    no_video.write_bytes(b"not a video")
    empty.write_bytes(b"")
    deleted.unlink()
    cut(write_clip(cut_off, frames=100), 0.5)
    return parts_module.clips_to_do(table, root, "facts", 2)


def check_the_broken(clips, parts):
    """The four are listed with their reasons, the others complete, nothing twice."""
    problems = parts.problems(clips).set_index("clip")
    no_video, empty, deleted, cut_off = clips["clip"][:4]
    assert problems["problem"][empty] == "the file is empty"
    assert problems["problem"][deleted] == "the file is missing"
    assert problems["problem"][no_video] == "a text, not a video"
    assert "breaks off" in problems["problem"][cut_off] and len(problems) == 4
    assert problems["frames"][cut_off] == 4
    assert parts.about()["clip"].is_unique
    features = parts.features()
    assert set(features) == set(clips["clip"][3:])
    assert all(of_clip.shape == (4, 1824) for of_clip in features.values())


@pytest.fixture
def plain_loop(weights_folder, tmp_path):
    """The plain loop in this process, its network and where it puts its parts."""
    network = efficientnet_backbone(weights_folder, engine=ENGINE).using(pooled=True)
    parts = Parts(tmp_path / "parts")
    worker = scale.FeatureWorker(weights_folder, parts.root, ENGINE, network=network)
    return partial(scale.plain_loop, worker=worker, rate=2), network, parts


def test_notebook_12_computes_what_the_others_keep(course, pocket):
    knobs = "CLIPS=8", "CLIPS_A_PART=1", "WORKERS=1", "COMPARE=[]", "FRAMES_AT_ONCE=4"
    done = run_course(course, pocket, "00 12", *knobs)
    assert done.returncode == 0, done.stderr
    check_pages(course, "00 12")
    assert "was killed; workers that reported" in str(executed(course, "12").cells)
    clips = Parts(course / "data" / "pocket" / "features_parquet").about()["clip"]
    assert len(clips) == 8 and clips.is_unique
    store = course / "data" / "pocket" / "pooled" / "EfficientNet-Lite0"
    assert {path.stem for path in store.glob("*.npy")} == set(clips)


def test_the_plain_loop_computes_what_the_store_keeps(broken_clips, plain_loop):
    by_loop, network, parts = plain_loop
    reports = list(go_on(broken_clips, parts, by_loop))
    assert all(r["decoded"] <= r["started"] <= r["finished"] for r in reports)
    check_the_broken(broken_clips, parts)
    found = parts.features()
    for clip, path in broken_clips.loc[3:, ["clip", "path"]].to_numpy():
        stored = look_at(path, network, 2).astype("float16").astype("float32")
        apart = np.abs(found[clip] - stored).max(axis=1) / stored.max(axis=1)
        assert apart.max() <= 2**-8
    again = list(go_on(broken_clips, parts, by_loop))
    assert sum(report["clips"] for report in again) == 4  # the broken are tried again


def test_a_killed_worker_loses_nothing(
    broken_clips, plain_loop, weights_folder, tmp_path, request
):
    """Broken clips among the work; a real process is killed; features are equal."""
    import toolbox

    import lessons

    cluster.start_ray(modules=[lessons, toolbox], seats=3)
    request.addfinalizer(ray.shutdown)
    by_ray, (by_loop, _, parts) = Parts(tmp_path / "ray"), plain_loop
    pool = {"weights": str(weights_folder), "parts": by_ray.root}
    pool |= {"engine": ENGINE, "threads": 1, "batch": 4}
    settings = {"settings": pool, "clips_a_part": 1, "rate": 2}
    compute = partial(scale.ray_pipeline, workers=1, **settings)
    workers = []
    for report in go_on(broken_clips, by_ray, compute):
        workers.append(report["worker"])
        if len(workers) == 1:
            psutil.Process(workers[0]).kill()
    assert not psutil.pid_exists(workers[0])
    assert len(set(workers)) == 2, "no other process took its place"
    check_the_broken(broken_clips, by_ray)
    list(go_on(broken_clips, parts, by_loop))
    assert by_ray.about().equals(parts.about())
    theirs = parts.features()
    for clip, features in by_ray.features().items():
        assert np.allclose(features, theirs[clip], rtol=1e-4, atol=1e-3)
