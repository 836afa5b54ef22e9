"""The folder that remembers: parts that are whole, found again, resumed, on a disk
or elsewhere.
"""

import os
from itertools import islice
from pathlib import Path

from toolbox.clips.clip_table import make_video_table

import numpy as np
import pandas as pd
import pytest
from clips import make_dataset, write_clip

pa = pytest.importorskip(
    "pyarrow", reason="Parquet comes with Ray: see requirements-scale.txt"
)
pq = pytest.importorskip("pyarrow.parquet")
parts_module = pytest.importorskip("toolbox.store.parquet")
Parts, clips_to_do, go_on = (
    getattr(parts_module, n) for n in ("Parts", "clips_to_do", "go_on")
)

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
    if request.param == "a disk":
        return Parts(tmp_path / "parts")
    return Parts(f"fsspec+memory:///{tmp_path.name}")


class Worker:
    """Writes made-up features, a part for two clips, and remembers what it was
    asked.
    """

    def __init__(self, parts, problems=()):
        self.parts, self.calls, self.problems = parts, [], dict(problems)

    def compute(self, clips, clips_a_part=2):
        jobs = clips.to_dict("records")
        for i in range(0, len(jobs), clips_a_part):
            chosen = jobs[i : i + clips_a_part]
            self.calls.append([job["clip"] for job in chosen])
            rows = {name: [job[name] for job in chosen] for name in chosen[0]}
            rows["problem"] = [self.problems.get(clip, "") for clip in rows["clip"]]
            self.parts.write(
                rows, [features_of(clip, self.problems) for clip in rows["clip"]]
            )
            yield {"clips": len(chosen)}

    @property
    def did(self):
        return [clip for call in self.calls for clip in call]


def features_of(clip, problems=()):
    """The features that a clip is given here: no frames if it has a problem."""
    number = int(clip[2:])
    count = 0 if clip in problems else COUNTS[number]
    return np.arange(count)[:, None] + np.full((count, 512), 10 * number, "float32")


def complete(parts, clips):
    """Whether all clips are there, each once, with its features."""
    found, about = parts.features(), parts.about()
    same = all(np.array_equal(found[clip], features_of(clip)) for clip in clips["clip"])
    return same and sorted(about["clip"]) == sorted(clips["clip"])


def test_columns_types_and_features(clips, parts):
    list(go_on(clips, parts, Worker(parts).compute))
    path = parts.paths()[0]
    assert pq.read_table(path, filesystem=parts.files).schema.equals(
        parts_module.SCHEMA
    )
    assert complete(parts, clips)
    about = parts.about()
    assert (
        about["clip"].tolist() == clips["clip"].tolist()
        and about["frames"].tolist() == COUNTS
    )
    assert about["class"].tolist() == clips["class"].tolist()
    assert parts.features()["v_4"].dtype == np.float32 and 0 < parts.megabytes < 1


def test_an_empty_folder_has_no_rows(clips, parts):
    assert parts.about().empty and parts.features() == {} and parts.paths() == []
    assert parts.keep_finished(clips) == set()


def test_a_second_start_skips_finished_clips(clips, parts):
    first, second, third = (Worker(parts) for _ in range(3))
    run = go_on(clips, parts, first.compute)
    assert len(list(islice(run, 2))) == 2
    run.close()
    list(go_on(clips, parts, second.compute))
    assert list(go_on(clips, parts, third.compute)) == [] and third.calls == []
    assert sorted(first.did + second.did) == sorted(clips["clip"])
    assert complete(parts, clips)


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_a_run_that_breaks_off_goes_on(clips, parts, error):
    worker = Worker(parts)

    def breaks_off(todo):
        yield from islice(worker.compute(todo), 1)
        raise error

    with pytest.raises(error):
        list(go_on(clips, parts, breaks_off))
    assert parts.keep_finished(clips) == {"v_0", "v_1"}
    list(go_on(clips, parts, worker.compute))
    assert complete(parts, clips)


def test_the_same_work_gives_the_same_file(clips, parts):
    list(Worker(parts).compute(clips))
    before = parts.paths()
    list(Worker(parts).compute(clips))
    assert parts.paths() == before and complete(parts, clips)


