"""Notebook 12: the store's own files, made by many processes that may be killed."""

import os
from itertools import islice
from pathlib import Path

from toolbox.clips.clip_table import make_video_table
from toolbox.models.clip_features import features_of_clips, look_at
from toolbox.models.efficientnet import efficientnet_backbone

import numpy as np
import pandas as pd
import psutil
import pytest
from clips import cut, make_dataset, write_clip
from lessons_of import lesson
from pocket import check_pages, executed, run_course

ray = pytest.importorskip("ray", reason="Ray is an extra: see requirements-scale.txt")
cluster = pytest.importorskip("toolbox.models.ray_cluster")
pytestmark, scale = pytest.mark.slow, lesson("12")


@pytest.fixture(scope="module")
def network(weights_folder):
    return efficientnet_backbone(weights_folder, engine="LiteRT float32").using(
        pooled=True
    )


@pytest.fixture
def broken_clips(tmp_path):
    """Eight clips, four of them broken: no video, empty, deleted, cut off."""
    root = make_dataset(tmp_path / "videos", groups=2, frames=50)
    table, _ = make_video_table(root)
    no_video, empty, deleted, cut_off = (root / video for video in table["video"][:4])
    no_video.write_bytes(b"not a video")
    empty.write_bytes(b"")
    deleted.unlink()
    cut(write_clip(cut_off, frames=100), 0.5)
    return root, table


def work_in(folder, broken_clips):
    """The work of notebook 12, its features in a folder."""
    root, table = broken_clips
    paths = [str(root / video) for video in table["video"]]
    kept = [str(folder / f"{clip}.npy") for clip in table["clip"]]
    return pd.DataFrame({"clip": table["clip"], "path": paths, "kept": kept})


def check_the_broken(broken_clips, folder, of):
    """What the store's own reader finds, without looking again: the four are listed,
    the others complete.
    """

    def look(path, problems):
        assert path.name not in whole, f"{path.name} is looked at again"
        return look_at(path, None, 2, problems)

    root, table = broken_clips
    whole = {Path(video).name for video in table["video"][3:]}
    found = features_of_clips(look, table, root, folder, of)
    features, problems = found
    no_video, empty, deleted, cut_off = table["clip"][:4]
    assert problems[empty] == "the file is empty"
    assert problems[deleted] == "the file is missing"
    assert problems[no_video] == "a text, not a video"
    assert "breaks off" in problems[cut_off] and len(problems) == 4
    assert list(features) == table["clip"][3:].tolist()
    assert all(of_clip.shape == (4, 1824) for of_clip in features.values())
    return features


def test_notebook_12_fills_the_store_of_the_others(course, pocket):
    knobs = "CLIPS=8", "CLIPS_A_PART=1", "WORKERS=1"
    done = run_course(course, pocket, "00 12", *knobs)
    assert done.returncode == 0, done.stderr
    check_pages(course, "00 12")
    page = str(executed(course, "12").cells)
    assert "8 of 8 clips are kept; lost: none" in page
    assert "15 of 15 clips were still to do" in page
    data = course / "data" / "pocket"
    kept = {path.stem for path in data.glob("pooled/EfficientNet-Lite0/*.npy")}
    assert kept == set(pd.read_csv(data / "videos.csv")["clip"])
    assert not (data / "practice").exists()


def test_the_plain_loop_goes_on_where_it_stopped(broken_clips, network, tmp_path):
    work, worker = work_in(tmp_path / "kept", broken_clips), scale.Worker(network, 2)

    def loop(work):
        return scale.plain_loop(work, worker, 2)

    assert len(scale.to_do(work, worker.of)) == 8
    reports = list(islice(loop(work), 6))
    assert all(r["decoded"] <= r["started"] <= r["finished"] for r in reports)
    assert [report["frames"] for report in reports] == [0, 0, 0, 4, 4, 4]
    left = scale.to_do(work, worker.of)
    assert left.index.tolist() == [0, 1, 2, 6, 7]  # the broken are tried again
    list(loop(left))
    features = check_the_broken(broken_clips, tmp_path / "kept", worker.of)
    for row in work[3:].itertuples():
        own = look_at(Path(row.path), network, 2)
        assert np.allclose(features[row.clip], own, rtol=1e-3, atol=1e-3)
    os.truncate(work["kept"][4], 100)
    write_clip(Path(work["path"][5]), frames=25)
    assert scale.to_do(work, worker.of).index.tolist() == [0, 1, 2, 4, 5]
    assert len(scale.to_do(work, [network.facts, 4])) == 8


def test_a_killed_worker_loses_nothing(broken_clips, network, tmp_path, request):
    """Broken clips among the work; a real process is killed; features are equal."""
    import toolbox

    cluster.start_ray(modules=[toolbox], seats=3)
    request.addfinalizer(ray.shutdown)
    work, reports = work_in(tmp_path / "ray", broken_clips), []
    for report in scale.ray_pipeline(work, network, 1, clips_a_part=1, rate=2):
        reports.append(report)
        if len(reports) == 1:
            psutil.Process(report["worker"]).kill()
    workers = [report["worker"] for report in reports]
    assert not psutil.pid_exists(workers[0])
    assert len(set(workers)) == 2, "no other process took its place"
    assert {report["clip"] for report in reports} == set(work["clip"])
    by_ray = check_the_broken(broken_clips, tmp_path / "ray", [network.facts, 2])
    again = list(scale.ray_pipeline(work[:0], network, 1))
    assert again == []  # nothing to do

    by_loop = work_in(tmp_path / "loop", broken_clips)
    list(scale.plain_loop(by_loop, scale.Worker(network, 2), 2))
    theirs = check_the_broken(broken_clips, tmp_path / "loop", [network.facts, 2])
    for clip, features in by_ray.items():
        assert np.allclose(features, theirs[clip], rtol=1e-3, atol=1e-3)
