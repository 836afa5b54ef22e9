"""What the notebooks pass on: which was made from what, and who may write."""

import os

from toolbox.clips.dataset import Dataset
from toolbox.store.files import read_json
from toolbox.store.made import digest_of
from toolbox.store.steps import MADE_FROM, check_step, step

import numpy as np
import pytest
from clips import run_python


@pytest.fixture
def dataset(tmp_path):
    """A dataset of which nothing has been made."""
    return Dataset(
        "pets", tmp_path / "pets", tmp_path / "data" / "pets", tmp_path / "weights"
    )


def run(dataset, *notebooks, content="same", **facts):
    """Let notebooks leave a file each, and their mark in the record."""
    for notebook in notebooks:
        dataset.data.mkdir(parents=True, exist_ok=True)
        file = dataset.data / f"{notebook}.csv"
        with step(dataset, notebook, [file], **facts):
            file.write_text(content)


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
    with pytest.raises(
        FileNotFoundError, match=rf"Run notebook {missing} first: the .* pets"
    ):
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
    with pytest.raises(
        ValueError, match=rf"no longer fits?: run notebook {then} again"
    ):
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
    with pytest.raises(
        FileNotFoundError, match=r"Run notebook 04 first: .* or not finished"
    ):
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
    assert (
        said
        == f"Process {os.getpid()} is writing data/pets. Wait until it has finished, or"
        " stop it.\n"
    )
    assert run_python(script, dataset.data) == "written\n"


@pytest.mark.parametrize("content", [None, "", "sam", "same or more"])
def test_a_file_that_is_gone_or_cut_off_is_noticed(dataset, content):
    run(dataset, *["00", "01", "02", "03", "04"])
    file = dataset.data / "02.csv"
    file.unlink()
    if content is not None:
        file.write_text(content)
    with pytest.raises(
        FileNotFoundError, match=r"02\.csv is not as notebook 02 .* 02 again"
    ):
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


def test_digests_tell_values_types_and_files_apart(tmp_path):
    file = tmp_path / "a.jpg"
    file.write_bytes(b"123")
    facts = [
        [np.array([1, 2])],
        [np.array([1, 2], "float32")],
        [np.array([[1, 2]])],
        [[1, 2]],
        ["1", "2"],
        [file],
        [0.5, {"a": 1}],
    ]
    digests = [digest_of(*fact) for fact in facts]
    assert len(set(digests)) == len(facts)
    assert digests == [digest_of(*fact) for fact in facts]
    file.write_bytes(b"1234")
    assert digest_of(file) != digests[5]


def test_the_record_is_one_small_file(dataset):
    run(dataset, "00", "01")
    entries = read_json(dataset.data / "record.json")
    assert entries["01"]["of"] == {"00": entries["00"]["id"]}
