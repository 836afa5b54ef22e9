"""toolbox.clips.clip_table: finding, naming, grouping, sorting and opening the clips
of a folder.
"""

import json
import os
import shutil

from toolbox.clips.clip_table import (
    clip_names,
    find_videos,
    groups_of,
    hold_out,
    make_video_table,
    read_lists,
    warn_of_two_labels,
)
from toolbox.clips.dataset import choose_dataset, open_dataset
from toolbox.store.files import read_csv, write_csv
from toolbox.store.steps import step

import numpy as np
import pandas as pd
import pytest
from clips import (
    UCF101_LISTS,
    as_another_user,
    cut,
    cut_before_frames,
    make_dataset,
    needs_ucf101_lists,
    read_all,
    rotate,
    write_clip,
    write_with_pyav,
)


def names_of(*videos):
    """A table of clips as `find_videos` gives it."""
    return pd.DataFrame({"class": [v.split("/")[0] for v in videos], "video": videos})


def reasons_of(unreadable):
    """Why each clip can't be used, by its path."""
    return dict(zip(unreadable["video"], unreadable["reason"], strict=True))


# Choosing a dataset


def test_a_folder_gets_its_places_in_the_course(tmp_path):
    (tmp_path / "mine").mkdir()
    dataset = open_dataset(tmp_path / "mine", course=tmp_path / "course")
    assert dataset.name == "mine"
    assert dataset.folder == tmp_path / "mine"
    assert dataset.data == tmp_path / "course" / "data" / "mine"
    assert dataset.weights == tmp_path / "course" / "weights" / "mine"


def test_a_built_in_dataset_lies_in_the_course(tmp_path):
    (tmp_path / "data" / "mocap").mkdir(parents=True)
    dataset = open_dataset("mocap", course=tmp_path)
    assert dataset.folder == dataset.data == tmp_path / "data" / "mocap"


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"no folder .*nowhere.*Check the path in notebook"
    ):
        open_dataset(tmp_path / "nowhere", course=tmp_path)


def test_what_to_do_about_a_missing_folder_is_the_caller_s_to_say(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no folder .*nowhere\. Look again\.$"):
        open_dataset(tmp_path / "nowhere", course=tmp_path, advice="Look again.")


@pytest.mark.parametrize(
    ("name", "advice"), [("mocap", "git checkout"), ("ucf101", "Notebook 00")]
)
def test_a_missing_built_in_dataset_comes_with_advice(tmp_path, name, advice):
    with pytest.raises(FileNotFoundError, match=advice):
        open_dataset(name, course=tmp_path)


def test_a_file_is_not_a_dataset(tmp_path):
    clip = write_clip(tmp_path / "clip.avi", frames=2)
    with pytest.raises(
        NotADirectoryError, match=r"is a file.*one folder of videos for each class"
    ):
        open_dataset(clip, course=tmp_path)


def test_another_folder_of_the_same_name_is_refused(tmp_path):
    for parent in ("first", "second"):
        (tmp_path / parent / "mine").mkdir(parents=True)
    first = choose_dataset(tmp_path / "first" / "mine", course=tmp_path)
    assert open_dataset(tmp_path / "first" / "mine", course=tmp_path) == first
    for look in (open_dataset, choose_dataset):
        with pytest.raises(
            ValueError, match=r"what was made of .*first.* Rename .*second.* or de"
        ):
            look(tmp_path / "second" / "mine", course=tmp_path)


@pytest.mark.parametrize("name", ["mocap", "ucf101", "Mocap", "UCF101"])
def test_a_folder_with_the_name_of_a_built_in_dataset_is_refused(tmp_path, name):
    (tmp_path / "elsewhere" / name).mkdir(parents=True)
    for look in (open_dataset, choose_dataset):
        with pytest.raises(
            ValueError, match=r"name of a dataset of the course.* Rename the folder"
        ):
            look(tmp_path / "elsewhere" / name, course=tmp_path / "course")
    assert not (tmp_path / "course").exists()


def test_the_built_in_dataset_may_be_named_by_its_path(tmp_path):
    (tmp_path / "data" / "mocap").mkdir(parents=True)
    by_path = open_dataset(tmp_path / "data" / "mocap", course=tmp_path)
    assert by_path == open_dataset("mocap", course=tmp_path)


def line_of(capsys):
    """The one line that was printed."""
    (line,) = capsys.readouterr().out.splitlines()
    return line


def test_the_choice_of_notebook_00_holds_for_all_later_ones(tmp_path, capsys):
    (tmp_path / "clips" / "mine").mkdir(parents=True)
    for name in ("mocap", "ucf101"):
        (tmp_path / "data" / name).mkdir(parents=True)
    assert open_dataset(course=tmp_path).name == "mocap"
    assert (
        line_of(capsys) == "dataset: mocap, built in (notebook 00 can choose another)"
    )
    for choice, shown in (
        ("ucf101", "ucf101"),
        (str(tmp_path / "clips" / "mine"), f"mine in {tmp_path / 'clips'}"),
        ("mocap", "mocap"),
    ):
        chosen = choose_dataset(choice, course=tmp_path)
        name = chosen.name
        assert line_of(capsys) == f"dataset: {name}, for this and all later notebooks"
        remembered = json.loads(
            (tmp_path / "data" / "chosen.json").read_text(encoding="utf-8")
        )
        assert remembered == {"dataset": choice}
        assert open_dataset(course=tmp_path) == chosen
        assert line_of(capsys) == f"dataset: {shown}, as notebook 00 chose"
        assert (
            open_dataset("ucf101", course=tmp_path).name == "ucf101"
        )  # for once, not remembered
        assert line_of(capsys) == "dataset: ucf101, as DATASET says"
        assert open_dataset(course=tmp_path) == chosen
        capsys.readouterr()


def test_a_relative_path_is_remembered_from_anywhere(tmp_path, monkeypatch):
    (tmp_path / "clips").mkdir()
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path)
    chosen = choose_dataset("clips", course=tmp_path / "course")
    monkeypatch.chdir(tmp_path / "other")
    assert open_dataset(course=tmp_path / "course") == chosen


