"""Notebook 00: finding, naming, sorting and opening clips."""

import base64
import io
import threading
import time

import numpy as np
import pandas as pd
import pytest
from clips import (
    UCF101_CLIPS,
    UCF101_LISTS,
    cut,
    cut_before_frames,
    make_dataset,
    needs_ucf101_clips,
    needs_ucf101_lists,
    write_clip,
)
from PIL import Image

from framevote.videos import (
    animate,
    clip_names,
    find_videos,
    groups_of,
    hold_out,
    in_threads,
    make_video_table,
    open_dataset,
    probe,
    read_lists,
    sample_frames,
    whole_file,
    write_csv,
)


def names_of(*videos):
    """A table of clips as `find_videos` gives it."""
    return pd.DataFrame({"class": [v.split("/")[0] for v in videos], "video": videos})


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
    with pytest.raises(FileNotFoundError, match=r"no folder .*nowhere.*Check the path in DATASET"):
        open_dataset(tmp_path / "nowhere", course=tmp_path)


@pytest.mark.parametrize(("name", "advice"), [("mocap", "git checkout"), ("ucf101", "Notebook 00")])
def test_a_missing_built_in_dataset_comes_with_advice(tmp_path, name, advice):
    with pytest.raises(FileNotFoundError, match=advice):
        open_dataset(name, course=tmp_path)


def test_a_file_is_not_a_dataset(tmp_path):
    clip = write_clip(tmp_path / "clip.avi", frames=2)
    with pytest.raises(NotADirectoryError, match=r"is a file.*one folder of videos for each class"):
        open_dataset(clip, course=tmp_path)


def test_another_folder_of_the_same_name_is_refused(tmp_path):
    for parent in ("first", "second"):
        (tmp_path / parent / "mine").mkdir(parents=True)
    first = open_dataset(tmp_path / "first" / "mine", course=tmp_path)
    first.data.mkdir(parents=True)
    (first.data / "source.txt").write_text(str(first.folder), encoding="utf-8")
    assert open_dataset(tmp_path / "first" / "mine", course=tmp_path) == first
    with pytest.raises(ValueError, match=r"what was made of .*first.* Rename .*second.* or delete"):
        open_dataset(tmp_path / "second" / "mine", course=tmp_path)


# Finding clips


@pytest.mark.parametrize("place", [".", "videos", "UCF-101"])
def test_clips_are_found_in_class_folders(tmp_path, place):
    make_dataset(tmp_path / place, groups=1, clips=2, frames=1)
    found = find_videos(tmp_path)
    assert found["class"].tolist() == ["Run", "Run", "Walk", "Walk"]
    assert (tmp_path / found["video"][0]).samefile(tmp_path / place / "Run" / "v_Run_g01_c01.avi")


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


def test_a_class_left_with_no_readable_clip(tmp_path):
    make_dataset(tmp_path, groups=1, clips=1)
    (tmp_path / "Walk" / "v_Walk_g01_c01.avi").write_bytes(b"")
    with pytest.raises(ValueError, match=r"Only 1 class .*1 clips .*the file is empty"):
        make_video_table(tmp_path)


def test_all_clips_unreadable(tmp_path):
    for label in ("Run", "Walk"):
        (tmp_path / label).mkdir()
        (tmp_path / label / "page.avi").write_text("<html>404 Not Found</html>")
    with pytest.raises(ValueError, match=r"Only 0 class.*2 clips .*not a video"):
        make_video_table(tmp_path)


# Naming clips


def test_a_lone_name_stays_and_a_shared_one_gets_its_class():
    videos = names_of("Run/1.mp4", "Run/dash.mp4", "Walk/1.mp4")
    assert clip_names(videos) == ["Run_1", "dash", "Walk_1"]


