"""toolbox.clips.clip_table: a folder's clips found, named, grouped, sorted, opened."""

import shutil

from toolbox.clips.clip_table import (
    clip_names,
    find_videos,
    groups_of,
    hold_out,
    look_through,
    make_video_table,
)
from toolbox.clips.listed import finder, path_key, read_lists
from toolbox.store.files import read_csv, write_csv

import numpy as np
import pandas as pd
import pytest
from clips import (
    cut,
    cut_before_frames,
    make_dataset,
    rotate,
    write_clip,
    write_with_pyav,
)


def names_of(*videos):
    """A table of clips as `find_videos` gives it."""
    return pd.DataFrame({"class": [v.split("/")[0] for v in videos], "video": videos})


def write_clips(folder, *videos):
    """Write clips of two frames that differ; returns the folder."""
    for look, video in enumerate(videos):
        write_clip(folder / video, frames=2, look=look)
    return folder


@pytest.mark.parametrize("place", ["", "videos/", "UCF-101/"])
def test_clips_lie_in_class_folders_or_in_a_folder_there_their_group(tmp_path, place):
    videos = ["cat/c.AVI", "cat/2020/a.avi", "cat/2020/b.avi", "cat/2021/a.avi"]
    videos += ["dog/a.avi", "dog/2020/v_dog_g03_c01.avi"]
    hidden = ["cat/._c.avi", ".thumbs/small.avi", "cat/.thumbs/small.avi"]
    write_clips(tmp_path / place, *videos, *hidden)
    (tmp_path / place / "cat" / "notes.txt").write_text("not a video")
    (tmp_path / place / "empty class").mkdir()
    found = find_videos(tmp_path)
    assert found["video"].tolist() == [place + video for video in videos]
    assert found["class"].tolist() == ["cat"] * 4 + ["dog"] * 2
    found["clip"] = clip_names(found)
    assert groups_of(found, True) == ["c", "2020", "2020", "2021", "dog_a", "g03"]
    apart = ["c", "cat_2020", "cat_2020", "cat_2021", "dog_a", "dog_g03"]
    assert groups_of(found, False) == apart


NO_CLASSES = [("a.avi b.avi", "none"), ("Run/a.avi Run/b.avi", "Run")]
NO_CLASSES += [("train/a.avi Test/a.avi", "Test and train")]
NO_CLASSES += [("cat/2024/05/a.avi dog/a.xyz", "cat/2024/05/a.avi")]


@pytest.mark.parametrize(("files", "told"), NO_CLASSES)
def test_without_two_classes_it_is_told_what_was_found(tmp_path, files, told):
    for file in files.split():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    with pytest.raises(ValueError, match=told):
        find_videos(tmp_path)


def test_what_cannot_be_a_clip_is_listed_and_does_not_vanish(tmp_path):
    make_dataset(tmp_path, groups=3, clips=1, frames=1)
    odd = ["Run/2020/May/deep.avi", "Jump/a/b/c.avi", "Run/clip.xyz"]
    odd += ["Run/two\nlines.avi", "Ju\rmp/clip.avi", "Run/caf\udce9.avi"]
    for name in odd:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(tmp_path / "Run" / "v_Run_g01_c01.avi", tmp_path / name)
    (tmp_path / "Run" / "sheet.jpg").write_text("nobody would think it a clip")
    videos, unreadable = make_video_table(tmp_path)
    assert len(videos) == 6
    write_csv(unreadable, tmp_path / "unreadable.csv")
    listed = read_csv(tmp_path / "unreadable.csv").set_index("video")
    assert set(listed.index) == {name.replace("\udce9", "?") for name in odd}
    assert set(listed["class"]) == {"Run", "Jump", "Ju\rmp"}
    assert set(listed.index[listed["reason"].str.contains("too deep")]) == {*odd[:2]}


def test_a_class_may_not_be_called_as_strangers_are(tmp_path):
    names = [f"{label}/{n}.avi" for label in ("ball", "wave") for n in "ab"]
    write_clips(tmp_path, *names, "None of these/a.avi")
    videos, odd = look_through(tmp_path)
    assert videos["video"].tolist() == names
    assert odd["video"].tolist() == ["None of these/a.avi"]
    assert "rename the class's folder" in odd["reason"][0]


def test_without_two_classes_to_train_or_a_clip_to_test_the_reason_is_told(tmp_path):
    folder = write_clips(tmp_path / "one", "Run/a.avi", "Walk/b.avi")
    (folder / "Walk" / "b.avi").write_bytes(b"")
    with pytest.raises(ValueError, match="the file is empty"):
        make_video_table(folder)
    videos = [f"{label}/v_g0{label}_{n}.avi" for label in "12" for n in "ab"]
    with pytest.raises(ValueError, match="left to test on"):
        make_video_table(write_clips(tmp_path / "two", *videos))


ALIKE = ["Run/Clip.avi Walk/clip.avi", "Run/a.avi Run/a.mp4"]
ALIKE += ["Run/a.avi Walk/a.avi Run/Run_a.avi Walk/run_A.avi"]
ALIKE += ["a_b/c.avi a/b_c.avi x/c.avi y/b_c.avi"]
ALIKE += [f"Run/{'走' * 80}.avi Walk/{'走' * 80}.avi"]


