"""Notebook 11: features as Parquet, resumed, and complete whatever happens meanwhile."""

import os
import shutil
import signal
import sys
from functools import partial
from itertools import islice

from toolbox.datasets import make_video_table
from toolbox.resume import extract_frames
from toolbox.vgg16 import fastest_network

import numpy as np
import pandas as pd
import psutil
import pytest
from clips import cut, make_dataset, write_clip

from framevote.frames import extract_clip
from framevote.transfer import divide_by_255, extract_features

ray = pytest.importorskip("ray", reason="Ray is an extra: see requirements-scale.txt")
pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
scale = pytest.importorskip("framevote.scale")


WAY = "Keras float32"
FACTS = {"preprocess": "of one kind"}


@pytest.fixture
def videos(tmp_path):
    """Eight clips of two seconds, in two classes; returns (table, their folder)."""
    root = make_dataset(tmp_path / "videos", groups=2, frames=50)
    return make_video_table(root)[0], root


@pytest.fixture
def parts(tmp_path):
    """An empty folder for parts."""
    folder = tmp_path / "parts"
    folder.mkdir()
    return folder


@pytest.fixture
def clips(videos):
    """The same as work to do."""
    return scale.clip_table(*videos, FACTS)


class Counter:
    """Takes the place of a scale.FeatureWorker: features that say which frame they are of."""

    def __init__(self, folder):
        self.folder, self.calls = folder, []

    def __call__(self, rows):
        self.calls.append(sorted(set(rows["clip"])))
        features = [
            np.full(512, frame, "float32") if jpeg else None
            for frame, jpeg in zip(rows["frame"], rows["jpeg"], strict=True)
        ]
        scale.write_part(rows, features, self.folder)
        return {"worker": [0], "clips": [len(self.calls[-1])], "frames": [len(features)]}

    def compute(self, clips, clips_a_part=2):
        """What `go_on` wants."""
        return scale.plain_loop(clips, self, clips_a_part)


def rows_in(folder):
    """(clip, frame) of all rows, in a list."""
    rows = pq.read_table(folder, columns=["clip", "frame"]).to_pandas()
    return list(rows.itertuples(index=False, name=None))


def expected(clips):
    """(clip, frame) of all frames that the clips have: two each."""
    return {(clip, k) for clip in clips["clip"] for k in range(2)}


def test_frames_are_the_jpeg_files_of_notebook_01(videos, clips, tmp_path):
    extract_frames(extract_clip, *videos, tmp_path / "frames")
    for job in clips.to_dict("records"):
        rows = scale.frames_of_clip(job)
        assert [row["frame"] for row in rows] == list(range(rows[0]["frames"]))
        for row in rows:
            file = tmp_path / "frames" / f"{job['clip']}_frame{row['frame']}.jpg"
            assert file.read_bytes() == row["jpeg"]
        assert {row["class"] for row in rows} == {job["class"]}


def test_the_columns_and_their_types(clips, parts):
    list(scale.go_on(clips, parts, Counter(parts).compute))
    table = pq.read_table(parts)
    assert table.schema.equals(scale.SCHEMA)
    assert table.schema.names[:2] == ["clip", "frame"] and {"class", "group"} <= {
        *table.schema.names
    }
    assert table.schema.field("features").type == pa.list_(pa.float32(), 512)
    about, features = scale.read_features(parts)
    assert features.shape == (len(about), 512) and features.dtype == np.float32
    assert (features[:, 0] == about["frame"]).all()
    assert dict(zip(about["clip"], about["class"], strict=True)) == dict(
        zip(clips["clip"], clips["class"], strict=True)
    )


def test_a_second_start_skips_finished_clips(clips, parts):
    first, second, third = (Counter(parts) for _ in range(3))
    run = scale.go_on(clips, parts, first.compute)
    assert len(list(islice(run, 2))) == 2
    run.close()
    list(scale.go_on(clips, parts, second.compute))
    list(scale.go_on(clips, parts, third.compute))
    did = [[clip for call in worker.calls for clip in call] for worker in (first, second)]
    assert not {*did[0]} & {*did[1]} and sorted(did[0] + did[1]) == sorted(clips["clip"])
    assert third.calls == []
    assert sorted(rows_in(parts)) == sorted(expected(clips))


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_a_run_that_breaks_off_goes_on(clips, parts, error):
    worker = Counter(parts)

    def breaks_off(todo):
        yield from islice(worker.compute(todo), 1)
        raise error

    with pytest.raises(error):
        list(scale.go_on(clips, parts, breaks_off))
    assert len(scale.keep_finished(parts, clips)) == 2
    list(scale.go_on(clips, parts, worker.compute))
    assert sorted(rows_in(parts)) == sorted(expected(clips))