def test_a_chosen_folder_that_is_gone_is_named(tmp_path):
    (tmp_path / "mine").mkdir()
    choose_dataset(tmp_path / "mine", course=tmp_path)
    (tmp_path / "mine").rmdir()
    with pytest.raises(
        FileNotFoundError, match=r"no folder .*mine. Check the path in notebook 00's"
    ):
        open_dataset(course=tmp_path)


def test_a_damaged_choice_is_named(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "chosen.json").write_text("{")
    with pytest.raises(ValueError, match=r"chosen\.json is damaged .*delete it"):
        open_dataset(course=tmp_path)


def test_a_notebook_out_of_order_says_which_to_run(tmp_path):
    (tmp_path / "mine").mkdir()
    dataset = choose_dataset(tmp_path / "mine", course=tmp_path)
    with pytest.raises(FileNotFoundError, match=r"Run notebook 00 first"):
        open_dataset(after="01", course=tmp_path)
    with step(dataset, "00", files=[]):
        pass
    assert open_dataset(after="00", course=tmp_path) == dataset
    with pytest.raises(FileNotFoundError, match=r"Run notebook 01 first"):
        open_dataset(after="01", course=tmp_path)


# Finding clips


@pytest.mark.parametrize("place", [".", "videos", "UCF-101"])
def test_clips_are_found_in_class_folders(tmp_path, place):
    make_dataset(tmp_path / place, groups=1, clips=2, frames=1)
    found = find_videos(tmp_path)
    assert found["class"].tolist() == ["Run", "Run", "Walk", "Walk"]
    assert (tmp_path / found["video"][0]).samefile(
        tmp_path / place / "Run" / "v_Run_g01_c01.avi"
    )


def test_only_videos_count_and_hidden_files_do_not(tmp_path):
    make_dataset(tmp_path, groups=1, clips=1, frames=1)
    write_clip(tmp_path / "Run" / "upper.AVI", frames=1)
    write_clip(tmp_path / "Run" / "._v_Run_g01_c01.avi", frames=1)
    (tmp_path / "Run" / "notes.txt").write_text("not a video")
    (tmp_path / "empty class").mkdir()
    found = find_videos(tmp_path)
    assert found["video"].tolist() == [
        "Run/upper.AVI",
        "Run/v_Run_g01_c01.avi",
        "Walk/v_Walk_g01_c01.avi",
    ]


def test_no_class_folders(tmp_path):
    with pytest.raises(ValueError, match=r"no class folders.*folder/<class>/<video>"):
        find_videos(tmp_path)


def test_loose_videos_are_counted(tmp_path):
    for name in ("a.avi", "b.mp4"):
        write_clip(tmp_path / name, frames=1)
    with pytest.raises(ValueError, match="2 videos directly: sort them into folders"):
        find_videos(tmp_path)


def test_one_class_is_not_enough(tmp_path):
    make_dataset(tmp_path, classes=["Run"], groups=1)
    with pytest.raises(ValueError, match=r"one class only \(Run\).*at least two"):
        find_videos(tmp_path)


@pytest.mark.parametrize("folder", [".thumbs", "Run/.thumbs"])
def test_hidden_folders_are_left_out(tmp_path, folder):
    make_dataset(tmp_path, groups=1, clips=1, frames=1)
    write_clip(tmp_path / folder / "small.avi", frames=1)
    assert find_videos(tmp_path)["video"].tolist() == [
        "Run/v_Run_g01_c01.avi",
        "Walk/v_Walk_g01_c01.avi",
    ]


@pytest.mark.parametrize("place", ["", "videos/", "UCF-101/"])
def test_a_folder_in_a_class_is_a_group(tmp_path, place):
    for video in (
        "cat/2020/a.avi",
        "cat/2020/b.avi",
        "cat/2021/a.avi",
        "cat/c.avi",
        "dog/a.avi",
    ):
        write_clip(tmp_path / place / video, frames=1)
    write_clip(tmp_path / place / "dog" / "2020" / "v_dog_g03_c01.avi", frames=1)
    found = find_videos(tmp_path)
    found["clip"] = clip_names(found)
    assert found["video"].str.removeprefix(place).tolist() == [
        "cat/c.avi",
        "cat/2020/a.avi",
        "cat/2020/b.avi",
        "cat/2021/a.avi",
        "dog/a.avi",
        "dog/2020/v_dog_g03_c01.avi",
    ]
    assert found["class"].tolist() == ["cat"] * 4 + ["dog"] * 2
    assert found["clip"].nunique() == 6
    assert groups_of(found, True) == ["c", "2020", "2020", "2021", "dog_a", "g03"]
    assert groups_of(found, False) == [
        "c",
        "cat_2020",
        "cat_2020",
        "cat_2021",
        "dog_a",
        "dog_g03",
    ]