@pytest.mark.parametrize("videos", [alike.split() for alike in ALIKE])
def test_names_are_unique_on_any_file_system_and_fit(videos):
    """A lone name stays, and a shared one gets its class."""
    names = clip_names(names_of(*videos, "Run/1.mp4", "Run/dash.mp4", "Walk/1.mp4"))
    assert names[-3:] == ["Run_1", "dash", "Walk_1"]
    assert len({name.casefold() for name in names}) == len(videos) + 3
    assert all(0 < len(name.encode()) <= 180 and "/" not in name for name in names)


def test_groups_come_from_the_file_name():
    names = ["v_Walk_g07_c02", "v_Walk_G7_c02", "v_g0107_c02", "take_g3", "big07_x"]
    videos = names_of(*[f"Walk/{name}.avi" for name in names], "Walk_g05_x/take.avi")
    expected = ["g07", "g07", "g107", "own", "own", "own"]
    assert groups_of(videos.assign(clip="own"), True) == expected


@pytest.mark.parametrize("place", ["", "UCF-101"])
def test_groups_span_classes_except_in_the_layout_of_ucf101(tmp_path, place):
    make_dataset(tmp_path / place, classes="ab", groups=2, clips=1, frames=1)
    span, apart = ["g01", "g02"] * 2, ["a_g01", "a_g02", "b_g01", "b_g02"]
    usual = apart if place else span
    for choice, groups in ((None, usual), (True, span), (False, apart)):
        videos, _ = make_video_table(tmp_path, groups_span_classes=choice)
        assert videos["group"].tolist() == groups


PETS = ["cat/a.avi", "cat/b.avi", "cat/c.avi", "dog/a.avi", "dog/b.avi", "dog/c.avi"]
TOM_AND_007 = dict(zip(PETS, ["tom", "tom", "007", "007", "rex", "rex"], strict=True))
LINES = [f"{video},{group}" for video, group in TOM_AND_007.items()]


@pytest.fixture
def pets(tmp_path):
    return write_clips(tmp_path, *PETS)


def listed_groups(folder, *lines, encoding="utf-8", **settings):
    """The group of each clip, by its path, with these lines in `groups.csv`."""
    (folder / "groups.csv").write_bytes("\n".join(lines).encode(encoding))
    videos, _ = make_video_table(folder, **settings)
    return dict(zip(videos["video"], videos["group"], strict=True))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_groups_are_read_from_groups_csv(pets, separator, encoding, capsys):
    """A path may be in capitals, with backslashes, or there twice."""
    lines = ["video,group", *LINES[1:], *LINES[1:], r".\videos\CAT\a.avi , tom"]
    lines = [line.replace(",", separator) for line in lines]
    assert listed_groups(pets, *lines, encoding=encoding) == TOM_AND_007
    assert "groups.csv" not in capsys.readouterr().out


def test_groups_csv_wins_over_names_and_folders_and_gaps_are_told(tmp_path, capsys):
    groups = {"cat/v_g01_a.avi": "tom", "cat/v_g01_b.avi": "g01", "cat/c.avi": "c"}
    groups |= {"cat/home/a.avi": "tom", "cat/home/b.avi": "home", "dog/d.avi": "NA"}
    lines = ["video,group", "cat/v_g01_a.avi,tom", "cat/home/a.avi,tom", "cat/c.avi,"]
    lines += ["cat/gone.avi,tom", "dog/d.avi,NA"]
    assert listed_groups(write_clips(tmp_path, *groups), *lines) == groups
    told = capsys.readouterr().out
    assert "3 of 6" in told and "cat/gone.avi" in told


CLASHING = ["video,group", "cat/a.avi,tom", r"Cat\A.avi,rex"]
NO_GROUP, LATIN = ["video,name", "cat/a.avi,tom"], ["video,group", "cat/café.avi,tom"]


@pytest.mark.parametrize("lines", [CLASHING, NO_GROUP, LATIN, []])
def test_a_groups_csv_that_cannot_be_used_is_named(pets, lines):
    with pytest.raises(ValueError, match=r"groups\.csv"):
        listed_groups(pets, *lines, encoding="latin-1")


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".hevc.mp4", ".webm", ".MTS"])
def test_the_formats_of_phones_and_browsers_are_read(tmp_path, suffix):
    codec = {".hevc.mp4": "libx265", ".webm": "libvpx-vp9"}.get(suffix, "libx264")
    for look, name in enumerate(("cat/a", "cat/b", "dog/c", "dog/d")):
        write_with_pyav(tmp_path / f"{name}{suffix}", codec, (64, 96), 30, 12, look)
    if suffix == ".mp4":
        rotate(tmp_path / "dog" / "d.mp4", 90)
    videos, unreadable = make_video_table(tmp_path)
    assert unreadable.empty
    facts = videos[["frames", "fps", "width", "height"]].to_numpy().tolist()
    last = [96, 64] if suffix == ".mp4" else [64, 96]  # as it is shown
    assert facts == [[12, 30, 64, 96]] * 3 + [[12, 30, *last]]


