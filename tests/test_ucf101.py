"""Fetching UCF101, all of it or a part, from a real web server."""

import hashlib
import io
import os
import shutil
import subprocess
import sys
import zipfile
from collections import Counter

from toolbox.clips.clip_table import make_video_table, read_lists
from toolbox.clips.ucf101 import (
    choose_classes,
    choose_clips,
    choose_groups,
    fetch_ucf101,
    listed_clips,
)
from toolbox.store.files import read_csv

import numpy as np
import pytest
from clips import (
    COURSE,
    UCF101_LISTS,
    kill_when,
    needs_ucf101_lists,
    start_python,
    write_clip,
)
from loopback import serving

CLASSES = ("Archery", "Basketball", "HandstandPushups", "Punch")
TEST_GROUPS = {
    1: range(1, 8),
    2: range(8, 15),
    3: range(15, 22),
}  # of the official splits
FIRST_TWO = [f"{label}/v_{label}_g20_c01.avi" for label in ("Archery", "Basketball")]


@pytest.fixture
def server():
    with serving() as running:
        yield running


def zip_of(contents):
    """The bytes of a zip of contents by name."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def offer_ucf101(server, contents, monkeypatch):
    """Serve clips, by "class/file", as UCF101's zips hold them: videos flat, by other
    spellings.
    """
    videos = {
        f"UCF101/{clip.split('/')[1]}": content for clip, content in contents.items()
    }
    clips = sorted(clip.replace("v_Handstand", "v_HandStand") for clip in contents)
    classes = sorted({clip.split("/")[0] for clip in clips})
    texts = {
        "classInd": [f"{number} {label}" for number, label in enumerate(classes, 1)]
    }
    for split, groups in TEST_GROUPS.items():
        tested = [clip for clip in clips if int(clip.rsplit("_g")[1][:2]) in groups]
        trained = sorted({*clips} - {*tested})
        numbers = [classes.index(clip.split("/")[0]) + 1 for clip in trained]
        texts[f"testlist0{split}"] = tested
        texts[f"trainlist0{split}"] = [
            f"{c} {n}" for c, n in zip(trained, numbers, strict=True)
        ]
    lists = zip_of(
        {f"ucfTrainTestlist/{n}.txt": "\r\n".join([*t, ""]) for n, t in texts.items()}
    )
    digest = hashlib.sha256(lists).hexdigest()
    monkeypatch.setenv(
        "FRAMEVOTE_UCF101_VIDEOS", server.offer("/videos.zip", zip_of(videos))
    )
    monkeypatch.setenv(
        "FRAMEVOTE_UCF101_LISTS", f"{server.offer('/lists.zip', lists)} {digest}"
    )


@pytest.fixture
def contents():
    """Made-up content of 100 clips of UCF101: four classes, 25 groups, about 3 MB."""
    rng = np.random.default_rng(1)
    return {
        f"{label}/v_{label}_g{group:02}_c01.avi": rng.bytes(
            rng.integers(25_000, 35_000)
        )
        for label in CLASSES
        for group in range(1, 26)
    }


@pytest.fixture(autouse=True)
def ucf101(server, contents, monkeypatch):
    """A pocket-size UCF101 on the server."""
    offer_ucf101(server, contents, monkeypatch)


def clips_in(folder):
    """Content of the clips in folder/UCF-101, by "class/file"."""
    home = folder / "UCF-101"
    return {
        f"{file.parent.name}/{file.name}": file.read_bytes()
        for file in home.rglob("*")
        if file.is_file()
    }


# A part and all


def test_some_clips_are_fetched_without_the_rest(server, contents, tmp_path):
    fetch_ucf101(tmp_path, ["archery", "PUNCH"], [3, 20])
    chosen = [
        f"{label}/v_{label}_g{n:02}_c01.avi"
        for label in ("Archery", "Punch")
        for n in (3, 20)
    ]
    assert clips_in(tmp_path) == {clip: contents[clip] for clip in chosen}
    assert server.sent < 0.3 * len(server.files["/videos.zip"])
    assert len(listed_clips(tmp_path)) == len(contents)


def test_all_of_it_and_what_is_there_is_not_fetched_again(
    server, contents, tmp_path, capsys
):
    fetch_ucf101(tmp_path, 2, [3, 20])
    first = len(server.log)
    fetch_ucf101(tmp_path, 2, [3, 20])
    assert len(server.log) == first
    kept = tmp_path / "UCF-101" / "Archery" / "v_Archery_g03_c01.avi"
    kept.write_bytes(b"mine")
    fetch_ucf101(tmp_path, None)
    assert clips_in(tmp_path) == contents | {"Archery/v_Archery_g03_c01.avi": b"mine"}
    assert "100 of 100" in capsys.readouterr().out
    files = [file.name for file in tmp_path.rglob("*") if file.is_file()]
    assert not [name for name in files if "partial" in name or "zip" in name]


def test_the_class_whose_files_are_spelled_otherwise_fits_its_lists(tmp_path):
    fetch_ucf101(tmp_path, ["Archery", "HandstandPushups"], 4)
    clips = clips_in(tmp_path)
    assert "HandstandPushups/v_HandstandPushups_g01_c01.avi" in clips
    for split in TEST_GROUPS:
        part_of = read_lists(tmp_path, split)
        assert Counter(part_of[clip.casefold()] for clip in clips) == {
            "test": 2,
            "train": 6,
        }


def test_a_clip_that_the_zip_lacks_is_told_and_not_asked_for_again(
    server, contents, monkeypatch, tmp_path, capsys
):
    lists = server.files["/lists.zip"], os.environ["FRAMEVOTE_UCF101_LISTS"]
    del contents["Archery/v_Archery_g05_c01.avi"]
    offer_ucf101(server, contents, monkeypatch)
    server.files["/lists.zip"] = lists[0]
    monkeypatch.setenv("FRAMEVOTE_UCF101_LISTS", lists[1])
    fetch_ucf101(tmp_path, None)
    assert clips_in(tmp_path) == contents
    requests_made = len(server.log)
    for classes in (None, 2):
        capsys.readouterr()
        fetch_ucf101(tmp_path, classes)
        assert "Archery/v_Archery_g05_c01.avi" in capsys.readouterr().out
    assert len(server.log) == requests_made


@pytest.mark.parametrize("lists", ["ucfTrainTestlist", "."])
def test_what_was_unpacked_by_hand_is_used_as_it_is(server, tmp_path, lists):
    clip = tmp_path / "UCF-101" / "Archery" / "v_Archery_g01_c01.avi"
    clip.parent.mkdir(parents=True)
    clip.write_bytes(b"mine")
    (tmp_path / lists).mkdir(exist_ok=True)
    (tmp_path / lists / "trainlist01.txt").write_text(
        "Archery/v_Archery_g02_c01.avi 1\n"
    )
    fetch_ucf101(tmp_path, None)
    files = sorted(file.name for file in tmp_path.rglob("*") if file.is_file())
    assert files == ["trainlist01.txt", "v_Archery_g01_c01.avi"]
    assert server.log == []


# Trouble


@pytest.mark.parametrize("trouble", [429, 503])
def test_a_busy_server_is_asked_again(server, contents, tmp_path, trouble):
    server.troubles = [trouble, None, trouble, trouble]  # lists, directory, clips
    fetch_ucf101(tmp_path, 2, [20])
    assert clips_in(tmp_path) == {clip: contents[clip] for clip in FIRST_TWO}
    assert not server.troubles


@pytest.mark.parametrize("before", [0, 1, 20], ids=["lists", "directory", "clips"])
def test_after_a_cut_another_run_goes_on(server, contents, tmp_path, before):
    server.troubles = [None] * before + [("cut", 700)]
    with pytest.raises(ConnectionError):
        fetch_ucf101(tmp_path, 2)
    there = clips_in(tmp_path)
    assert there == {clip: contents[clip] for clip in there}
    assert bool(there) == (before == 20)
    requests_made = len(server.log)
    fetch_ucf101(tmp_path, 2)
    assert clips_in(tmp_path) == {clip: contents[clip] for clip in list(contents)[:50]}
    if there:
        directories = 5 * 2  # one a thread, in two requests at most
        assert len(server.log) - requests_made <= 50 - len(there) + directories


@pytest.mark.parametrize("trouble", ["gone", "no ranges", "a page", "a damaged clip"])
def test_what_cannot_be_fetched_is_told_with_the_address(server, tmp_path, trouble):
    content = server.files.pop("/videos.zip")
    if trouble == "a page":
        content = b"<html>Please log in</html>" * 100
    if trouble == "a damaged clip":
        content = content[:5_000] + bytes([content[5_000] ^ 1]) + content[5_001:]
    if trouble != "gone":
        server.files["/videos.zip"] = content
    server.ranges = trouble != "no ranges"
    with pytest.raises(ConnectionError, match=os.environ["FRAMEVOTE_UCF101_VIDEOS"]):
        fetch_ucf101(tmp_path, 2, [1])
    assert "Archery/v_Archery_g01_c01.avi" not in clips_in(tmp_path)


def test_wrong_lists_are_not_used(server, tmp_path):
    server.files["/lists.zip"] = server.files["/lists.zip"][:-1] + b"x"
    with pytest.raises(ValueError, match="SHA-256"):
        fetch_ucf101(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_told_before_a_clip_is_fetched(contents, server, tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for clip in FIRST_TWO:
            archive.writestr(clip.split("/")[1], b"small")
            archive.filelist[-1].file_size = 10**18  # what the zip's directory will say
    server.files["/videos.zip"] = buffer.getvalue()
    with pytest.raises(OSError, match="CLASSES or GROUPS"):
        fetch_ucf101(tmp_path, 2, [20])
    assert clips_in(tmp_path) == {}


# Choosing


def test_a_number_of_classes_means_the_first_and_none_means_all():
    assert choose_classes(list(CLASSES), 2) == ["Archery", "Basketball"]
    assert choose_classes(list(CLASSES)) == list(CLASSES)
    assert choose_classes(list(CLASSES), ["punch", "ARCHERY"]) == ["Archery", "Punch"]


@pytest.mark.parametrize(
    "classes", [1, 5, ["Archery"], ["Archery", "archery"], ["Archery", "Zzz"]]
)
def test_classes_that_cannot_be_chosen(classes):
    with pytest.raises(ValueError, match="CLASSES"):
        choose_classes(list(CLASSES), classes)


def test_a_misspelt_class_is_told_with_one_like_it():
    with pytest.raises(ValueError, match="Basketball"):
        choose_classes(list(CLASSES), ["Archery", "Basketbal"])


@pytest.mark.parametrize("number", range(4, 26))
def test_any_number_of_groups_leaves_clips_for_both_parts_of_every_split(number):
    groups = set(choose_groups(number))
    assert len(groups) == number
    for tested in TEST_GROUPS.values():
        assert groups & set(tested)
        assert groups - set(tested)


@pytest.mark.parametrize("groups", [0, 3, 26, [0], [1, 26], ["a"], [25]])
def test_groups_that_cannot_be_chosen(groups):
    with pytest.raises(ValueError, match="GROUPS"):
        choose_clips(
            ["Archery/v_Archery_g01_c01.avi", "Punch/v_Punch_g01_c01.avi"], None, groups
        )


@needs_ucf101_lists
def test_the_table_in_the_notebook_counts_right():
    clips = listed_clips(UCF101_LISTS)
    assert len(clips) == 13_320
    assert len(choose_clips(clips, 10)) == 1_374
    assert len(choose_clips(clips, 10, 10)) == 557


# Notebook 00, and the whole road


MOCAP = {"Archery": "Walk", "HandstandPushups": "Kick", "Punch": "Punch"}


def test_notebook_00_fetches_and_tables_a_part(server, monkeypatch, tmp_path):
    """Motion capture by UCF101's names."""
    mocap = COURSE / "data" / "mocap" / "videos"
    filmed = {
        f"{label}/v_{label}_g{n:02}_c01.avi": next(
            (mocap / other).glob(f"*_g{n:02}_c01.*")
        )
        for label, other in MOCAP.items()
        for n in range(1, 11)
    }
    filmed = {clip: path.read_bytes() for clip, path in filmed.items()}
    offer_ucf101(server, filmed, monkeypatch)
    command = [sys.executable, COURSE / "tools" / "run_course.py", "--course", tmp_path]
    command += [
        "--notebooks",
        "00",
        "--dataset",
        "ucf101",
        "--set",
        "CLASSES=['Archery', 'Punch']",
    ]
    (tmp_path / "notebooks").mkdir()
    shutil.copy(
        COURSE / "notebooks" / "00_get_the_videos.ipynb", tmp_path / "notebooks"
    )
    shutil.copytree(
        COURSE / "notebooks" / "toolbox", tmp_path / "notebooks" / "toolbox"
    )
    process = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert process.returncode == 0, process.stdout + process.stderr
    folder = tmp_path / "data" / "ucf101"
    chosen = {clip for clip in filmed if clip.startswith(("Archery", "Punch"))}
    assert clips_in(folder) == {clip: filmed[clip] for clip in chosen}
    videos = read_csv(folder / "videos.csv")
    assert set(videos["video"].str.removeprefix("UCF-101/")) == chosen
    groups = videos.loc[
        videos["class"].eq("Punch") & videos["part"].eq("train"), "group"
    ]
    assert set(groups) == {"Punch_g08", "Punch_g09", "Punch_g10"}