def test_what_cannot_be_a_clip_is_listed_and_does_not_vanish(tmp_path):
    make_dataset(tmp_path, groups=3, clips=1, frames=1)
    write_clip(tmp_path / "Run" / "2020" / "May" / "deep.avi", frames=1)
    shutil.copy(tmp_path / "Run" / "v_Run_g01_c01.avi", tmp_path / "Run" / "clip.xyz")
    shutil.copy(tmp_path / "Run" / "v_Run_g01_c01.avi", tmp_path / "Run" / "clip")
    write_clip(
        tmp_path / "Jump" / "a" / "b" / "c.avi", frames=1
    )  # a class with nothing else
    (tmp_path / "notes").mkdir()
    for name in ("notes/a.txt", "Run/labels.json", "Run/sheet.jpg", "Run/Thumbs.db"):
        (tmp_path / name).write_text("no clip, and nobody would think so")
    videos, unreadable = make_video_table(tmp_path)
    deep = "it lies too deep; move it to <class>/<video> or <class>/<group>/<video>"
    assert reasons_of(unreadable) == {
        "Run/2020/May/deep.avi": deep,
        "Run/clip.xyz": "not a video by its name (.xyz); rename it if it is one",
        "Run/clip": "not a video by its name; rename it if it is one",
        "Jump/a/b/c.avi": deep,
    }
    assert set(unreadable["class"]) == {"Run", "Jump"}
    assert len(videos) == 6


def test_clips_of_cameras_are_read_whatever_they_are_called(tmp_path):
    """A transport stream, as cameras call it; OpenCV tells the format by the
    content.
    """
    for label in ("cat", "dog"):
        for number in range(2):
            clip = write_clip(tmp_path / label / f"{label}{number}.avi", frames=3)
            clip.rename(clip.with_suffix(".MTS"))
    videos, unreadable = make_video_table(tmp_path)
    assert len(videos) == 4
    assert unreadable.empty


def test_a_dataset_of_unknown_suffixes_says_so(tmp_path):
    clip = write_clip(tmp_path / "cat" / "a.avi", frames=1)
    clip.rename(clip.with_suffix(".xyz"))
    with pytest.raises(
        ValueError, match=r"no class folders.* cat/a.xyz because: not a video by"
    ):
        find_videos(tmp_path)


def test_folders_named_after_the_parts_are_no_classes(tmp_path):
    for part in ("train", "Test"):
        make_dataset(tmp_path / part, groups=1, clips=1, frames=1)
    with pytest.raises(
        ValueError, match=r"sorted into Test and train, not into classes"
    ):
        find_videos(tmp_path)


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
def test_names_with_line_breaks_are_listed_and_survive_the_csv(tmp_path, end):
    make_dataset(tmp_path, groups=3, clips=1, frames=1)
    try:
        write_clip(tmp_path / "Run" / f"two{end}lines.avi", frames=1)
        write_clip(tmp_path / f"Ju{end}mp" / "clip.avi", frames=1)
    except OSError:
        pytest.skip("this file system takes no such names")
    videos, unreadable = make_video_table(tmp_path)
    assert set(videos["class"]) == {"Run", "Walk"}
    write_csv(unreadable, tmp_path / "unreadable.csv")
    assert reasons_of(read_csv(tmp_path / "unreadable.csv")) == {
        f"Ju{end}mp/clip.avi": "its name has a line break; rename it",
        f"Run/two{end}lines.avi": "its name has a line break; rename it",
    }


@pytest.mark.skipif(os.name == "nt", reason="Windows locks folders in another way")
def test_a_locked_class_folder_is_listed_and_the_others_go_on(shared_folder):
    make_dataset(
        shared_folder, classes=("Jump", "Run", "Walk"), groups=3, clips=1, frames=1
    )
    (shared_folder / "Run").chmod(0)
    with as_another_user():
        videos, unreadable = make_video_table(shared_folder)
    (shared_folder / "Run").chmod(0o755)
    assert set(videos["class"]) == {"Jump", "Walk"}
    assert unreadable.to_dict("records") == [
        {
            "video": "Run",
            "class": "Run",
            "reason": "the folder can't be read (Permission denied)",
        }
    ]


def test_a_class_left_with_no_readable_clip(tmp_path):
    make_dataset(tmp_path, groups=1, clips=1)
    (tmp_path / "Walk" / "v_Walk_g01_c01.avi").write_bytes(b"")
    with pytest.raises(
        ValueError, match=r"Only one class has .*1 clips .*the file is empty"
    ):
        make_video_table(tmp_path)


def test_all_clips_unreadable(tmp_path):
    for label in ("Run", "Walk"):
        (tmp_path / label).mkdir()
        (tmp_path / label / "page.avi").write_text("<html>404 Not Found</html>")
    with pytest.raises(ValueError, match=r"No class has .*2 clips .*not a video"):
        make_video_table(tmp_path)


# Naming clips


def test_a_lone_name_stays_and_a_shared_one_gets_its_class():
    videos = names_of("Run/1.mp4", "Run/dash.mp4", "Walk/1.mp4")
    assert clip_names(videos) == ["Run_1", "dash", "Walk_1"]


NASTY = {
    "differ in case": ["Run/Clip.avi", "Walk/clip.avi", "Jump/CLIP.avi"],
    "differ in type": ["Run/a.avi", "Run/a.mp4", "Run/a.mov"],
    "look like made names": [
        "Run/a.avi",
        "Walk/a.avi",
        "Run/Run_a.avi",
        "Walk/run_A.avi",
    ],
    "classes that end alike": ["a_b/c.avi", "a/b_c.avi", "x/c.avi", "y/b_c.avi"],
    "long": [
        "Run/" + "x" * 250 + ".avi",
        "Run/" + "x" * 249 + "y.avi",
        "W/" + "x" * 250 + ".avi",
    ],
    "long, many bytes": ["Run/" + "走" * 80 + ".avi", "Walk/" + "走" * 80 + ".avi"],
    "case folds to more": ["Run/STRASSE.avi", "Walk/straße.avi"],
    "dots and spaces": ["Run/a.b.avi", "Run/a.c.avi", "Run/ .avi", "Walk/ .avi"],
}


