"""toolbox.clips.dataset: where a dataset lies, and which one was chosen."""

from pathlib import Path

from toolbox.clips.dataset import choose_dataset, find_dataset, open_dataset
from toolbox.store.steps import step

import pytest
from clips import write_clip


def test_a_folder_gets_its_places_in_the_course(tmp_path):
    """A built-in dataset lies there, and may be named by its path."""
    (tmp_path / "mine").mkdir()
    dataset = open_dataset(tmp_path / "mine", course=tmp_path / "course")
    assert dataset.name == "mine" and dataset.folder == tmp_path / "mine"
    assert dataset.data == tmp_path / "course" / "data" / "mine"
    assert dataset.weights == tmp_path / "course" / "weights" / "mine"
    mocap = tmp_path / "data" / "mocap"
    mocap.mkdir(parents=True)
    dataset = open_dataset("mocap", course=tmp_path)
    assert dataset.folder == dataset.data == mocap
    assert open_dataset(mocap, course=tmp_path) == dataset


def test_a_folder_that_is_missing_or_a_file_is_named(tmp_path):
    for name in ("mocap", "ucf101", "/nowhere/mine"):
        with pytest.raises(FileNotFoundError, match=name):
            open_dataset(name, course=tmp_path)
    with pytest.raises(NotADirectoryError, match=r"test_dataset\.py"):
        open_dataset(__file__, course=tmp_path)


@pytest.mark.parametrize("look", [open_dataset, choose_dataset])
def test_a_taken_name_is_refused(tmp_path, look):
    """By a folder that was used before, or by a dataset of the course."""
    for name in ("first/mine", "second/mine", "elsewhere/Mocap", "elsewhere/ucf101"):
        (tmp_path / name).mkdir(parents=True)
    first = choose_dataset(tmp_path / "first" / "mine", course=tmp_path)
    assert open_dataset(tmp_path / "first" / "mine", course=tmp_path) == first
    with pytest.raises(ValueError, match="make clean DATASET=mine"):
        look(tmp_path / "second" / "mine", course=tmp_path)
    for name in ("Mocap", "ucf101"):
        with pytest.raises(ValueError, match=name):
            look(tmp_path / "elsewhere" / name, course=tmp_path)
    assert open_dataset(course=tmp_path) == first


def test_the_choice_of_notebook_00_holds_later(tmp_path, monkeypatch, capsys):
    """A relative path is remembered from anywhere."""
    for name in ("clips/mine", "data/mocap", "data/ucf101"):
        (tmp_path / name).mkdir(parents=True)
    assert open_dataset(course=tmp_path).name == "mocap"
    for choice in ("ucf101", "mine", "mocap"):
        monkeypatch.chdir(tmp_path / "clips")
        chosen = choose_dataset(choice, course=tmp_path)
        monkeypatch.chdir(tmp_path)
        assert open_dataset("ucf101", course=tmp_path).name == "ucf101"  # for once
        capsys.readouterr()
        assert open_dataset(course=tmp_path) == chosen
        assert chosen.name in capsys.readouterr().out


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


@pytest.mark.parametrize("label", ["train_1", "test_1"])
def test_videos_where_the_course_would_write_frames_are_refused(tmp_path, label):
    folder = tmp_path / "data" / "mine"
    write_clip(folder / label / "g01" / "clip.avi", frames=2)
    with pytest.raises(ValueError, match=label):
        choose_dataset(folder, course=tmp_path)
    (folder / label).rename(folder / "Walk")
    assert choose_dataset(folder, course=tmp_path).data == folder


def test_the_root_of_a_drive_is_no_dataset(tmp_path):
    with pytest.raises(ValueError, match="drive's root: name a folder in it"):
        find_dataset(Path(tmp_path.anchor), tmp_path)
