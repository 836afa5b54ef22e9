"""toolbox.clips.clip_table: finding, naming, grouping, sorting and opening the clips of
a folder.
"""

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
from toolbox.store.files import read_csv, write_csv

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
    for hidden in (
        "Run/._v_Run_g01_c01.avi",
        ".thumbs/small.avi",
        "Run/.thumbs/small.avi",
    ):
        write_clip(tmp_path / hidden, frames=1)
    (tmp_path / "Run" / "notes.txt").write_text("not a video")
    (tmp_path / "empty class").mkdir()
    found = find_videos(tmp_path)
    assert found["video"].tolist() == [
        "Run/upper.AVI",
        "Run/v_Run_g01_c01.avi",
        "Walk/v_Walk_g01_c01.avi",
    ]


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ([], "none"),
        (["a.avi", "b.avi"], "none"),
        (["Run/a.avi", "Run/b.avi"], "Run"),
        (["train/a.avi", "Test/a.avi"], "Test and train"),
        (["cat/a.xyz", "dog/a.xyz"], "cat/a.xyz"),
        (["cat/2024/05/a.avi", "dog/2024/05/a.avi"], "cat/2024/05/a.avi"),
    ],
)
def test_a_folder_without_two_classes_is_refused_and_what_was_found_is_told(
    tmp_path, files, told
):
    for file in files:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    with pytest.raises(ValueError, match=r"<class>/<video>") as error:
        find_videos(tmp_path)
    assert told in str(error.value)


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
    reasons = reasons_of(unreadable)
    odd = {"Run/labels.json", "Run/Thumbs.db"}
    deep = {"Run/2020/May/deep.avi", "Jump/a/b/c.avi"}
    assert set(reasons) - odd == deep | {"Run/clip.xyz", "Run/clip"}
    assert {video for video, reason in reasons.items() if "too deep" in reason} == deep
    assert set(unreadable["class"]) == {"Run", "Jump"}
    assert len(videos) == 6


@pytest.mark.parametrize("odd", ["\n", "\r", "\r\n", "\udce9"], ids=ascii)
def test_names_with_line_breaks_or_outside_unicode_are_listed_and_survive_the_csv(
    tmp_path, odd
):
    make_dataset(tmp_path, groups=3, clips=1, frames=1)
    clip = write_clip(tmp_path / "clip.avi", frames=1)
    try:
        shutil.copy(clip, tmp_path / "Run" / f"two{odd}lines.avi")
        (tmp_path / f"Ju{odd}mp").mkdir()
        shutil.copy(clip, tmp_path / f"Ju{odd}mp")
    except OSError:
        pytest.skip("this file system takes no such names")
    videos, unreadable = make_video_table(tmp_path)
    assert len(videos) == 6
    write_csv(unreadable, tmp_path / "unreadable.csv")
    shown = odd.replace("\udce9", "?")
    names = read_csv(tmp_path / "unreadable.csv")["video"].tolist()
    assert sorted(names) == [f"Ju{shown}mp/clip.avi", f"Run/two{shown}lines.avi"]


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
    assert unreadable[["video", "class"]].to_numpy().tolist() == [["Run", "Run"]]


@pytest.mark.parametrize(
    "classes", [("Run", "Walk"), ("Walk",)], ids=["all", "of a class"]
)
def test_without_readable_clips_of_two_classes_the_first_reason_is_told(
    tmp_path, classes
):
    make_dataset(tmp_path, groups=1, clips=1)
    for label in classes:
        (tmp_path / label / f"v_{label}_g01_c01.avi").write_bytes(b"")
    with pytest.raises(ValueError, match="the file is empty"):
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
    lines += lines[1:]  # a clip may be named twice with the same group
    assert listed_groups(pets, *lines, encoding=encoding) == TOM_AND_007
    assert told_of_groups(capsys) == []