@pytest.mark.parametrize("videos", NASTY.values(), ids=NASTY)
def test_names_are_unique_on_any_file_system_and_fit(videos):
    names = clip_names(names_of(*videos))
    assert len({name.casefold() for name in names}) == len(videos)
    assert all(0 < len(name.encode()) <= 180 and "/" not in name for name in names)
    assert names == clip_names(names_of(*videos))


def test_a_name_that_is_not_unicode_is_refused_by_name(tmp_path):
    make_dataset(tmp_path, groups=1, clips=1, frames=1)
    clip = write_clip(tmp_path / "Run" / "plain.avi", frames=1)
    try:
        clip.rename(clip.with_name(b"caf\xe9.avi".decode("utf-8", "surrogateescape")))
    except OSError:
        pytest.skip("this file system only takes names in Unicode")
    with pytest.raises(ValueError, match="Rename"):
        make_video_table(tmp_path)


@pytest.mark.parametrize(
    ("video", "group"),
    [
        ("Walk/v_Walk_g07_c02.avi", "g07"),
        ("Walk/v_Walk_G7_c02.avi", "g07"),
        ("Walk/v_Walk_g0107_c02.avi", "g107"),
        ("Walk/take_g3.avi", "own"),
        ("Walk/big07_x.avi", "own"),
        ("Walk_g05_x/take.avi", "own"),
    ],
)
def test_groups_come_from_the_file_name(video, group):
    assert groups_of(names_of(video).assign(clip="own"), True) == [group]


@pytest.mark.parametrize(
    ("classes", "names"),
    [
        (("1", "2"), ("007", "010")),
        (("None", "NA"), ("null", "nan")),
        (("True", "False"), "12"),
    ],
)
def test_names_that_look_like_values_survive_the_csv(tmp_path, classes, names):
    for label in classes:
        for name in names:
            write_clip(tmp_path / "set" / label / f"{label}x{name}.avi", frames=1)
        write_clip(tmp_path / "set" / label / f"{names[0]}{label}.avi", frames=1)
    videos, unreadable = make_video_table(tmp_path / "set")
    write_csv(videos, tmp_path / "videos.csv")
    write_csv(unreadable, tmp_path / "unreadable.csv")
    pd.testing.assert_frame_equal(
        read_csv(tmp_path / "videos.csv"), videos, check_dtype=False, check_exact=True
    )
    assert read_csv(tmp_path / "unreadable.csv").empty


def test_groups_span_classes_except_in_the_layout_of_ucf101(tmp_path):
    for place, expected in (("", ["g01", "g02"]), ("UCF-101", ["Run_g01", "Run_g02"])):
        make_dataset(tmp_path / f"set{place}" / place, groups=2, clips=1, frames=1)
        folder = tmp_path / f"set{place}"
        videos, _ = make_video_table(folder)
        assert videos.loc[videos["class"] == "Run", "group"].tolist() == expected
        told, _ = make_video_table(folder, groups_span_classes=place != "")
        other = ["g01", "g02"] if place else ["Run_g01", "Run_g02"]
        assert told.loc[told["class"] == "Run", "group"].tolist() == other


# Groups from groups.csv

PETS = ["cat/a.avi", "cat/b.avi", "cat/c.avi", "dog/a.avi", "dog/b.avi", "dog/c.avi"]


@pytest.fixture
def pets(tmp_path):
    """A dataset of two classes with three clips each, and no group in their names."""
    for look, video in enumerate(PETS):
        write_clip(tmp_path / video, frames=2, look=look)
    return tmp_path


def listed_groups(folder, *lines, encoding="utf-8", **settings):
    """The group of each clip, by its path, with these lines in `groups.csv`."""
    (folder / "groups.csv").write_bytes("\n".join(lines).encode(encoding))
    videos, _ = make_video_table(folder, **settings)
    return dict(zip(videos["video"], videos["group"], strict=True))


def told_of_groups(capsys):
    """What was printed about `groups.csv`: a list of lines."""
    return [
        line for line in capsys.readouterr().out.splitlines() if "groups.csv" in line
    ]


TOM_AND_007 = dict(zip(PETS, ["tom", "tom", "007", "007", "rex", "rex"], strict=True))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_groups_are_read_from_groups_csv(pets, separator, encoding, capsys):
    lines = [
        separator.join(pair) for pair in [("video", "group"), *TOM_AND_007.items()]
    ]
    assert listed_groups(pets, *lines, encoding=encoding) == TOM_AND_007
    assert told_of_groups(capsys) == []


def test_a_path_in_groups_csv_may_be_spelled_in_other_ways(pets, capsys):
    decomposed = "dog/cafe\N{COMBINING ACUTE ACCENT}.avi"
    write_clip(pets / decomposed, frames=2, look=9)
    groups = listed_groups(
        pets,
        '"Group" , VIDEO,note',
        "tom,CAT/A.AVI,",
        "tom,videos/cat/b.avi,asleep, mostly",
        r"007,.\cat\c.avi",
        "",
        r" 007 ,videos\Dog\a.avi ",
        '"rex","dog/b.avi"',
        "rex,./dog//c.avi",
        "rex,dog/caf\N{LATIN SMALL LETTER E WITH ACUTE}.avi",
        ",,",
    )
    assert groups == TOM_AND_007 | {decomposed: "rex"}
    assert told_of_groups(capsys) == []