@pytest.mark.parametrize("kept", [0, 3, 0.5, 0.99])
def test_a_half_written_file_is_noticed_and_not_counted(clips, parts, capsys, kept):
    list(scale.go_on(clips, parts, Counter(parts).compute))
    broken = sorted(parts.glob("*.parquet"))[0]
    its_clips = set(pq.read_table(broken)["clip"].to_pylist())
    size = broken.stat().st_size
    os.truncate(broken, kept if isinstance(kept, int) else int(kept * size))
    finished = scale.keep_finished(parts, clips)
    assert "half-written files, deleted: 1" in capsys.readouterr().out
    assert finished == set(clips["clip"]) - its_clips and not broken.exists()
    worker = Counter(parts)
    list(scale.go_on(clips, parts, worker.compute))
    assert {clip for call in worker.calls for clip in call} == its_clips
    assert sorted(rows_in(parts)) == sorted(expected(clips))


def test_a_file_under_its_temporary_name_is_not_counted(clips, parts):
    worker = Counter(parts)
    list(scale.go_on(clips.head(2), parts, worker.compute))
    [part] = parts.glob("*.parquet")
    part.rename(parts / f".partial-{part.name}")
    assert scale.keep_finished(parts, clips) == set()
    assert not list(parts.iterdir())


def test_a_clip_split_over_parts_counts_only_when_all_its_frames_are_there(clips, parts):
    """Frames 0 and 1 of a clip in two files, as when a block was too large for one."""
    job = clips.iloc[0].to_dict()
    for row in scale.frames_of_clip(job):
        Counter(parts)({name: [value] for name, value in row.items()})
    assert scale.keep_finished(parts, clips) == {job["clip"]}
    sorted(parts.glob("*.parquet"))[1].unlink()
    assert scale.keep_finished(parts, clips) == set()
    assert not list(parts.glob("*.parquet")), "half of a clip was kept"


def test_a_frame_that_is_there_twice_does_not_make_up_for_another(clips, parts):
    first = scale.frames_of_clip(clips.iloc[0].to_dict())[0]
    twice = {name: [value, value] for name, value in first.items()}
    Counter(parts)(twice)
    assert scale.keep_finished(parts, clips) == set()


def test_finished_clips_stay_when_others_of_their_part_go(clips, parts):
    worker = Counter(parts)
    by_fours = partial(worker.compute, clips_a_part=4)
    list(scale.go_on(clips, parts, by_fours))
    changed = clips.assign(version=["new", *clips["version"][1:]])
    assert scale.keep_finished(parts, changed) == set(clips["clip"][1:])
    assert {clip for clip, _ in rows_in(parts)} == set(clips["clip"][1:])
    list(scale.go_on(changed, parts, by_fours))
    assert worker.calls[-1] == [clips["clip"][0]]
    assert sorted(rows_in(parts)) == sorted(expected(clips))


def test_clips_that_are_not_asked_about_stay(clips, parts):
    """A small run after a large one loses nothing of it."""
    worker = Counter(parts)
    list(scale.go_on(clips, parts, worker.compute))
    some = clips.head(2).assign(version="new")
    assert scale.keep_finished(parts, some) == set()
    assert {clip for clip, _ in rows_in(parts)} == set(clips["clip"][2:])
    list(scale.go_on(some, parts, worker.compute))
    assert scale.problems_in(parts, some).empty
    assert sorted(rows_in(parts)) == sorted(expected(clips))


def test_another_video_rate_or_preprocessing_is_another_version(videos):
    table, root = videos
    before = scale.clip_table(table, root, FACTS)
    other = {"preprocess": "of another kind"}
    assert (scale.clip_table(table, root, other)["version"] != before["version"]).all()
    assert (scale.clip_table(table, root, FACTS, 2)["version"] != before["version"]).all()
    write_clip(root / table["video"][0], frames=30)
    after = scale.clip_table(table, root, FACTS)["version"] != before["version"]
    assert after.tolist() == [True] + [False] * (len(table) - 1)


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
    return scale.clip_table(table, root, FACTS)


def check_the_broken(clips, folder):
    """All four are listed with their reasons, and the others are complete."""
    problems = scale.problems_in(folder, clips).set_index("clip")
    no_video, empty, deleted, cut_off = clips["clip"][:4]
    assert problems["problem"][empty] == "the file is empty"
    assert problems["problem"][deleted] == "the file is missing"
    assert "not a video" in problems["problem"][no_video]
    assert "breaks off" in problems["problem"][cut_off] and problems["frames"][cut_off] == 2
    assert len(problems) == 4
    about, features = scale.read_features(folder)
    assert set(about["clip"]) == set(clips["clip"][3:])
    assert len(features) == len(about) and np.isfinite(features).all()


def test_broken_clips_are_listed_with_their_reasons(broken_clips, tmp_path):
    folder, worker = tmp_path / "parts", Counter(tmp_path / "parts")
    list(scale.go_on(broken_clips, folder, worker.compute))
    check_the_broken(broken_clips, folder)
    assert scale.keep_finished(folder, broken_clips) == set(broken_clips["clip"][3:])
    list(scale.go_on(broken_clips, folder, worker.compute))  # clips without frames are tried again
    assert sorted({clip for call in worker.calls[-2:] for clip in call}) == sorted(
        broken_clips["clip"][:3]
    )
    check_the_broken(broken_clips, folder)