NASTY = {
    "differ in case": ["Run/Clip.avi", "Walk/clip.avi", "Jump/CLIP.avi"],
    "differ in type": ["Run/a.avi", "Run/a.mp4", "Run/a.mov"],
    "look like made names": ["Run/a.avi", "Walk/a.avi", "Run/Run_a.avi", "Walk/run_A.avi"],
    "classes that end alike": ["a_b/c.avi", "a/b_c.avi", "x/c.avi", "y/b_c.avi"],
    "long": ["Run/" + "x" * 250 + ".avi", "Run/" + "x" * 249 + "y.avi", "W/" + "x" * 250 + ".avi"],
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
    assert groups_of(names_of(video).assign(clip="own")) == [group]


@pytest.mark.parametrize(
    ("classes", "names"),
    [(("1", "2"), ("007", "010")), (("None", "NA"), ("null", "nan")), (("True", "False"), "12")],
)
def test_names_that_look_like_values_survive_the_csv(tmp_path, classes, names):
    from framevote.videos import read_csv

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


# Opening clips


def test_clips_that_cannot_be_read_are_listed_and_the_rest_goes_on(tmp_path):
    make_dataset(tmp_path, groups=2, clips=2)
    run = tmp_path / "Run"
    (run / "empty.avi").write_bytes(b"")
    (run / "page.avi").write_text("<html>404 Not Found</html>\n" * 100)
    cut(write_clip(run / "no_moov.mp4", frames=50), 0.5)
    cut_before_frames(write_clip(run / "no_frames.avi", frames=50))
    (run / "folder.avi").mkdir()
    (run / "gone.avi").symlink_to(run / "never_was.avi")
    videos, unreadable = make_video_table(tmp_path)
    assert dict(zip(unreadable["video"], unreadable["reason"], strict=True)) == {
        "Run/empty.avi": "the file is empty",
        "Run/folder.avi": "not a video that OpenCV can open",
        "Run/gone.avi": "the file is missing",
        "Run/no_frames.avi": "no frame can be decoded",
        "Run/no_moov.mp4": "not a video that OpenCV can open",
        "Run/page.avi": "not a video that OpenCV can open",
    }
    assert set(unreadable["class"]) == {"Run"}
    assert len(videos) == 8
    assert videos[["frames", "fps", "width", "height"]].drop_duplicates().to_dict("split")[
        "data"
    ] == [[5, 25.0, 64, 48]]


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("one_frame.avi", {"frames": 1}),
        ("tiny.avi", {"frames": 30, "size": (8, 8)}),
        ("tiny.mp4", {"frames": 30, "size": (8, 8)}),
        ("4k.avi", {"frames": 3, "size": (3840, 2160)}),
        ("portrait.mp4", {"frames": 10, "size": (48, 80)}),
        ("grey.avi", {"frames": 10, "colour": False}),
        ("slow.avi", {"frames": 10, "fps": 5}),
    ],
)
def test_probe_tells_what_was_written(tmp_path, name, settings):
    width, height = settings.get("size", (64, 48))
    assert probe(write_clip(tmp_path / name, **settings)) == {
        "frames": settings["frames"],
        "fps": settings.get("fps", 25),
        "width": width,
        "height": height,
    }


@needs_ucf101_clips
def test_probe_on_clips_of_ucf101():
    found = {path.name: probe(path) for path in UCF101_CLIPS.glob("*.avi")}
    assert {name.split("_")[1]: facts["frames"] for name, facts in found.items()} == {
        "ApplyEyeMakeup": 164,
        "BaseballPitch": 107,
        "Biking": 201,
        "Punch": 108,
    }
    assert sorted(round(facts["fps"], 2) for facts in found.values()) == [25, 25, 29.97, 29.97]
    assert {(facts["width"], facts["height"]) for facts in found.values()} == {(320, 240)}


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
    """A dataset of two classes with two clips each, and lists that put group 1 into training."""
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
    write_lists(listed, [RUN[0], WALK[0]], [RUN[1], WALK[1]], newline=newline, encoding=encoding)
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
    listing = unreadable.assign(video=unreadable["video"].str.casefold()).to_dict("records")
    assert [(row["video"], row["reason"]) for row in listing] == [
        ("walk/v_walk_g03_c01.avi", "in no list of split 1"),
        ("run/v_run_g09_c01.avi", "named in a list, but not in the folder"),
    ]


def test_an_unreadable_clip_of_a_list_is_listed_once(listed):
    (listed / RUN[0]).write_bytes(b"")
    videos, unreadable = make_video_table(listed)
    assert len(videos) == 3
    assert unreadable.to_dict("records") == [
        {"video": RUN[0], "class": "Run", "reason": "the file is empty"}
    ]


def test_a_split_that_is_not_there(listed):
    with pytest.raises(FileNotFoundError, match=r"lacks trainlist04.txt.* Set OFFICIAL_SPLIT"):
        make_video_table(listed, split=4)


