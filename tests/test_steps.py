"""What the notebooks pass on: which was made from what, and who may write."""

import os

from toolbox.clips.dataset import Dataset
from toolbox.store.steps import check_step, step

import pytest
from clips import run_python

ALL = "00 01 02 03 04"


@pytest.fixture
def dataset(tmp_path):
    """A dataset of which nothing has been made."""
    folders = (tmp_path / name for name in ("pets", "data/pets", "weights"))
    return Dataset("pets", *folders)


def run(dataset, notebooks, content="same", **facts):
    """Let notebooks leave a file and a folder each, and their note."""
    for notebook in notebooks.split():
        file = dataset.data / f"{notebook}.csv"
        folder = dataset.data / f"frames_{notebook}"
        with step(dataset, notebook, [file, folder], **facts):
            folder.mkdir(exist_ok=True)
            (folder / "a.jpg").write_text(content)
            file.write_text("as always")


def test_facts_come_back_also_where_the_course_was_moved(dataset, tmp_path):
    run(dataset, "00 01 02 03")
    run(dataset, "04", scale=10.91, classes=["cat", "dog"])
    (tmp_path / "data").rename(tmp_path / "else")
    moved = Dataset("pets", dataset.folder, tmp_path / "else/pets", dataset.weights)
    assert check_step(moved, "04") == {"scale": 10.91, "classes": ["cat", "dog"]}


@pytest.mark.parametrize(("there", "missing"), [("", "00"), ("00 01 02", "03")])
def test_the_first_notebook_that_is_missing_is_named(dataset, there, missing):
    run(dataset, there)
    with pytest.raises(FileNotFoundError, match=rf"Run notebook {missing} first"):
        check_step(dataset, "04")


AGAIN = [("00", "01"), ("02", "03"), ("00 01 02 03", "04")]


@pytest.mark.parametrize(("again", "then"), AGAIN)
@pytest.mark.parametrize("other", [{"content": "other"}, {"rate": 2}])
def test_what_was_made_from_something_else_by_now_is_named(dataset, again, then, other):
    run(dataset, ALL)
    run(dataset, again)
    check_step(dataset, "04")  # the same result again
    run(dataset, again, **other)
    with pytest.raises(ValueError, match=rf"run notebook {then} again"):
        check_step(dataset, "04")


def test_a_step_that_breaks_off_is_not_finished(dataset):
    run(dataset, ALL)
    with pytest.raises(KeyboardInterrupt), step(dataset, "04", []):
        raise KeyboardInterrupt
    with pytest.raises(FileNotFoundError, match="Run notebook 04 first"):
        check_step(dataset, "04")


def test_a_second_writer_is_told_who_is_writing(dataset):
    script = """
import sys, pathlib
from toolbox.clips.dataset import Dataset
from toolbox.store.steps import step
with step(Dataset("pets", *[pathlib.Path(sys.argv[1])] * 3), "00", []):
    print("written")
"""
    said = pytest.raises(AssertionError, match=f"Process {os.getpid()} is writing")
    with step(dataset, "00", []), said:
        run_python(script, dataset.data)
    assert run_python(script, dataset.data) == "written\n"


@pytest.mark.parametrize("left", ["02.csv", "frames_02/a.jpg"])
def test_a_file_that_is_gone_or_cut_off_is_noticed(dataset, left):
    run(dataset, ALL)
    for damage in (lambda path: path.write_text("sam"), lambda path: path.unlink()):
        damage(dataset.data / left)
        with pytest.raises(FileNotFoundError, match="run notebook 02 again"):
            check_step(dataset, "04")


def test_what_changed_since_a_notebook_read_it_is_not_taken_for_its_source(dataset):
    script = """
import sys
from pathlib import Path
from test_steps import run
from toolbox.clips.dataset import Dataset
run(Dataset("pets", *[Path(sys.argv[1])] * 3), "00 01 02 03", "other")
"""
    run(dataset, ALL)
    check_step(dataset, "03")
    run_python(script, dataset.data)  # as another notebook's kernel
    with pytest.raises(ValueError, match="from its start"):
        run(dataset, "04")
    check_step(dataset, "03")  # its first cell, run again
    run(dataset, "04")
    check_step(dataset, "04")


def test_results_of_another_table_of_clips_are_removed(dataset, capsys):
    run(dataset, "00")
    results = dataset.data / "results.json"
    results.write_text("[]")
    run(dataset, "00")
    assert results.exists()
    run(dataset, "00", "other")
    assert not results.exists() and "results.json" in capsys.readouterr().out
    results.write_text("[]")
    (dataset.data / "step_00.json").unlink()  # as of an older version
    run(dataset, "00", "other")
    assert not results.exists()