def test_a_path_in_groups_csv_may_be_spelled_in_other_ways(pets, capsys):
    decomposed = "dog/cafe\N{COMBINING ACUTE ACCENT}.avi"
    write_clip(pets / decomposed, frames=2, look=9)
    groups = listed_groups(
        pets,
        "Group , VIDEO,note",
        "tom,CAT/A.AVI,",
        'tom,videos/cat/b.avi,"asleep, mostly"',
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
    (line,) = told_of_groups(capsys)
    assert "5 of 7" in line


def test_lines_of_groups_csv_that_name_no_clip_are_told(pets, capsys):
    lines = [",".join(pair) for pair in TOM_AND_007.items()]
    groups = listed_groups(
        pets, "video,group", "cat/gone.avi,tom", *lines, "pets/cat/a.avi,rex"
    )
    assert groups == TOM_AND_007
    (line,) = told_of_groups(capsys)
    assert "2" in line and "cat/gone.avi" in line


@pytest.mark.parametrize(
    "lines",
    [
        ["video,group", "cat/a.avi,tom", r"Cat\A.avi,rex"],
        ["video,name", "cat/a.avi,tom"],
        ["cat/a.avi,tom", "cat/b.avi,tom"],
        [],
        ["video,group", "cat/café.avi,tom"],
    ],
    ids=["two groups", "another column", "no header", "empty", "Latin-1"],
)
def test_a_groups_csv_that_cannot_be_used_is_named(pets, lines):
    with pytest.raises(ValueError, match=r"groups\.csv"):
        listed_groups(pets, *lines, encoding="latin-1")


@pytest.mark.parametrize("group", ["NA", "None", "nan", "null", "007", "1.0"])
def test_a_group_may_have_any_name(pets, group):
    assert (
        listed_groups(pets, "video,group", f"cat/a.avi,{group}")["cat/a.avi"] == group
    )


# Opening clips


FORMATS = [
    (".mp4", "libx264"),
    (".mov", "libx264"),
    (".mkv", "libx264"),
    (".mp4", "libx265"),
    (".webm", "libvpx-vp9"),
    (".MTS", "libx264"),
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


@pytest.mark.parametrize(
    ("degrees", "size", "corner"),
    [(90, [64, 96], (0, -1)), (180, [96, 64], (-1, -1)), (270, [64, 96], (-1, 0))],
)
def test_a_clip_with_a_rotation_is_as_wide_and_high_as_it_is_shown(
    tmp_path, degrees, size, corner
):
    """A light in the corner at the top left, and where a turn clockwise puts it."""
    frame = np.zeros((64, 96, 3), np.uint8)
    frame[:32, :32] = 255
    for label in ("cat", "dog"):
        for name in "ab":
            clip = tmp_path / label / f"{label}{name}.mov"
            rotate(write_with_pyav(clip, size=(96, 64), frames=[frame] * 5), degrees)
    videos, _ = make_video_table(tmp_path)
    assert videos[["width", "height"]].to_numpy().tolist() == [size] * 4
    shown = read_all(tmp_path / videos["video"][0])[0][..., 0]
    assert shown[corner] > 200
    assert (shown > 200).mean() == pytest.approx(1 / 6, abs=0.02)


def test_clips_that_cannot_be_read_are_listed_and_the_rest_goes_on(tmp_path):
    make_dataset(tmp_path, groups=2, clips=2)
    run = tmp_path / "Run"
    (run / "empty.avi").write_bytes(b"")
    (run / "page.avi").write_text("<html>404 Not Found</html>\n" * 100)
    cut(write_clip(run / "no_moov.mp4", frames=50), 0.5)
    cut_before_frames(write_clip(run / "no_frames.avi", frames=50))
    (run / "gone.avi").symlink_to(run / "never_was.avi")
    videos, unreadable = make_video_table(tmp_path)
    bad = ["empty.avi", "gone.avi", "no_frames.avi", "no_moov.mp4", "page.avi"]
    assert sorted(unreadable["video"]) == [f"Run/{name}" for name in bad]
    assert (unreadable["reason"] != "").all()
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
    assert "3 clips" in line and "Run/v_Run_g02_c01" in line
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


def test_lists_may_lie_where_ucf101_unpacks_them_or_be_absent(tmp_path):
    (tmp_path / "classInd.txt").write_text("1 Run\n2 Walk\n")
    assert read_lists(tmp_path) is None
    write_lists(
        tmp_path / "ucfTrainTestlist",
        ["Long Jump/my clip 2.avi"],
        ["Long Jump/clip 3.avi"],
    )
    expected = {"long jump/my clip 2.avi": "train", "long jump/clip 3.avi": "test"}
    assert read_lists(tmp_path) == expected


@pytest.mark.parametrize(
    ("newline", "encoding"),
    [("\r\n", "utf-8"), ("\n\n", "utf-8"), (" \r\n", "utf-8-sig")],
)
def test_line_ends_and_byte_order_marks_do_not_matter(listed, newline, encoding):
    write_lists(
        listed, [RUN[0], WALK[0]], [RUN[1], WALK[1]], newline=newline, encoding=encoding
    )
    videos, unreadable = make_video_table(listed)
    assert videos["part"].tolist() == ["train", "test", "train", "test"]
    assert unreadable.empty


def test_clips_in_a_list_only_or_on_disk_only_are_listed(listed):
    write_clip(listed / "Walk" / "v_Walk_g03_c01.avi", frames=5)
    (listed / RUN[1]).write_bytes(b"")
    write_lists(listed, [*RUN[:1], WALK[0], "Run/v_Run_g09_c01.avi"], [RUN[1], WALK[1]])
    videos, unreadable = make_video_table(listed)
    assert len(videos) == 3
    odd = ["Run/v_Run_g02_c01.avi", "Walk/v_Walk_g03_c01.avi", "run/v_run_g09_c01.avi"]
    assert unreadable["video"].tolist() == odd
    assert unreadable["reason"].nunique() == 3


@pytest.mark.parametrize(
    ("split", "file"), [(4, "trainlist04.txt"), (1, "testlist01.txt")]
)
def test_a_split_that_is_not_there_or_not_whole(listed, split, file):
    (listed / "testlist01.txt").unlink()
    with pytest.raises(FileNotFoundError, match=file):
        make_video_table(listed, split)


def test_a_clip_in_both_lists_is_refused(listed):
    write_lists(listed, [*RUN, WALK[0]], [RUN[1].upper(), WALK[1]])
    with pytest.raises(ValueError, match=r"v_run_g02_c01\.avi is in both"):
        make_video_table(listed)


@pytest.mark.parametrize(
    ("train", "test"),
    [(["Jump/a.avi"], ["Jump/b.avi"]), (RUN, WALK), ([*RUN, *WALK], [])],
    ids=["no clip", "one class trained on", "no test clip"],
)
def test_lists_that_leave_too_little_are_refused(listed, train, test):
    write_lists(listed, train, test)
    with pytest.raises(ValueError, match="clip"):
        make_video_table(listed)


def test_a_class_that_only_the_test_list_names_is_put_aside(listed):
    write_clip(listed / "Jump" / "a.avi", frames=5)
    write_lists(listed, [RUN[0], WALK[0]], [RUN[1], WALK[1], "Jump/a.avi"])
    videos, unreadable = make_video_table(listed)
    assert set(videos["class"]) == {"Run", "Walk"}
    assert unreadable["video"].tolist() == ["Jump/a.avi"]


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_lists_that_are_not_utf8_are_named(listed, encoding):
    write_lists(listed, ["Café/a.avi"], [RUN[1]], encoding=encoding)
    with pytest.raises(ValueError, match=r"trainlist01\.txt is not in UTF-8"):
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


@pytest.mark.parametrize("seed", range(30))
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


@pytest.mark.parametrize(("share", "most"), [(0.3, 3), (0.1, 1)])
def test_without_groups_the_share_is_drawn_from_each_class_but_at_least_a_clip(
    share, most
):
    videos = pd.DataFrame({"class": ["a"] * 10 + ["b"] * 4 + ["c"] * 2 + ["d"]})
    videos["group"] = [f"clip{number}" for number in range(len(videos))]
    parts = hold_out(videos, share)
    held_out = videos["class"][parts == "test"].value_counts().to_dict()
    assert held_out == {"a": most, "b": 1, "c": 1}


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


@pytest.mark.parametrize("seed", range(10))
def test_at_least_one_clip_is_for_testing_where_groups_allow_it(seed):
    """Three classes have one group, so only g3 and g4 can be spared, one at a time."""
    videos = pd.DataFrame(
        [("a", "g0"), ("b", "g1"), ("c", "g2"), ("d", "g3"), ("d", "g4"), ("d", "g4")],
        columns=["class", "group"],
    )
    parts = hold_out(videos, 0.5, seed)
    assert videos["group"][parts == "test"].unique().tolist() in (["g3"], ["g4"])


@pytest.mark.parametrize("seed", range(10))
def test_another_fold_is_tried_where_all_of_the_first_is_needed_for_training(seed):
    """A fold of g0 and g1 would leave class a untrained, and go back; so would g1 and
    g2, for b.
    """
    videos = pd.DataFrame({"class": list("aabb"), "group": ["g0", "g1", "g1", "g2"]})
    parts = hold_out(videos, 0.3, seed)
    assert set(videos["group"][parts == "test"]) in (
        {"g0"},
        {"g1"},
        {"g2"},
        {"g0", "g2"},
    )


def test_one_group_for_each_class_leaves_nothing_to_test(tmp_path):
    for number, label in enumerate(("Run", "Walk")):
        for clip in range(2):
            write_clip(
                tmp_path / label / f"v_{label}_g0{number}_c0{clip}.avi", frames=1
            )
    with pytest.raises(ValueError, match="test part"):
        make_video_table(tmp_path)