def test_clips_that_are_there_twice_are_there_once_in_the_end(clips, parts):
    """The same clips cut into parts in two ways."""
    list(Worker(parts).compute(clips, 2))
    list(Worker(parts).compute(clips, 4))
    assert len(parts.about()) == 16
    list(go_on(clips, parts, Worker(parts).compute))
    assert complete(parts, clips)


@pytest.mark.parametrize("left", [0, 3, 0.5, 0.99])
def test_a_file_that_was_cut_off_is_done_again(clips, tmp_path, left, capsys):
    parts = Parts(tmp_path / "parts")
    list(go_on(clips, parts, Worker(parts).compute))
    broken = parts.paths()[1]
    its_clips = set(pq.read_table(broken)["clip"].to_pylist())
    size = Path(broken).stat().st_size
    os.truncate(broken, left if isinstance(left, int) else int(left * size))
    assert parts.keep_finished(clips) == set(clips["clip"]) - its_clips
    assert "deleted" in capsys.readouterr().out
    worker = Worker(parts)
    list(go_on(clips, parts, worker.compute))
    assert set(worker.did) == its_clips and complete(parts, clips)


def test_a_file_under_its_temporary_name_does_not_count(clips, tmp_path):
    parts = Parts(tmp_path)
    list(Worker(parts).compute(clips.head(2)))
    [part] = tmp_path.iterdir()
    part.rename(tmp_path / f".partial-1-{part.name}")
    assert parts.about().empty and not list(tmp_path.iterdir())


def test_a_part_with_a_changed_clip_is_done_again_and_the_others_stay(clips, parts):
    list(go_on(clips, parts, Worker(parts).compute))
    changed = clips.assign(version=["new", *clips["version"][1:]])
    assert parts.keep_finished(changed) == set(clips["clip"][2:])
    worker = Worker(parts)
    list(go_on(changed, parts, worker.compute))
    assert worker.calls == [["v_0", "v_1"]] and complete(parts, clips)


def test_clips_that_are_not_asked_about_stay(clips, parts):
    """A small run after a large one loses no other part of it."""
    list(go_on(clips, parts, Worker(parts).compute))
    some = clips.head(2).assign(version="new")
    assert parts.keep_finished(some) == set()
    assert set(parts.about()["clip"]) == set(clips["clip"][2:])
    list(go_on(some, parts, Worker(parts).compute))
    assert parts.problems(some).empty and complete(parts, clips)


def test_parts_of_an_older_version_are_made_anew_and_said_so(clips, tmp_path, capsys):
    parts = Parts(tmp_path)
    older = pd.DataFrame({"clip": ["v_0"], "features": [[1.0]]})
    older.to_parquet(tmp_path / "older.parquet")
    list(go_on(clips, parts, Worker(parts).compute))
    assert "older version of the course: 1" in capsys.readouterr().out
    assert complete(parts, clips)


def test_broken_and_lost_clips_are_listed_and_tried_again(clips, parts):
    worker = Worker(parts, {"v_1": "the file is empty"})
    list(go_on(clips.head(6), parts, worker.compute))
    listed = parts.problems(clips).set_index("clip")
    assert set(listed.index) == {"v_1", "v_6", "v_7"} and listed["frames"].eq(0).all()
    assert listed["problem"]["v_1"] == "the file is empty"
    assert listed["problem"]["v_7"].startswith("nothing came of it")
    assert "v_1" not in parts.features()
    list(go_on(clips, parts, Worker(parts).compute))
    assert parts.problems(clips).empty and complete(parts, clips)


def test_another_video_rate_or_preprocessing_is_another_version(tmp_path):
    root = make_dataset(tmp_path / "videos", groups=2, frames=10)
    table = make_video_table(root)[0]
    before = clips_to_do(table, root, "facts", 4)
    assert before.columns.tolist() == ["clip", "class", "group", "path", "version"]
    for facts, rate in (("other facts", 4), ("facts", 2)):
        other = clips_to_do(table, root, facts, rate)
        assert (other["version"] != before["version"]).all()
    write_clip(root / table["video"][0], frames=30)
    after = clips_to_do(table, root, "facts", 4)["version"] != before["version"]
    assert after.tolist() == [True] + [False] * (len(table) - 1)
