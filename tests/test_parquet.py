"""The folder that remembers: parts that are whole, found again and resumed."""

import os
from itertools import islice

from toolbox.clips.clip_table import make_video_table

import numpy as np
import pandas as pd
import pytest
from clips import make_dataset, write_clip

REASON = "Parquet comes with Ray: see requirements-scale.txt"
pq = pytest.importorskip("pyarrow.parquet", reason=REASON)
parquet = pytest.importorskip("toolbox.store.parquet", reason=REASON)
go_on = parquet.go_on

COUNTS = [3, 1, 2, 2, 5, 1, 4, 2]  # frames of eight clips


@pytest.fixture
def clips():
    """Eight clips to do, as `clips_to_do` makes them."""
    names = [f"v_{k}" for k in range(8)]
    table = pd.DataFrame({"clip": names, "class": list("aabbaabb"), "group": "g01"})
    return table.assign(path="nowhere", version="1")


@pytest.fixture(params=["a disk", "an object store"])
def parts(request, tmp_path):
    """An empty folder for parts, here, or in a store that knows no renaming."""
    disk = request.param == "a disk"
    return parquet.Parts(tmp_path if disk else f"fsspec+memory:///{tmp_path.name}")


class Worker:
    """Writes made-up features, some clips a part, and remembers what it did."""

    def __init__(self, parts, problems=(), clips_a_part=2):
        self.parts, self.problems = parts, dict(problems)
        self.clips_a_part, self.did = clips_a_part, []

    def __call__(self, clips):
        for i in range(0, len(clips), self.clips_a_part):
            rows = clips[i : i + self.clips_a_part].to_dict("list")
            self.did += rows["clip"]
            rows["problem"] = [self.problems.get(clip, "") for clip in rows["clip"]]
            ends = [0 if problem else None for problem in rows["problem"]]
            made = zip(map(features_of, rows["clip"]), ends, strict=True)
            self.parts.write(rows, [features[:end] for features, end in made])
            yield {"clips": len(rows["clip"])}


def features_of(clip):
    number = int(clip[2:])
    frames = np.arange(COUNTS[number])[:, None]
    return frames + np.full((COUNTS[number], 512), 10 * number, "float32")


def complete(parts, clips):
    """Whether all clips are there, each once, with its features."""
    found, about = parts.features(), parts.about()
    same = all(np.array_equal(found[clip], features_of(clip)) for clip in clips["clip"])
    return same and sorted(about["clip"]) == sorted(clips["clip"])


def test_columns_types_and_features(clips, parts):
    assert parts.about().empty and parts.features() == {} and parts.paths() == []
    list(go_on(clips, parts, Worker(parts)))
    part = pq.read_table(parts.paths()[0], filesystem=parts.files)
    assert part.schema.equals(parquet.SCHEMA) and complete(parts, clips)
    about = parts.about()
    assert about[["clip", "class"]].equals(clips[["clip", "class"]])
    assert about["frames"].tolist() == COUNTS and 0 < parts.megabytes < 1
    assert parts.features()["v_4"].dtype == np.float32


def test_a_run_that_breaks_off_goes_on(clips, parts):
    """Clips that two runs wrote are there once in the end."""
    first, second, third = (Worker(parts) for _ in range(3))
    list(islice(go_on(clips, parts, first), 1))
    assert parts.keep_finished(clips) == {"v_0", "v_1"}
    list(go_on(clips, parts, second))
    assert first.did + second.did == clips["clip"].tolist()
    assert list(go_on(clips, parts, third)) == [] and not third.did
    list(Worker(parts, clips_a_part=4)(clips))
    assert len(parts.paths()) == 6 and len(parts.about()) == 8
    list(go_on(clips, parts, third))
    assert complete(parts, clips) and not third.did


@pytest.mark.parametrize("left", [0, 0.99, "temporary", "older"])
def test_a_file_cut_off_or_older_is_done_again(clips, tmp_path, left, capsys):
    parts = parquet.Parts(tmp_path)
    list(go_on(clips, parts, Worker(parts)))
    [broken] = tmp_path.glob(parts.paths()[1].rpartition("/")[2])
    its_clips = set(pq.read_table(broken)["clip"].to_pylist())
    if left == "temporary":
        broken.rename(tmp_path / f".partial-1-{broken.name}")
    elif left == "older":
        pd.DataFrame({"clip": ["v_2"], "features": [[1.0]]}).to_parquet(broken)
    else:
        os.truncate(broken, int(left * broken.stat().st_size))
    assert parts.keep_finished(clips) == set(clips["clip"]) - its_clips
    assert "deleted" in capsys.readouterr().out and len(list(tmp_path.iterdir())) == 3
    worker = Worker(parts)
    list(go_on(clips, parts, worker))
    assert set(worker.did) == its_clips and complete(parts, clips)


def test_a_part_with_a_changed_clip_is_done_again_and_the_others_stay(clips, parts):
    """Those that aren't asked about stay, too."""
    list(go_on(clips, parts, Worker(parts)))
    changed = clips.assign(version=["new", *clips["version"][1:]]).head(4)
    assert parts.keep_finished(changed) == {"v_2", "v_3"}
    assert set(parts.about()["clip"]) == set(clips["clip"][2:])
    worker = Worker(parts)
    list(go_on(changed, parts, worker))
    assert worker.did == ["v_0", "v_1"] and complete(parts, clips)


def test_broken_and_lost_clips_are_listed_and_tried_again(clips, parts):
    worker = Worker(parts, {"v_1": "the file is empty"}, clips_a_part=1)
    list(go_on(clips.head(6), parts, worker))
    listed = parts.problems(clips).set_index("clip")
    assert set(listed.index) == {"v_1", "v_6", "v_7"} and listed["frames"].eq(0).all()
    assert listed["problem"]["v_1"] == "the file is empty"
    assert "v_1" not in parts.features()
    list(go_on(clips, parts, Worker(parts)))
    assert parts.problems(clips).empty and complete(parts, clips)


def test_another_video_rate_or_preprocessing_is_another_version(tmp_path):
    table, _ = make_video_table(make_dataset(tmp_path, groups=2, clips=1))

    def changed(facts="facts", rate=4):
        versions = parquet.clips_to_do(table, tmp_path, facts, rate)["version"]
        return (versions.to_numpy() != before).tolist()

    before = parquet.clips_to_do(table, tmp_path, "facts", 4)["version"].to_numpy()
    assert changed("other facts") == changed(rate=2) == [True] * 4
    write_clip(tmp_path / table["video"][0], frames=30)
    assert changed() == [True, False, False, False]