def test_clips_that_cannot_be_read_are_listed_and_the_rest_goes_on(tmp_path):
    run = make_dataset(tmp_path, groups=2, clips=1) / "Run"
    (run / "empty.avi").write_bytes(b"")
    cut(write_clip(run / "no_moov.mp4", frames=50), 0.5)
    cut_before_frames(write_clip(run / "no_frames.avi", frames=50))
    (run / "gone.avi").symlink_to(run / "never_was.avi")
    videos, unreadable = make_video_table(tmp_path)
    bad = ["empty.avi", "gone.avi", "no_frames.avi", "no_moov.mp4"]
    assert sorted(unreadable["video"]) == [f"Run/{name}" for name in bad]
    assert (unreadable["reason"] != "").all() and set(unreadable["class"]) == {"Run"}
    facts = videos[["frames", "fps", "width", "height"]].to_numpy().tolist()
    assert facts == [[5, 25, 64, 48]] * 4
    assert videos["part"].value_counts().tolist() == [2, 2]


def test_copies_are_one_group_and_two_labels_are_told(tmp_path, capsys):
    names = [f"{label}/{n}.avi" for label in ("Run", "Walk") for n in "abcd"]
    write_clips(tmp_path, *names)
    for name in names:  # all sizes are the same, contents are not
        copy = tmp_path / name.replace(".avi", " - Copy.avi")
        shutil.copy(tmp_path / name, copy)
    for seed in range(5):
        videos, _ = make_video_table(tmp_path, seed=seed)
        assert len(videos[["group", "part"]].drop_duplicates()) == 8
        assert videos["group"].nunique() == 8 and set(videos["part"]) > {"test"}
    assert "Warning" not in capsys.readouterr().out
    shutil.copy(tmp_path / "Run" / "a.avi", tmp_path / "Walk" / "again.avi")
    make_video_table(tmp_path)
    told = capsys.readouterr().out
    line = next(line for line in told.splitlines() if "labels" in line)
    assert "3 clips" in line and "one of the labels is wrong" in line
    assert "Run/a.avi" in line and "Walk/again.avi" in line


def test_a_copy_on_both_sides_is_told(tmp_path, capsys):
    """Lists, and groups that somebody gave, are kept to."""
    videos = ["Run/a.avi", "Run/b.avi", "Walk/c.avi", "Walk/d.avi"]
    write_clips(tmp_path, *videos)
    shutil.copy(tmp_path / "Run" / "a.avi", tmp_path / "Run" / "b.avi")
    write_lists(tmp_path, videos[::2], videos[1::2])
    make_video_table(tmp_path)
    line = capsys.readouterr().out.splitlines()[-1]
    assert "2 clips" in line and "the test flatters you" in line and "Run/b.avi" in line


PARTS = [("train test", "train test"), ("Training Testing", "train test")]
PARTS += [("train val", "train test"), ("train eval test", "train train test")]
PARTS += [("training_set test_set", "train test"), ("trainval test", "train test")]


@pytest.mark.parametrize(("folders", "parts"), PARTS)
@pytest.mark.parametrize("place", ["", "videos/"])
def test_folders_of_parts_are_used_as_lists_are(tmp_path, folders, parts, place):
    names = [
        f"{f}/{label}/{n}.avi"
        for f in folders.split()
        for label in ("a", "b")
        for n in "12"
    ]
    write_clips(tmp_path, *[place + name for name in names])
    videos, unreadable = make_video_table(tmp_path)
    assert unreadable.empty and set(videos["class"]) == {"a", "b"}
    expected = dict(zip(folders.split(), parts.split(), strict=True))
    above = videos["video"].str.removeprefix(place).str.split("/").str[0]
    assert videos["part"].tolist() == above.map(expected).tolist()


def test_what_lies_beside_parts_and_classes_is_listed(tmp_path):
    names = [
        f"{part}/{label}/{n}.avi"
        for part in ("train", "test")
        for label in "ab"
        for n in "12"
    ]
    loose = ["loose.avi", "test/loose.avi", "unlabelled/x.avi"]
    write_clips(tmp_path, *names, *loose)
    videos, odd = make_video_table(tmp_path)
    assert sorted(videos["video"]) == sorted(names)
    assert sorted(odd["video"]) == sorted(loose)
    assert set(odd["reason"]) == {"it lies in no class's folder"}


def test_links_that_lead_back_end(tmp_path):
    names = ["cat/a.avi", "cat/b.avi", "dog/c.avi", "dog/d.avi"]
    write_clips(tmp_path, *names)
    for name in ("loop", "again"):
        (tmp_path / "cat" / name).symlink_to(tmp_path / "cat")
    assert find_videos(tmp_path)["video"].tolist() == names


def test_a_copy_takes_no_test_clip_from_another_class(tmp_path):
    names = [
        f"{label}/{n}.avi"
        for label, count in zip("abcd", (6, 2, 2, 2), strict=True)
        for n in range(count)
    ]
    write_clips(tmp_path, *names)
    shutil.copy(tmp_path / "a" / "0.avi", tmp_path / "a" / "copy.avi")
    for seed in range(10):
        videos, _ = make_video_table(tmp_path, seed=seed)
        assert set(videos["class"][videos["part"] == "test"]) == set("abcd")
        assert set(videos["class"][videos["part"] == "train"]) == set("abcd")