@pytest.mark.slow
def test_all_of_ucf101_s_clips_arrive_though_the_first_run_is_killed(
    server, monkeypatch, tmp_path
):
    """13,332 small clips, as many as UCF101 has; takes a minute or two."""
    content = write_clip(tmp_path / "clip.avi", frames=2).read_bytes()
    labels = [f"Class{number:03}" for number in range(101)]
    clips = [
        f"{a}/v_{a}_g{1 + n // 6:02}_c{1 + n % 6:02}.avi"
        for a in labels
        for n in range(132)
    ]
    offer_ucf101(server, dict.fromkeys(clips, content), monkeypatch)
    folder = tmp_path / "ucf101"
    script = (
        "import sys; from pathlib import Path; from toolbox.clips import fetch_ucf101;"
    )
    process = start_python(f"{script} fetch_ucf101(Path(sys.argv[1]), None)", folder)
    kill_when(process, lambda: (folder / "UCF-101" / labels[20]).exists())
    there = len(clips_in(folder))
    requests_made = len(server.log)
    fetch_ucf101(folder, None)
    whole = {
        clip: found
        for clip, found in clips_in(folder).items()
        if ".partial-" not in clip
    }
    assert whole == dict.fromkeys(clips, content)
    assert len(server.log) - requests_made < len(clips) - there + 30
    videos, unreadable = make_video_table(folder)
    assert len(videos) == len(clips)
    assert unreadable.empty
