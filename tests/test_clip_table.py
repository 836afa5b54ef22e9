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
from toolbox.clips.listed import read_lists
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
    with pytest.raises(ValueError, match="test part"):
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
UNUSABLE += [([*RUN, *WALK], [], "test part"), (["Café/a.avi"], RUN, "trainlist01")]


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
