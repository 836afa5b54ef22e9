"""toolbox.clips.dataset: where a dataset lies, and which one was chosen."""

import json

from toolbox.clips.dataset import choose_dataset, open_dataset
from toolbox.store.steps import step

import pytest
from clips import write_clip


def test_a_folder_gets_its_places_in_the_course(tmp_path):
    (tmp_path / "mine").mkdir()
    dataset = open_dataset(tmp_path / "mine", course=tmp_path / "course")
    assert dataset.name == "mine"
    assert dataset.folder == tmp_path / "mine"
    assert dataset.data == tmp_path / "course" / "data" / "mine"
    assert dataset.weights == tmp_path / "course" / "weights" / "mine"


def test_a_built_in_dataset_lies_in_the_course_and_may_be_named_by_its_path(tmp_path):
    (tmp_path / "data" / "mocap").mkdir(parents=True)
    dataset = open_dataset("mocap", course=tmp_path)
    assert dataset.folder == dataset.data == tmp_path / "data" / "mocap"
    assert open_dataset(tmp_path / "data" / "mocap", course=tmp_path) == dataset


@pytest.mark.parametrize("name", ["mocap", "ucf101", "/nowhere/mine"])
def test_a_missing_folder_is_named(tmp_path, name):
    with pytest.raises(FileNotFoundError, match=name):
        open_dataset(name, course=tmp_path)


def test_what_to_do_about_a_missing_folder_is_the_caller_s_to_say(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"Look again\.$"):
        open_dataset(tmp_path / "nowhere", course=tmp_path, advice="Look again.")


def test_a_file_is_not_a_dataset(tmp_path):
    clip = write_clip(tmp_path / "clip.avi", frames=2)
    with pytest.raises(NotADirectoryError, match=r"clip\.avi"):
        open_dataset(clip, course=tmp_path)


def test_another_folder_of_the_same_name_is_refused_and_nobody_is_told_to_delete(
    tmp_path,
):
    for parent in ("first", "second"):
        (tmp_path / parent / "mine").mkdir(parents=True)
    first = choose_dataset(tmp_path / "first" / "mine", course=tmp_path)
    assert open_dataset(tmp_path / "first" / "mine", course=tmp_path) == first
    for look in (open_dataset, choose_dataset):
        with pytest.raises(ValueError, match="make clean DATASET=mine") as error:
            look(tmp_path / "second" / "mine", course=tmp_path)
        assert "delete" not in str(error.value)


@pytest.mark.parametrize("name", ["mocap", "ucf101", "Mocap", "UCF101"])
def test_a_folder_with_the_name_of_a_built_in_dataset_is_refused(tmp_path, name):
    (tmp_path / "elsewhere" / name).mkdir(parents=True)
    for look in (open_dataset, choose_dataset):
        with pytest.raises(ValueError, match="Rename"):
            look(tmp_path / "elsewhere" / name, course=tmp_path / "course")
    assert not (tmp_path / "course").exists()


def test_the_choice_of_notebook_00_holds_for_all_later_ones(tmp_path, capsys):
    own = tmp_path / "clips" / "mine"
    own.mkdir(parents=True)
    for name in ("mocap", "ucf101"):
        (tmp_path / "data" / name).mkdir(parents=True)
    assert open_dataset(course=tmp_path).name == "mocap"
    for choice in ("ucf101", str(own), "mocap"):
        chosen = choose_dataset(choice, course=tmp_path)
        remembered = json.loads(
            (tmp_path / "data" / "chosen.json").read_text(encoding="utf-8")
        )
        assert remembered == {"dataset": choice}
        capsys.readouterr()
        assert open_dataset(course=tmp_path) == chosen
        (line,) = capsys.readouterr().out.splitlines()
        assert chosen.name in line
        assert (
            open_dataset("ucf101", course=tmp_path).name == "ucf101"
        )  # for once, not remembered
        assert open_dataset(course=tmp_path) == chosen


def test_a_relative_path_is_remembered_from_anywhere(tmp_path, monkeypatch):
    for name in ("clips", "other"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)
    chosen = choose_dataset("clips", course=tmp_path / "course")
    monkeypatch.chdir(tmp_path / "other")
    assert open_dataset(course=tmp_path / "course") == chosen


def test_a_chosen_folder_that_is_gone_is_named(tmp_path):
    (tmp_path / "mine").mkdir()
    choose_dataset(tmp_path / "mine", course=tmp_path)
    (tmp_path / "mine").rmdir()
    with pytest.raises(FileNotFoundError, match="mine"):
        open_dataset(course=tmp_path)


def test_a_damaged_choice_is_named(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "chosen.json").write_text("{")
    with pytest.raises(ValueError, match=r"chosen\.json"):
        open_dataset(course=tmp_path)


def test_a_notebook_out_of_order_says_which_to_run(tmp_path):
    (tmp_path / "mine").mkdir()
    dataset = choose_dataset(tmp_path / "mine", course=tmp_path)
    with pytest.raises(FileNotFoundError, match="00"):
        open_dataset(after="01", course=tmp_path)
    with step(dataset, "00", files=[]):
        pass
    assert open_dataset(after="00", course=tmp_path) == dataset
    with pytest.raises(FileNotFoundError, match="01"):
        open_dataset(after="01", course=tmp_path)