def test_bins_are_no_classes_and_what_lies_beside_videos_is_listed(tmp_path):
    names = [f"{label}/{n}.avi" for label in ("cat", "dog") for n in "ab"]
    bins = ["#recycle", "@eaDir", "$RECYCLE.BIN", "lost+found", "__MACOSX"]
    write_clips(tmp_path, *names, *(f"{name}/old.avi" for name in bins))
    (tmp_path / "cat" / "@eaDir").mkdir()
    shutil.copy(tmp_path / "cat" / "a.avi", tmp_path / "cat" / "@eaDir" / "a.avi")
    assert find_videos(tmp_path)["video"].tolist() == names
    write_clips(tmp_path / "videos", "2020/a.avi", "2021/b.avi")
    videos, odd = look_through(tmp_path)
    assert videos["class"].tolist() == ["2020", "2021"]
    assert odd["video"].tolist() == names
    assert set(odd["reason"]) == {
        "it lies beside the folder videos, whose classes are used"
    }


@pytest.mark.parametrize("spelled", ["./{}", "/data/UCF-101/{}", "UCF-101/{}", "no"])
@pytest.mark.parametrize("number", [" 1", ",1", ""])
def test_lists_may_spell_clips_otherwise(tmp_path, spelled, number):
    videos = ["Run/a.avi", "Run/b.avi", "Café/c.avi", "Café/d.avi"]
    write_clips(tmp_path, *videos)
    spell = spelled.format if "{" in spelled else lambda video: video[:-4]
    lines = [spell(video) + number for video in videos]
    for part, mine in (("train", lines[::2]), ("test", lines[1::2])):
        (tmp_path / f"{part}list01.txt").write_text("\n".join(mine), encoding="utf-8")
    found, unreadable = make_video_table(tmp_path)
    assert unreadable.empty and len(found) == 4
    assert set(found["video"][found["part"] == "test"]) == set(videos[1::2])


def test_where_no_line_fits_one_is_shown(tmp_path):
    write_clips(tmp_path, "Run/a.avi", "Run/b.avi", "Walk/c.avi", "Walk/d.avi")
    write_lists(tmp_path, ["1.avi"], ["2.avi"])
    with pytest.raises(ValueError, match=r"a line of one is 1\.avi"):
        make_video_table(tmp_path)


def write_lists(folder, train, test, end="\n", encoding="utf-8"):
    """Write a pair of lists, the training one with class numbers as UCF101's."""
    folder.mkdir(parents=True, exist_ok=True)
    for part, lines in (("train", [f"{line} 1" for line in train]), ("test", test)):
        content = "".join(line + end for line in lines).encode(encoding)
        (folder / f"{part}list01.txt").write_bytes(content)


RUN = ["Run/v_Run_g01_c01.avi", "Run/v_Run_g02_c01.avi"]
WALK = ["Walk/v_Walk_g01_c01.avi", "Walk/v_Walk_g02_c01.avi"]
HALVES = [RUN[0], WALK[0]], [RUN[1], WALK[1]]


@pytest.fixture
def listed(tmp_path):
    write_lists(make_dataset(tmp_path, groups=2, clips=1), *HALVES)
    return tmp_path


@pytest.mark.parametrize("end", ["\n", " \r\n", "\n\n"])
def test_lists_decide_the_parts(listed, end):
    write_lists(listed, *HALVES, end, "utf-8-sig")
    videos, unreadable = make_video_table(listed)
    assert videos["part"].tolist() == ["train", "test"] * 2 and unreadable.empty


def test_lists_may_lie_where_ucf101_unpacks_them_or_be_absent(tmp_path):
    (tmp_path / "classInd.txt").write_text("1 Run\n2 Walk\n")
    assert read_lists(tmp_path) is None
    write_lists(tmp_path / "ucfTrainTestlist", ["Long Jump/my clip 2.avi"], ["a/b.avi"])
    expected = {"long jump/my clip 2.avi": "train", "a/b.avi": "test"}
    assert read_lists(tmp_path) == expected
    (tmp_path / "ucfTrainTestlist" / "testlist01.txt").unlink()
    with pytest.raises(FileNotFoundError, match="testlist01"):
        read_lists(tmp_path)


def test_clips_in_one_place_only_and_classes_without_training_are_listed(listed):
    write_clip(listed / "Jump" / "a.avi", frames=5)
    write_clip(listed / "Walk" / "v_Walk_g03_c01.avi", frames=5)
    (listed / RUN[1]).write_bytes(b"")
    tested = [RUN[1], WALK[1], "Jump/a.avi"]
    write_lists(listed, [RUN[0], WALK[0], "Run/v_Run_g09_c01.avi"], tested)
    videos, unreadable = make_video_table(listed)
    assert len(videos) == 3
    odd = ["Jump/a.avi", RUN[1], "Walk/v_Walk_g03_c01.avi", "run/v_run_g09_c01.avi"]
    assert unreadable["video"].tolist() == odd
    assert unreadable["reason"].nunique() == 4