@pytest.mark.parametrize("place", ["videos", "UCF-101"])
def test_groups_csv_names_clips_with_or_without_the_folder_of_the_classes(
    tmp_path, place
):
    for video in PETS:
        write_clip(tmp_path / place / video, frames=2)
    lines = [f"{video},{group}" for video, group in TOM_AND_007.items()]
    lines[::2] = [f"{place}/{line}" for line in lines[::2]]
    groups = listed_groups(tmp_path, "video,group", *lines)
    assert groups == {f"{place}/{video}": group for video, group in TOM_AND_007.items()}
    apart = make_video_table(tmp_path, groups_span_classes=False)[0]["group"].tolist()
    assert apart == ["cat_tom", "cat_tom", "cat_007", "dog_007", "dog_rex", "dog_rex"]


def test_groups_csv_wins_over_names_and_folders_which_decide_for_the_others(
    tmp_path, capsys
):
    names = [
        "cat/v_g01_a.avi",
        "cat/v_g01_b.avi",
        "cat/home/a.avi",
        "cat/home/b.avi",
        "cat/c.avi",
    ]
    for video in [*names, "dog/v_g02_a.avi", "dog/d.avi"]:
        write_clip(tmp_path / video, frames=2)
    lines = ["video,group", "cat/v_g01_a.avi,tom", "cat/home/a.avi,tom", "cat/c.avi,"]
    assert listed_groups(tmp_path, *lines) == {
        "cat/v_g01_a.avi": "tom",
        "cat/v_g01_b.avi": "g01",
        "cat/home/a.avi": "tom",
        "cat/home/b.avi": "home",
        "cat/c.avi": "c",
        "dog/v_g02_a.avi": "g02",
        "dog/d.avi": "d",
    }
    assert told_of_groups(capsys) == [
        "groups.csv: 5 of 7 clips have no group in it; names and folders decide for"
        " them"
    ]


def test_lines_of_groups_csv_that_name_no_clip_are_told(pets, capsys):
    lines = [",".join(pair) for pair in TOM_AND_007.items()]
    groups = listed_groups(
        pets, "video,group", "cat/gone.avi,tom", *lines, "pets/cat/a.avi,rex"
    )
    assert groups == TOM_AND_007
    assert told_of_groups(capsys) == [
        "groups.csv: lines that name no clip: 2, the first cat/gone.avi"
    ]


def test_clips_that_groups_csv_puts_together_are_held_out_together(pets):
    lines = [",".join(pair) for pair in TOM_AND_007.items()]
    listed_groups(pets, "video,group", *lines)
    for seed in range(10):
        videos, _ = make_video_table(pets, seed=seed)
        parts = videos.groupby("part")["group"].agg(set)
        assert not parts["train"] & parts["test"]
    write_csv(videos, pets / "videos.csv")
    assert read_csv(pets / "videos.csv")["group"].tolist() == list(TOM_AND_007.values())


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        (
            ["video,group", "cat/a.avi,tom", r"Cat\A.avi,rex"],
            r"puts Cat\A.avi into two groups, tom",
        ),
        (
            ["video,name", "cat/a.avi,tom"],
            "lacks a column: its first line must name the columns",
        ),
        (
            ["cat/a.avi,tom", "cat/b.avi,tom"],
            "lacks a column: its first line must name the columns",
        ),
        ([], "lacks a column: its first line must name the columns video and group"),
        (["video,group", "cat/café.avi,tom"], "is not in UTF-8: save it as UTF-8"),
    ],
    ids=["two groups", "another column", "no header", "empty", "Latin-1"],
)
def test_a_groups_csv_that_cannot_be_used_says_what_to_do(pets, lines, complaint):
    with pytest.raises(ValueError) as error:
        listed_groups(pets, *lines, encoding="latin-1")
    assert str(error.value).startswith(f"{pets / 'groups.csv'} {complaint}")


def test_a_clip_may_be_named_twice_with_the_same_group(pets):
    lines = [",".join(pair) for pair in TOM_AND_007.items()]
    assert listed_groups(pets, "video,group", *lines, *lines) == TOM_AND_007


# Opening clips


FORMATS = [
    (".mp4", "libx264"),
    (".mov", "libx264"),
    (".mkv", "libx264"),
    (".mp4", "libx265"),
    (".webm", "libvpx-vp9"),
]


@pytest.mark.parametrize(("suffix", "codec"), FORMATS)
def test_the_formats_of_phones_and_browsers_are_read(tmp_path, suffix, codec):
    for label in ("cat", "dog"):
        for name, size in (("wide", (96, 64)), ("portrait", (64, 96))):
            write_with_pyav(
                tmp_path / label / f"{name}{label}{suffix}", codec, size, 30, 12
            )
    videos, unreadable = make_video_table(tmp_path)
    assert unreadable.empty
    facts = videos[["frames", "fps", "width", "height"]].to_numpy().tolist()
    assert facts == [[12, 30, 64, 96], [12, 30, 96, 64]] * 2


@pytest.mark.parametrize("suffix", [".mov", ".mp4", ".mkv"])
@pytest.mark.parametrize(
    ("degrees", "size", "corner"),
    [(90, [64, 96], (0, -1)), (180, [96, 64], (-1, -1)), (270, [64, 96], (-1, 0))],
)
def test_a_clip_with_a_rotation_is_as_wide_and_high_as_it_is_shown(
    tmp_path, suffix, degrees, size, corner
):
    """A light in the corner at the top left, and where a turn clockwise puts it."""
    frame = np.zeros((64, 96, 3), np.uint8)
    frame[:32, :32] = 255
    for label in ("cat", "dog"):
        for name in "ab":
            clip = tmp_path / label / f"{label}{name}{suffix}"
            rotate(write_with_pyav(clip, size=(96, 64), frames=[frame] * 5), degrees)
    videos, _ = make_video_table(tmp_path)
    assert videos[["width", "height"]].to_numpy().tolist() == [size] * 4
    shown = read_all(tmp_path / videos["video"][0])[0][..., 0]
    assert shown[corner] > 200
    assert (shown > 200).mean() == pytest.approx(1 / 6, abs=0.02)


