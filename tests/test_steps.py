"""What the notebooks pass on: which was made from what, and who may write."""

import os

from toolbox.clips.dataset import Dataset
from toolbox.store.steps import MADE_FROM, check_step, step

import pytest
from clips import run_python


@pytest.fixture
def dataset(tmp_path):
    """A dataset of which nothing has been made."""
    return Dataset(
        "pets", tmp_path / "pets", tmp_path / "data" / "pets", tmp_path / "weights"
    )


def run(dataset, *notebooks, content="same", **facts):
    """Let notebooks leave a file and a folder each, and their note."""
    for notebook in notebooks:
        file = dataset.data / f"{notebook}.csv"
        folder = dataset.data / f"frames_{notebook}"
        with step(dataset, notebook, [file, folder], **facts):
            folder.mkdir(exist_ok=True)
            (folder / "a.jpg").write_text(content)
            file.write_text("as always")


def test_facts_come_back(dataset):
    run(dataset, "00", "01", "02", "03")
    run(dataset, "04", split="split_by_group", scale=10.91, classes=["cat", "dog"])
    assert check_step(dataset, "04") == {
        "split": "split_by_group",
        "scale": 10.91,
        "classes": ["cat", "dog"],
    }
    assert check_step(dataset, "01") == {}


@pytest.mark.parametrize(
    ("there", "missing"), [("", "00"), ("00", "01"), ("00 01 02", "03")]
)
def test_the_first_notebook_that_is_missing_is_named(dataset, there, missing):
    run(dataset, *there.split())
    with pytest.raises(FileNotFoundError, match=rf"Run notebook {missing} first"):
        check_step(dataset, "04")


def test_a_record_of_an_older_version_is_told(dataset):
    run(dataset, "00")
    (dataset.data / "record.json").write_text("{}")
    with pytest.raises(FileNotFoundError, match=r"notebook 01 first: .* older version"):
        check_step(dataset, "04")


@pytest.mark.parametrize(
    ("again", "then"),
    [("00", "01"), ("01", "02"), ("02", "03"), ("03", "04"), ("00 01 02 03", "04")],
)
def test_what_was_made_from_something_else_by_now_is_named(dataset, again, then):
    """Test share changed, 00 alone run again; a class renamed, 04 left out; and so
    on.
    """
    run(dataset, *["00", "01", "02", "03", "04"])
    run(dataset, *again.split(), content="other")
    with pytest.raises(ValueError, match=rf"run notebook {then} again"):
        check_step(dataset, "04")


def test_the_same_result_again_keeps_all_that_rests_on_it(dataset):
    run(dataset, *["00", "01", "02", "03", "04"])
    run(dataset, "02", "00")
    check_step(dataset, "04")


def test_other_facts_are_another_result(dataset):
    run(dataset, *["00", "01", "02", "03", "04"])
    run(dataset, "01", rate=2)
    with pytest.raises(ValueError, match="run notebook 02 again"):
        check_step(dataset, "04")


def test_a_notebook_that_is_interrupted_counts_as_unfinished(dataset):
    run(dataset, *["00", "01", "02", "03", "04"])
    with pytest.raises(KeyboardInterrupt), step(dataset, "04", []):
        raise KeyboardInterrupt
    with pytest.raises(FileNotFoundError, match="Run notebook 04 first"):
        check_step(dataset, "04")
    check_step(dataset, "03")


def test_a_second_writer_is_told_who_is_writing(dataset):
    script = """
import sys, os
from pathlib import Path
from toolbox.clips.dataset import Dataset
from toolbox.store.steps import step
place = Path(sys.argv[1])
try:
    with step(Dataset("pets", place, place, place), "00", []):
        print("written")
except RuntimeError as error:
    print(error)
"""
    with step(dataset, "00", []):
        said = run_python(script, dataset.data)
    assert f"Process {os.getpid()} is writing data/pets" in said
    assert run_python(script, dataset.data) == "written\n"


@pytest.mark.parametrize("content", [None, "", "sam", "same or more"])
@pytest.mark.parametrize("left", ["02.csv", "frames_02/a.jpg"])
def test_a_file_that_is_gone_or_cut_off_is_noticed(dataset, left, content):
    run(dataset, *["00", "01", "02", "03", "04"])
    (dataset.data / left).unlink()
    if content is not None:
        (dataset.data / left).write_text(content)
    with pytest.raises(FileNotFoundError, match="run notebook 02 again"):
        check_step(dataset, "04")


def test_a_course_that_was_moved_goes_on(dataset, tmp_path):
    run(dataset, "00", "01")
    (tmp_path / "data").rename(tmp_path / "elsewhere")
    moved = Dataset(
        "pets", dataset.folder, tmp_path / "elsewhere" / "pets", dataset.weights
    )
    check_step(moved, "01")


def test_every_notebook_rests_on_earlier_ones():
    assert all(
        older < notebook for notebook, needed in MADE_FROM.items() for older in needed
    )