UNUSABLE = [([*RUN, WALK[0]], [RUN[1].upper(), WALK[1]], r"_g02_c01\.avi is in both")]
UNUSABLE += [(["Jump/a.avi"], ["Jump/b.avi"], "classifier"), (RUN, WALK, "classifier")]
UNUSABLE += [
    ([*RUN, *WALK], [], "left to test on"),
    (["Café/a.avi"], RUN, "trainlist01"),
]


@pytest.mark.parametrize(("train", "test", "told"), UNUSABLE)
def test_lists_that_cannot_be_used_are_refused(listed, train, test, told):
    write_lists(listed, train, test, encoding="latin-1")
    with pytest.raises(ValueError, match=told):
        make_video_table(listed)


@pytest.mark.parametrize("seed", range(30))
def test_no_group_on_both_sides_and_no_class_unlearned(seed):
    """Of random tables of clips: 2 to 6 classes, 2 to 12 groups, in any mixture."""
    rng = np.random.default_rng(seed)
    size, *most = rng.integers([4, 2, 2], [80, 7, 13])
    labels, groups = rng.integers(most, size=(size, 2)).astype(str).T
    videos = pd.DataFrame({"class": labels, "group": groups})
    parts = hold_out(videos, rng.uniform(0.1, 0.5), seed)
    assert set(parts) <= {"train", "test"}
    if videos["group"].duplicated().any():
        assert not set(groups[parts == "train"]) & set(groups[parts == "test"])
    assert set(labels[parts == "train"]) == set(labels)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5])
def test_whole_groups_are_held_out_in_about_the_share(share):
    labels, groups = np.repeat(list("abc"), 40), np.tile(np.arange(10), 12)
    test = hold_out(pd.DataFrame({"class": labels, "group": groups}), share) == "test"
    assert test.mean() == pytest.approx(share, abs=0.101)
    assert len(set(np.unique(labels[test], return_counts=True)[1])) == 1


@pytest.mark.parametrize(("share", "most"), [(0.3, 3), (0.1, 1)])
def test_without_groups_each_class_gives_its_share_but_at_least_a_clip(share, most):
    videos = pd.DataFrame({"class": list("aaaaaaaaaabbbbccd"), "group": range(17)})
    held_out = videos["class"][hold_out(videos, share) == "test"].value_counts()
    assert held_out.to_dict() == {"a": most, "b": 1, "c": 1}