def test_clips_that_all_lie_too_deep_say_so(tmp_path):
    for label in ("cat", "dog"):
        write_clip(tmp_path / label / "2024" / "05" / "clip.avi", frames=1)
    with pytest.raises(
        ValueError,
        match=r"cat/2024/05/clip.avi because: it lies too deep; move it to <class>/<v",
    ):
        make_video_table(tmp_path)


def test_a_class_whose_clips_all_lie_too_deep_is_listed(tmp_path):
    make_dataset(tmp_path, groups=2, clips=1, frames=1)
    for month in ("05", "06"):
        write_clip(tmp_path / "cat" / "2024" / month / "clip.avi", frames=1)
    videos, unreadable = make_video_table(tmp_path)
    assert set(videos["class"]) == {"Run", "Walk"}
    reason = "it lies too deep; move it to <class>/<video> or <class>/<group>/<video>"
    assert reasons_of(unreadable) == {
        "cat/2024/05/clip.avi": reason,
        "cat/2024/06/clip.avi": reason,
    }


def test_clips_that_cannot_be_read_are_listed_and_the_rest_goes_on(tmp_path):
    make_dataset(tmp_path, groups=2, clips=2)
    run = tmp_path / "Run"
    (run / "empty.avi").write_bytes(b"")
    (run / "page.avi").write_text("<html>404 Not Found</html>\n" * 100)
    cut(write_clip(run / "no_moov.mp4", frames=50), 0.5)
    cut_before_frames(write_clip(run / "no_frames.avi", frames=50))
    (run / "gone.avi").symlink_to(run / "never_was.avi")
    videos, unreadable = make_video_table(tmp_path)
    assert reasons_of(unreadable) == {
        "Run/empty.avi": "the file is empty",
        "Run/gone.avi": "the file is missing",
        "Run/no_frames.avi": "no frame can be decoded (codec MJPG)",
        "Run/no_moov.mp4": "not a video that OpenCV can open",
        "Run/page.avi": "not a video that OpenCV can open",
    }
    assert set(unreadable["class"]) == {"Run"}
    assert len(videos) == 8
    assert videos[["frames", "fps", "width", "height"]].drop_duplicates().to_dict(
        "split"
    )["data"] == [[5, 25.0, 64, 48]]


# The same clip under two labels


def test_the_same_clip_under_two_labels_is_told(tmp_path, capsys):
    make_dataset(tmp_path, groups=3, clips=1)
    write_clip(tmp_path / "Run" / "v_Run_g02_c01.avi", frames=5, look=7)
    for copy in ("Walk/copy.avi", "Walk/again.avi"):
        shutil.copy(tmp_path / "Run" / "v_Run_g02_c01.avi", tmp_path / copy)
    videos, _ = make_video_table(tmp_path)
    line = capsys.readouterr().out.splitlines()[-1]
    assert line.startswith(
        "Warning: 3 clips have the content of a clip of another class,"
        " Run/v_Run_g02_c01"
    )
    assert warn_of_two_labels(tmp_path, videos) == 3


def test_copies_in_one_class_and_clips_of_one_size_are_no_wrong_labels(
    tmp_path, capsys
):
    make_dataset(tmp_path, groups=3, clips=1)
    run = tmp_path / "Run" / "v_Run_g02_c01.avi"
    shutil.copy(run, tmp_path / "Run" / "copy.avi")
    other = bytearray(run.read_bytes())
    other[-1] ^= 1  # another content of the same size
    (tmp_path / "Walk" / "other.avi").write_bytes(other)
    videos, _ = make_video_table(tmp_path)
    assert len(videos) == 8
    assert "Warning" not in capsys.readouterr().out
    assert warn_of_two_labels(tmp_path, videos) == 0


# Lists


def write_lists(folder, train, test, split=1, newline="\n", encoding="utf-8"):
    """Write a pair of lists, the training one with class numbers as UCF101's."""
    folder.mkdir(parents=True, exist_ok=True)
    for part, lines in (("train", [f"{line} 1" for line in train]), ("test", test)):
        content = newline.join([*lines, ""]).encode(encoding)
        (folder / f"{part}list{split:02}.txt").write_bytes(content)


RUN = [f"Run/v_Run_g0{group}_c01.avi" for group in (1, 2)]
WALK = [f"Walk/v_Walk_g0{group}_c01.avi" for group in (1, 2)]


@pytest.fixture
def listed(tmp_path):
    """A dataset of two classes with two clips each, and lists that put group 1 into
    training.
    """
    make_dataset(tmp_path, groups=2, clips=1)
    write_lists(tmp_path, [RUN[0], WALK[0]], [RUN[1], WALK[1]])
    return tmp_path


def test_lists_decide_the_parts(listed):
    videos, unreadable = make_video_table(listed)
    assert videos["part"].tolist() == ["train", "test", "train", "test"]
    assert unreadable.empty
    assert list(unreadable.columns) == ["video", "class", "reason"]


def test_lists_may_lie_where_ucf101_unpacks_them(tmp_path):
    write_lists(tmp_path / "ucfTrainTestlist", [RUN[0]], [RUN[1]])
    assert read_lists(tmp_path) == {RUN[0].lower(): "train", RUN[1].lower(): "test"}