def test_half_a_pair_of_lists(listed):
    (listed / "testlist01.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"lacks testlist01\.txt"):
        make_video_table(listed)


def test_a_clip_in_both_lists_is_refused(listed):
    write_lists(listed, [*RUN, WALK[0]], [RUN[1].upper(), WALK[1]])
    with pytest.raises(ValueError, match=r"v_run_g02_c01.avi is in both .*must not be trained on"):
        make_video_table(listed)


def test_lists_that_fit_no_clip(listed):
    write_lists(listed, ["Jump/a.avi"], ["Jump/b.avi"])
    with pytest.raises(ValueError, match=r"Only 0 class.*in no list of split 1"):
        make_video_table(listed)


@needs_ucf101_lists
@pytest.mark.parametrize("split", [1, 2, 3])
@pytest.mark.parametrize("spelling", ["HandstandPushups", "HandStandPushups"])
def test_the_official_lists_fit_both_spellings(tmp_path, split, spelling):
    """The lists write v_HandStandPushups in the folder HandstandPushups; some copies differ."""
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
        [(label, f"g{group:02}") for label in "abc" for group in range(10) for _ in range(4)],
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
    assert videos.groupby("class")["part"].agg(sorted).tolist() == [["test", "train"]] * 2


# Looking at clips


def test_sample_frames_are_spread_from_first_to_last(tmp_path):
    clip = write_clip(tmp_path / "clip.avi", frames=21)
    everything = sample_frames(clip, 21)
    assert len(everything) == 21
    five = sample_frames(clip, 5)
    for frame, index in zip(five, (0, 5, 10, 15, 20), strict=True):
        assert np.array_equal(frame, everything[index])


def test_sample_frames_of_a_clip_cut_off_are_fewer(tmp_path):
    clip = cut(write_clip(tmp_path / "clip.avi", frames=50), 0.6)
    assert 0 < len(sample_frames(clip, 10)) < 10


def test_an_animation_of_clips_of_any_size(tmp_path):
    sizes = [(8, 8), (48, 80), (640, 360)]
    clips = [
        sample_frames(write_clip(tmp_path / f"{w}x{h}.avi", 6, size=(w, h)), count)
        for count, (w, h) in zip((1, 3, 6), sizes, strict=True)
    ]
    page = animate(clips, ["<tiny>", "portrait", "wide"], columns=2).data
    assert "&lt;tiny&gt;" in page
    picture = Image.open(io.BytesIO(base64.b64decode(page.split("base64,")[1].split('"')[0])))
    assert picture.n_frames == 6
    assert picture.width == 2 * 128


# Whole files


def test_a_file_appears_only_when_it_is_complete(tmp_path):
    target = tmp_path / "new" / "file.txt"
    with whole_file(target) as temporary:
        temporary.write_text("complete")
        assert not target.exists()
    assert files_in(target.parent) == {"file.txt": "complete"}


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path, error):
    target = tmp_path / "file.txt"
    target.write_text("old")
    with pytest.raises(error), whole_file(target) as temporary:
        temporary.write_text("half of the n")
        raise error
    assert files_in(tmp_path) == {"file.txt": "old"}


def test_write_csv_keeps_names_as_they_are(tmp_path):
    table = pd.DataFrame({"video": ["a,b.avi", 'say "hi".avi', "走.avi", "100%.avi"]})
    write_csv(table, tmp_path / "table.csv")
    assert pd.read_csv(tmp_path / "table.csv", encoding="utf-8").equals(table)


def files_in(folder):
    """The text of each file of a folder, by name."""
    return {path.name: path.read_text() for path in folder.iterdir()}


# Threads


def test_results_come_in_order():
    pauses = np.random.default_rng(0).uniform(0, 0.01, 40)

    def nap(index):
        time.sleep(pauses[index])
        return index

    assert list(in_threads(nap, range(40), threads=4)) == list(range(40))


def test_no_items_no_results():
    assert list(in_threads(str, [])) == []


@pytest.mark.parametrize(("threads", "ahead"), [(1, 1), (2, 3), (4, 4)])
def test_only_so_many_items_are_taken_ahead(threads, ahead):
    taken = 0

    def items():
        nonlocal taken
        for item in range(100):
            taken += 1
            yield item

    for received, _ in enumerate(in_threads(abs, items(), threads, ahead)):
        assert taken - received <= threads * ahead
    assert taken == 100


def test_an_error_comes_through_and_stops_the_work():
    computed = []

    def fragile(item):
        computed.append(item)
        if item == 5:
            raise ValueError("item 5 is bad")
        return item

    results = in_threads(fragile, range(1000), threads=2)
    received = []
    with pytest.raises(ValueError, match="item 5 is bad"):
        received.extend(results)
    assert received == [0, 1, 2, 3, 4]
    assert len(computed) < 20


def test_leaving_early_does_not_hang():
    finished = threading.Event()

    def leave():
        results = in_threads(lambda item: item, iter(int, 1), threads=2)  # endless
        next(results)
        results.close()
        finished.set()

    threading.Thread(target=leave, daemon=True).start()
    assert finished.wait(30)