@pytest.mark.parametrize("clips", [4, 1])
def test_the_seed_decides_which_groups_are_held_out(clips):
    videos = pd.DataFrame({"class": list("ab") * 16, "group": np.arange(32) // clips})
    tables = [tuple(hold_out(videos, 0.3, seed)) for seed in (0, 1, 2, 3, 4, 0)]
    assert tables[0] == tables[-1] and len(set(tables)) > 1


def test_a_clip_in_both_lists_is_found_however_it_is_spelled(tmp_path):
    videos = ["Run/a.avi", "Run/b.avi", "Walk/c.avi", "Walk/d.avi"]
    write_clips(tmp_path, *videos)
    write_lists(tmp_path, videos[::2], [*videos[1::2], "/data/Run/a"])
    with pytest.raises(
        ValueError, match="in both lists, in one of them as /data/run/a"
    ):
        make_video_table(tmp_path)


SEGMENTS = """video,start,end,class
game1.avi,0,0.4,goal
game1.avi,0.5,1.2,foul
game2.avi,0:00,0:00:00.8,goal
game2.avi,1,"1,5",foul
"""


@pytest.fixture
def matches(tmp_path):
    """Two videos of two seconds in a folder, and a table of their parts."""
    for look, name in enumerate(("game1", "game2")):
        write_clip(tmp_path / "matches" / f"{name}.avi", look=look)
    (tmp_path / "matches" / "segments.csv").write_text(SEGMENTS)
    return tmp_path


def test_parts_of_long_videos_are_clips(matches, capsys):
    videos, unreadable = make_video_table(matches)
    assert unreadable.empty
    parts = ["game1.avi#t=0,0.4", "game1.avi#t=0.5,1.2"]
    parts += ["game2.avi#t=0,0.8", "game2.avi#t=1,1.5"]
    assert videos["video"].tolist() == [f"matches/{part}" for part in parts]
    assert videos["class"].tolist() == ["goal", "foul"] * 2
    names = ["game1_0-0.4", "game1_0.5-1.2", "game2_0-0.8", "game2_1-1.5"]
    assert videos["clip"].tolist() == names
    assert videos["group"].tolist() == ["matches/game1"] * 2 + ["matches/game2"] * 2
    assert sorted(set(videos["part"])) == ["test", "train"]
    assert videos["frames"].tolist() == [10, 18, 20, 13]
    sizes = {(matches / "matches" / f"game{n}.avi").stat().st_size for n in "12"}
    assert set(videos["bytes"]) == sizes
    assert "Warning" not in capsys.readouterr().out


def test_parts_of_videos_and_class_folders_go_together(matches):
    """A video that the table doesn't name is no clip, and makes its folder no class."""
    names = [f"{label}/{n}.avi" for label in ("goal", "foul") for n in "ab"]
    write_clips(matches, *names, "matches/game3.avi")
    videos, unreadable = make_video_table(matches)
    assert len(videos) == 8 and set(videos["class"]) == {"goal", "foul"}
    assert unreadable.to_numpy().tolist() == [
        ["matches/game3.avi", "", "segments.csv, beside it, names no part of it"]
    ]


def test_the_group_of_a_video_may_be_given(matches):
    (matches / "groups.csv").write_text("video,group\nmatches/game1.avi,cup\n")
    folder = matches / "matches"
    (folder / "game2.avi").rename(folder / "game_g07_2.avi")
    (folder / "segments.csv").write_text(SEGMENTS.replace("game2", "game_g07_2"))
    for span in (None, True, False):
        videos, _ = make_video_table(matches, groups_span_classes=span)
        assert videos["group"].tolist() == ["cup", "cup", "g07", "g07"]


def test_lists_and_folders_of_parts_hold_for_parts_of_videos(matches, capsys):
    write_lists(matches, ["matches/game1.avi"], ["game2"])
    videos, unreadable = make_video_table(matches)
    assert unreadable.empty
    assert videos["part"].tolist() == ["train", "train", "test", "test"]
    for file in matches.glob("t*list01.txt"):
        file.unlink()
    for name, part in (("game1", "test"), ("game2", "train")):
        (matches / part).mkdir()
        (matches / "matches" / f"{name}.avi").rename(matches / part / f"{name}.avi")
    (matches / "matches" / "segments.csv").rename(matches / "segments.csv")
    videos, _ = make_video_table(matches)
    assert videos["part"].tolist() == ["test", "test", "train", "train"]
    write_clips(matches, "goal/a.avi", "foul/b.avi")
    capsys.readouterr()
    make_video_table(matches)
    assert "don't count: foul/b.avi lies in none" in capsys.readouterr().out


BORIS = "Media file name,Subject,Behavior,Start (s),Stop (s)"
ELAN = "Video\tBegin Time - msec\tBegin Time - ss.msec\tEnd Time - ss.msec\tAnnotation"
TABLES = [(BORIS, r"D:\films\Matches\GAME1.avi,x,goal,0.500,1.25")]
TABLES += [(ELAN, "game1.avi\t500\t0.5\t1.25\tgoal")]
TABLES += [("CLASS;End;start;video", "goal;0:01,25;0,5;matches/game1.avi")]
TABLES += [("label, file_name, time_start, time_end", "goal, game1, 00:00:00.5, 1.250")]


@pytest.mark.parametrize("place", ["matches", "."])
@pytest.mark.parametrize(("header", "line"), TABLES)
def test_tables_of_annotation_programs_are_read(matches, header, line, place):
    foul = line.replace("goal", "foul").replace("1", "2")
    (matches / "matches" / "segments.csv").unlink()
    table = "\ufeff" + "\r\n".join([header, line, foul, ""])
    (matches / place / "Segments.csv").write_text(table, encoding="utf-8", newline="")
    found = find_videos(matches)
    assert found["class"].tolist() == ["goal", "foul"]
    assert found["video"][0] == "matches/game1.avi#t=0.5,1.25"
    assert found["video"][1].startswith("matches/game2.avi#t=0.5,2.")


BAD = {"game9.avi,1,2,goal": "names no video", "game1.avi,1,,goal": "its times"}
BAD |= {"game1.avi,one,2,goal": "its times", "game1.avi,2,2,goal": "after its start"}
BAD |= {"game1.avi,1,2,": "no class", "game1.avi,0,0.40,foul": "the same part"}
BAD |= {"game1.avi,1,5,1,7,goal": "more cells", ",1,2,goal": "names no video"}
BAD |= {"game1.avi,1,2,None of these": "no class fits"}
BAD |= {"game1.avi,30,31,goal": "begins behind the video's end at 2.0 s"}


def test_what_a_table_of_parts_has_wrong_is_listed_and_the_rest_goes_on(matches):
    file = matches / "matches" / "segments.csv"
    file.write_text(SEGMENTS + "\n".join([*BAD, "", ",,,", ""]))
    videos, unreadable = make_video_table(matches)
    assert len(videos) == 4 and len(unreadable) == len(BAD)
    listed = unreadable["reason"].tolist()
    last = next(reason for reason in listed if "behind" in reason)
    listed.remove(last)  # what was opened comes first
    for (line, reason), told in zip(BAD.items(), [*listed, last], strict=True):
        assert reason in told, line
    assert listed[0].startswith("matches/segments.csv, line 6: ")
    write_csv(unreadable, matches / "unreadable.csv")
    assert read_csv(matches / "unreadable.csv")["video"].iloc[1] == "game9.avi"


@pytest.mark.parametrize("content", [b"video,start,end\n", b"\xff\xfe", b""])
def test_a_table_of_parts_that_cannot_be_used_is_named(matches, content):
    (matches / "matches" / "segments.csv").write_bytes(content)
    with pytest.raises(
        ValueError, match=r"segments\.csv can't be used .* video, start"
    ):
        make_video_table(matches)


def earlier_of(folder, **settings):
    """The table of a folder's clips as it lies on disk."""
    videos, _ = make_video_table(folder, **settings)
    write_csv(videos, folder / "videos.csv")
    return read_csv(folder / "videos.csv")


def test_where_nothing_changed_nothing_is_opened_and_the_table_is_the_same(
    matches, monkeypatch, capsys
):
    write_clips(matches, *[f"goal/v_g0{n}_x.avi" for n in range(1, 6)])
    write_with_pyav(matches / "foul" / "b.mp4", fps=29.97, frames=7)
    earlier = earlier_of(matches, seed=3)
    capsys.readouterr()
    monkeypatch.setattr("toolbox.clips.clip_table.probe", None)
    videos, _ = make_video_table(matches, earlier=earlier)
    assert videos.equals(earlier) and capsys.readouterr().out == ""


def test_recordings_csv_says_what_a_clip_was_made_from(pets, monkeypatch):
    """Also beside a table that was made before; a table of something else is none."""
    file, earlier = pets / "recordings.csv", earlier_of(pets)
    file.write_text("microphone,recordings\nleft,7\n")
    assert "recording" not in make_video_table(pets)[0]
    lines = [f"{video},00{n}" for n, video in enumerate(PETS[:-1])]
    file.write_text("\n".join(["video,recording", *lines, "cow/x.avi,moo", ""]))
    videos, _ = make_video_table(pets)
    said = dict(zip(videos["video"], videos["recording"], strict=True))
    assert said == dict(zip(PETS, ["000", "001", "002", "003", "004", ""], strict=True))
    monkeypatch.setattr("toolbox.clips.clip_table.probe", None)
    assert make_video_table(pets, earlier=earlier)[0].equals(videos)
    write_csv(videos, pets / "videos.csv")
    earlier = read_csv(pets / "videos.csv")
    assert earlier.equals(videos)
    assert make_video_table(pets, earlier=earlier)[0].equals(earlier)


def test_what_is_new_or_changed_is_opened_and_known_clips_keep_their_part(
    tmp_path, capsys
):
    names = [
        f"{c}/{g}{c}/{n}.avi" for c in ("cat", "dog") for g in "pqrs" for n in "12"
    ]
    earlier = earlier_of(write_clips(tmp_path, *names), seed=5)
    capsys.readouterr()
    test = earlier["video"][earlier["part"] == "test"].iloc[0]
    group = test.rpartition("/")[0]
    new = [f"{group}/new.avi", "cat/new/1.avi", "cat/new/2.avi"]
    for look, name in enumerate(new):
        write_clip(tmp_path / name, frames=3, look=100 + look)
    write_clip(tmp_path / names[-1], frames=4, look=200)
    (tmp_path / names[0]).unlink()
    videos, _ = make_video_table(tmp_path, earlier=earlier)
    assert "4/4" in (told := capsys.readouterr().out) and "anew" not in told
    found = videos.set_index("video")
    for name, part in zip(earlier["video"], earlier["part"], strict=True):
        assert name == names[0] or found["part"][name] == part
    assert found["part"][new].tolist() == ["test", "train", "train"]
    assert found["frames"][[*new, names[-1]]].tolist() == [3, 3, 3, 4]
    assert videos["part"].groupby(videos["group"]).nunique().max() == 1


def test_new_groups_are_drawn_among_themselves(tmp_path):
    names = [f"{c}/{g}/{n}.avi" for c in ("cat", "dog") for g in "pqr" for n in "12"]
    earlier = earlier_of(write_clips(tmp_path, *names))
    more = [name.replace("/", "/new_", 1) for name in names]
    write_clips(tmp_path, *[*names, *more][::-1])
    videos, _ = make_video_table(tmp_path, earlier=earlier)
    parts = videos.set_index("video")["part"]
    assert parts[names].tolist() == earlier.set_index("video")["part"][names].tolist()
    assert set(parts[more]) == {"train", "test"}


@pytest.mark.parametrize("change", ["groups.csv", "copy", "no test", "no train"])
def test_a_split_that_no_longer_does_is_drawn_as_for_a_new_folder(
    tmp_path, change, capsys
):
    names = [f"{label}/{n}.avi" for label in ("cat", "dog") for n in "abcd"]
    earlier = earlier_of(write_clips(tmp_path, *names))
    test = earlier["video"][earlier["part"] == "test"].tolist()
    train = [name for name in names if name not in test]
    if change == "groups.csv":
        lines = ["video,group", f"{test[0]},tom", f"{train[0]},tom"]
        (tmp_path / "groups.csv").write_text("\n".join(lines))
    elif change == "copy":
        shutil.copy(tmp_path / test[0], tmp_path / train[0])
    else:
        gone = test if change == "no test" else [n for n in train if "cat" in n]
        for name in gone:
            (tmp_path / name).unlink()
    capsys.readouterr()
    videos, _ = make_video_table(tmp_path, earlier=earlier)
    assert capsys.readouterr().out.count("drawn anew") == 1
    assert videos.equals(make_video_table(tmp_path)[0])


def test_one_group_alone_is_torn_again_and_told_once(tmp_path, capsys):
    names = [f"{label}/v_g01_{n}.avi" for label in ("cat", "dog") for n in "abcd"]
    earlier = earlier_of(write_clips(tmp_path, *names))
    assert "groups with clips in both parts: 1" in capsys.readouterr().out
    assert make_video_table(tmp_path, earlier=earlier)[0].equals(earlier)
    assert "anew" not in capsys.readouterr().out


def test_a_table_without_sizes_keeps_its_split(pets):
    earlier = earlier_of(pets, seed=7).drop(columns="bytes")
    videos, _ = make_video_table(pets, earlier=earlier)
    assert videos.drop(columns="bytes").equals(earlier)


def test_lists_win_over_an_earlier_split(pets):
    earlier = earlier_of(pets)
    write_lists(pets, [*PETS[:2], *PETS[3:5]], [PETS[2], PETS[5]])
    videos, _ = make_video_table(pets, earlier=earlier)
    assert videos["part"].tolist() == ["train", "train", "test"] * 2


def test_folders_of_parts_may_lie_in_classes_folders(tmp_path):
    names = [
        f"{label}/{part}/{n}.avi"
        for label in ("cat", "dog")
        for part in ("test", "train")
        for n in "12"
    ]
    videos, unreadable = make_video_table(write_clips(tmp_path, *names))
    assert unreadable.empty and set(videos["class"]) == {"cat", "dog"}
    assert videos["part"].tolist() == ["test", "test", "train", "train"] * 2
    assert videos["group"].tolist() == videos["clip"].tolist()


def test_folders_of_one_kind_in_classes_folders_are_groups(tmp_path):
    names = [
        f"{c}/test{n}/{k}.avi" for c in ("cat", "dog") for n in "123" for k in "ab"
    ]
    videos, _ = make_video_table(write_clips(tmp_path, *names))
    assert set(videos["group"]) == {"test1", "test2", "test3"}
    assert set(videos["part"]) == {"test", "train"}


def test_folders_of_one_part_alone_are_told(tmp_path, capsys):
    names = [f"{label}/{n}.avi" for label in ("cat", "dog") for n in "abc"]
    write_clips(tmp_path / "one" / "train", *names)
    videos, _ = make_video_table(tmp_path / "one")
    assert "all clips lie in train" in capsys.readouterr().out
    assert set(videos["part"]) == {"test", "train"}
    write_clips(tmp_path / "two" / "Test", *names)
    with pytest.raises(
        ValueError, match="All clips lie in Test: there is no folder tra"
    ):
        make_video_table(tmp_path / "two")


@pytest.mark.parametrize("place", ["VIDEOS", "Videos", "ucf-101"])
def test_places_may_be_in_any_case(tmp_path, place):
    make_dataset(tmp_path / place, classes="ab", groups=2, clips=1, frames=1)
    videos, _ = make_video_table(tmp_path)
    assert set(videos["class"]) == {"a", "b"}
    assert (videos["group"] == "a_g01").any() == (place == "ucf-101")


SPELLED = {"train/cat/a.avi": ["cat/a.avi", "/disk/train/cat/a", "train/cat/a.avi"]}
SPELLED |= {"cat/a.avi": ["train/cat/a.avi", "cat/train/a.avi", "a.avi"]}
SPELLED |= {"cat/train/a.avi": ["cat/a.avi", "x/cat/a"]}


@pytest.mark.parametrize("video", SPELLED)
def test_a_line_may_have_the_folder_of_a_part_or_leave_it_out(video):
    others = [path_key(video.replace("cat", "dog").replace("a.", "b.")), "cow/a.mp4"]
    find = finder([path_key(video), *others])
    for written in SPELLED[video]:
        assert find(written) == video, written
    both = finder(["train/cat/a.avi", "test/cat/a.avi"])
    assert both("cat/a.avi") is None and both("test/cat/a.avi") == "test/cat/a.avi"
    assert finder(["test/cat/a.avi"])("train/cat/a.avi") is None
    assert finder(["run/a.avi"])("jump/a.avi") is None


def test_a_group_in_both_parts_that_were_given_is_told(tmp_path, capsys):
    clips = [f"{label}/v_g0{n}_x.avi" for label in "ab" for n in "12"]
    names = [f"{part}/{clip}" for part in ("train", "test") for clip in clips]
    names[-1] = "test/b/v_g03_x.avi"
    make_video_table(write_clips(tmp_path, *names))
    (line,) = (li for li in capsys.readouterr().out.splitlines() if "Warning" in li)
    assert "groups with clips in both parts: 2" in line
    assert "test/a/v_g01_x.avi and train/a/v_g01_x.avi" in line


@pytest.mark.parametrize("line", ['"{}" 1', "'{}'", '"{} 1"', '"{}","1"'])
def test_lines_of_lists_may_be_in_quotes(tmp_path, line):
    names = [f"{label}/my {n}.avi" for label in ("cat", "dog") for n in "ab"]
    lines = [line.format(name) for name in names]
    write_lists(write_clips(tmp_path, *names), [], lines[1::2])
    (tmp_path / "trainlist01.txt").write_text("\n".join(lines[::2]))
    videos, unreadable = make_video_table(tmp_path)
    assert unreadable.empty and videos["part"].tolist() == ["train", "test"] * 2