def test_without_lists_there_is_nothing_to_read(tmp_path):
    (tmp_path / "classInd.txt").write_text("1 Run\n2 Walk\n")
    assert read_lists(tmp_path) is None


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\n\n", " \r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_line_ends_and_byte_order_marks_do_not_matter(listed, newline, encoding):
    write_lists(
        listed, [RUN[0], WALK[0]], [RUN[1], WALK[1]], newline=newline, encoding=encoding
    )
    videos, unreadable = make_video_table(listed)
    assert videos["part"].tolist() == ["train", "test", "train", "test"]
    assert unreadable.empty


def test_names_with_spaces_and_digits_in_lists(tmp_path):
    write_lists(tmp_path, ["Long Jump/my clip 2.avi"], ["Long Jump/my clip 3.avi"])
    assert read_lists(tmp_path) == {
        "long jump/my clip 2.avi": "train",
        "long jump/my clip 3.avi": "test",
    }


def test_clips_in_a_list_only_or_on_disk_only_are_listed(listed):
    write_clip(listed / "Walk" / "v_Walk_g03_c01.avi", frames=5)
    write_lists(listed, [*RUN[:1], WALK[0], "Run/v_Run_g09_c01.avi"], [RUN[1], WALK[1]])
    videos, unreadable = make_video_table(listed)
    assert len(videos) == 4
    listing = unreadable.assign(video=unreadable["video"].str.casefold()).to_dict(
        "records"
    )
    assert [(row["video"], row["reason"]) for row in listing] == [
        ("walk/v_walk_g03_c01.avi", "in no list of split 1"),
        ("run/v_run_g09_c01.avi", "named in a list, but not in the folder"),
    ]


def test_an_unreadable_clip_of_a_list_is_listed_once(listed):
    (listed / RUN[1]).write_bytes(b"")
    videos, unreadable = make_video_table(listed)
    assert len(videos) == 3
    assert unreadable.to_dict("records") == [
        {"video": RUN[1], "class": "Run", "reason": "the file is empty"}
    ]


def test_a_split_that_is_not_there(listed):
    with pytest.raises(
        FileNotFoundError, match=r"lacks trainlist04.txt.* Set OFFICIAL_SPLIT"
    ):
        make_video_table(listed, split=4)


def test_half_a_pair_of_lists(listed):
    (listed / "testlist01.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"lacks testlist01\.txt"):
        make_video_table(listed)


def test_a_clip_in_both_lists_is_refused(listed):
    write_lists(listed, [*RUN, WALK[0]], [RUN[1].upper(), WALK[1]])
    with pytest.raises(
        ValueError, match=r"v_run_g02_c01.avi is in both .*must not be trained on"
    ):
        make_video_table(listed)


def test_lists_that_fit_no_clip(listed):
    write_lists(listed, ["Jump/a.avi"], ["Jump/b.avi"])
    with pytest.raises(
        ValueError, match=r"No class has clips to train on.*in no list of split 1"
    ):
        make_video_table(listed)


def test_a_class_that_only_the_test_list_names_is_put_aside(listed):
    write_clip(listed / "Jump" / "a.avi", frames=5)
    write_lists(listed, [RUN[0], WALK[0]], [RUN[1], WALK[1], "Jump/a.avi"])
    videos, unreadable = make_video_table(listed)
    assert set(videos["class"]) == {"Run", "Walk"}
    assert reasons_of(unreadable) == {"Jump/a.avi": "its class has no clip to train on"}


def test_lists_that_train_one_class_only(listed):
    write_lists(listed, RUN, WALK)
    with pytest.raises(
        ValueError, match=r"Only one class has clips to train on; .*2 clips were put"
    ):
        make_video_table(listed)


def test_lists_without_a_test_clip(listed):
    write_lists(listed, [*RUN, *WALK], [])
    with pytest.raises(ValueError, match="No clip is left for the test part"):
        make_video_table(listed)


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_lists_that_are_not_utf8_are_named(listed, encoding):
    write_lists(listed, ["Café/a.avi"], [RUN[1]], encoding=encoding)
    with pytest.raises(
        ValueError, match=r"trainlist01\.txt is not in UTF-8: save it as UTF-8"
    ):
        make_video_table(listed)


def test_lists_name_clips_in_groups_folders(tmp_path):
    videos = ["cat/2020/a.avi", "cat/2021/a.avi", "dog/2020/b.avi", "dog/2021/b.avi"]
    for video in videos:
        write_clip(tmp_path / video, frames=1)
    write_lists(tmp_path, videos[::2], videos[1::2])
    table, unreadable = make_video_table(tmp_path)
    assert table["part"].tolist() == ["train", "test"] * 2
    assert unreadable.empty


@needs_ucf101_lists
@pytest.mark.parametrize("split", [1, 2, 3])
@pytest.mark.parametrize("spelling", ["HandstandPushups", "HandStandPushups"])
def test_the_official_lists_fit_both_spellings(tmp_path, split, spelling):
    """The lists write v_HandStandPushups in the folder HandstandPushups; some copies
    differ.
    """
    for path in UCF101_LISTS.glob("*list0?.txt"):
        target = tmp_path / "ucfTrainTestlist" / path.name
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(path.read_bytes())
    for folder, label in (("HandstandPushups", spelling), ("Archery", "Archery")):
        for group in (1, 9, 16, 25):
            name = f"v_{label}_g{group:02}_c01.avi"
            write_clip(tmp_path / "UCF-101" / folder / name, frames=1)
    videos, unreadable = make_video_table(tmp_path, split)
    tested = {1: 1, 2: 9, 3: 16}[split]  # groups 1-7, 8-14 and 15-21 are for testing
    expected = ["test" if group == tested else "train" for group in (1, 9, 16, 25)]
    assert videos["part"].tolist() == expected * 2
    assert set(unreadable["reason"]) == {"named in a list, but not in the folder"}
    assert len(unreadable) == 13320 - 8


# Holding a test part out


def random_clips(seed):
    """A random table of clips: 2 to 6 classes, 2 to 12 groups, any mixture of them."""
    rng = np.random.default_rng(seed)
    size = rng.integers(4, 80)
    classes, groups = rng.integers(2, 7), rng.integers(2, 13)
    table = pd.DataFrame(
        {
            "class": [f"class{number}" for number in rng.integers(classes, size=size)],
            "group": [f"g{number:02}" for number in rng.integers(groups, size=size)],
        }
    )
    return table, rng.uniform(0.1, 0.5)


@pytest.mark.parametrize("seed", range(60))
def test_no_group_on_both_sides_and_no_class_unlearned(seed):
    videos, share = random_clips(seed)
    parts = hold_out(videos, share, seed)
    assert set(parts) <= {"train", "test"}
    if videos["group"].duplicated().any():
        groups = videos["group"]
        assert not set(groups[parts == "train"]) & set(groups[parts == "test"])
    assert set(videos["class"][parts == "train"]) == set(videos["class"])
    assert (parts == hold_out(videos, share, seed)).all()


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5])
def test_whole_groups_are_held_out_in_about_the_share(share):
    videos = pd.DataFrame(
        [
            (label, f"g{group:02}")
            for label in "abc"
            for group in range(10)
            for _ in range(4)
        ],
        columns=["class", "group"],
    )
    test = hold_out(videos, share) == "test"
    assert test.mean() == pytest.approx(share, abs=0.101)
    assert len(set(videos["class"][test].value_counts())) == 1