def test_clips_of_which_nothing_came_are_listed(clips, parts):
    list(scale.go_on(clips.head(6), parts, Counter(parts).compute))
    listed = scale.problems_in(parts, clips)
    assert listed["clip"].tolist() == clips["clip"][6:].tolist()
    assert listed["problem"].str.startswith("nothing came of it").all()


@pytest.fixture(scope="module")
def network(weights_folder):
    """VGG16 as notebook 04 runs it with WAY = "Keras float32"."""
    return fastest_network(weights_folder, divide_by_255, WAY)


def test_a_worker_computes_what_notebook_04_does(videos, clips, network, weights_folder, tmp_path):
    table, root = videos
    extract_frames(extract_clip, table, root, tmp_path / "frames")
    images = sorted((tmp_path / "frames").glob("*.jpg"))[:6]
    extract_features(images, network, tmp_path / "features.npy", batch_size=4)
    of_04 = np.load(tmp_path / "features.npy").astype("float32").mean(axis=(1, 2))
    folder = tmp_path / "parts"
    worker = scale.FeatureWorker(weights_folder, folder, WAY, network=network, batch_size=3)
    list(scale.go_on(clips, folder, lambda todo: scale.plain_loop(todo.head(4), worker)))
    about, features = scale.read_features(folder)
    names = about["clip"] + "_frame" + about["frame"].astype(str) + ".jpg"
    rows = pd.Series(range(len(names)), index=names)[[image.name for image in images]]
    largest = of_04.max(axis=1, keepdims=True)
    assert (np.abs(features[rows] - of_04) / largest).max() <= 2**-8


@pytest.fixture(scope="module")
def running_ray():
    """Ray on this machine, for the tests that need it."""
    scale.start_ray(seats=3, store_megabytes=100)
    yield
    ray.shutdown()


def settings(weights_folder, folder, threads=1):
    """The arguments of a scale.FeatureWorker."""
    places = {"weights": str(weights_folder), "folder": str(folder)}
    return places | {"way": WAY, "threads": threads, "batch_size": 4}


def test_a_pool_without_a_seat_for_decoding_is_refused(running_ray, clips, weights_folder, parts):
    for workers, threads, gpus in ((3, 1, 0), (1, 3, 0), (1, 1, 1)):
        run = scale.ray_pipeline(clips, workers, settings(weights_folder, parts, threads), gpus)
        with pytest.raises(ValueError, match="don't fit"):
            next(run)


def test_a_killed_worker_loses_nothing(
    running_ray, broken_clips, network, weights_folder, tmp_path
):
    """Broken clips among the work; a real process is killed; rows equal the plain loop's."""
    by_ray, by_loop = tmp_path / "ray", tmp_path / "loop"
    pool = settings(weights_folder, by_ray)
    victim, workers = None, set()
    for report in scale.go_on(
        broken_clips, by_ray, lambda todo: scale.ray_pipeline(todo, 1, pool, 0, 1)
    ):
        workers.add(report["worker"])
        if victim is None:
            victim = report["worker"]
            psutil.Process(victim).kill()
    assert not psutil.pid_exists(victim)
    assert len(workers) == 2, "no other process took its place"
    assert scale.keep_finished(shutil.copytree(by_ray, tmp_path / "copy"), broken_clips) == set(
        broken_clips["clip"][3:]
    )
    check_the_broken(broken_clips, by_ray)
    rows = rows_in(by_ray)
    assert len(rows) == len(set(rows))

    worker = scale.FeatureWorker(weights_folder, by_loop, WAY, network=network)
    list(scale.go_on(broken_clips, by_loop, lambda todo: scale.plain_loop(todo, worker)))
    (about, features), (same, theirs) = scale.read_features(by_ray), scale.read_features(by_loop)
    assert about.equals(same)
    assert np.allclose(features, theirs, rtol=1e-4, atol=1e-5)


def dies_of_the_first(clip, per_second=1):
    """In place of `frames_of_clip`: a clip that takes its decoder's process down."""
    if clip["clip"].endswith("_g01_c01"):
        os.kill(os.getpid(), signal.SIGKILL)
    return scale.frames_of_clip(clip, per_second)


def test_a_clip_that_kills_its_decoder_is_given_up_and_listed(
    running_ray, clips, weights_folder, parts, monkeypatch
):
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # the workers lack this file
    pool, clips = settings(weights_folder, parts), clips.head(3)
    with monkeypatch.context() as patch:
        original = scale.frames_of_clip
        patch.setattr(scale, "frames_of_clip", dies_of_the_first)
        list(scale.go_on(clips, parts, lambda todo: scale.ray_pipeline(todo, 1, pool, 0, 1)))
        assert scale.frames_of_clip is not original
    assert scale.keep_finished(parts, clips) == set(clips["clip"][1:])
    assert scale.problems_in(parts, clips)["clip"].tolist() == [clips["clip"][0]]