def test_without_groups_the_share_is_drawn_from_each_class():
    videos = pd.DataFrame({"class": ["a"] * 10 + ["b"] * 4 + ["c"] * 2 + ["d"]})
    videos["group"] = [f"clip{number}" for number in range(len(videos))]
    parts = hold_out(videos, share=0.3)
    held_out = videos["class"][parts == "test"].value_counts().to_dict()
    assert held_out == {"a": 3, "b": 1, "c": 1}


def test_a_class_with_a_single_clip_goes_to_training(tmp_path):
    make_dataset(tmp_path, groups=4, clips=2)
    write_clip(tmp_path / "Jump" / "v_Jump_g01_c01.avi", frames=5)
    for seed in range(10):
        videos, _ = make_video_table(tmp_path, seed=seed)
        assert videos.loc[videos["class"] == "Jump", "part"].tolist() == ["train"]


def test_a_clip_that_cannot_be_read_is_not_counted_when_holding_out(tmp_path):
    for label in ("Run", "Walk"):
        write_clip(tmp_path / label / f"{label}1.avi", frames=2)
        write_clip(tmp_path / label / f"{label}2.avi", frames=2)
    (tmp_path / "Walk" / "Walk3.avi").write_bytes(b"")
    videos, _ = make_video_table(tmp_path)
    assert (
        videos.groupby("class")["part"].agg(sorted).tolist() == [["test", "train"]] * 2
    )


@pytest.mark.parametrize("clips", [4, 1], ids=["of several clips", "of one clip"])
def test_the_seed_decides_which_groups_are_held_out(clips):
    groups = [f"g{group:02}" for group in range(8) for _ in range(clips)]
    videos = pd.DataFrame({"class": list("ab") * 8 * clips, "group": groups * 2})
    if clips == 1:
        videos["group"] = [f"clip{number}" for number in range(len(videos))]
    drawn = {seed: tuple(hold_out(videos, 0.3, seed)) for seed in range(5)}
    assert drawn == {seed: tuple(hold_out(videos, 0.3, seed)) for seed in range(5)}
    assert len(set(drawn.values())) > 1


@pytest.mark.parametrize("seed", range(20))
def test_at_least_one_clip_is_for_testing_where_groups_allow_it(seed):
    """Three classes have one group, so only g3 and g4 can be spared, one at a time."""
    videos = pd.DataFrame(
        [("a", "g0"), ("b", "g1"), ("c", "g2"), ("d", "g3"), ("d", "g4"), ("d", "g4")],
        columns=["class", "group"],
    )
    parts = hold_out(videos, 0.5, seed)
    assert videos["group"][parts == "test"].unique().tolist() in (["g3"], ["g4"])


@pytest.mark.parametrize("seed", range(20))
def test_another_fold_is_tried_where_all_of_the_first_is_needed_for_training(seed):
    """A fold of g0 and g1 would leave class a untrained, and go back; so would g1
    and g2, for b.
    """
    videos = pd.DataFrame({"class": list("aabb"), "group": ["g0", "g1", "g1", "g2"]})
    parts = hold_out(videos, 0.3, seed)
    assert set(videos["group"][parts == "test"]) in (
        {"g0"},
        {"g1"},
        {"g2"},
        {"g0", "g2"},
    )


@pytest.mark.parametrize("share", [0.1, 0.3])
def test_at_least_one_clip_of_each_class_is_for_testing_without_groups(share):
    videos = pd.DataFrame({"class": ["a", "a", "b", "b"], "group": list("1234")})
    parts = hold_out(videos, share)
    assert videos["class"][parts == "test"].tolist() == ["a", "b"]


def test_one_group_for_each_class_leaves_nothing_to_test(tmp_path):
    for number, label in enumerate(("Run", "Walk")):
        for clip in range(2):
            write_clip(
                tmp_path / label / f"v_{label}_g0{number}_c0{clip}.avi", frames=1
            )
    with pytest.raises(
        ValueError, match=r"No clip is left for the test part\. .*two groups or more"
    ):
        make_video_table(tmp_path)
