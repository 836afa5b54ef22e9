"""Fetching UCF101, all of it or a part, from a real web server."""

import hashlib
import io
import os
import zipfile

from toolbox.clips.clip_table import make_video_table
from toolbox.clips.listed import read_lists
from toolbox.clips.ucf101 import choose_clips, choose_groups, fetch_ucf101, listed_clips
from toolbox.store.files import read_csv

import numpy as np
import pytest
from clips import (
    UCF101_LISTS,
    kill_when,
    needs_ucf101_lists,
    start_python,
    write_clip,
)
from loopback import serving
from pocket import copy_notebooks, run_tool

CLASSES = ("Archery", "Basketball", "HandstandPushups", "Punch")
TEST_GROUPS = {1: range(1, 8), 2: range(8, 15), 3: range(15, 22)}  # of the splits


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
    """Serve clips, by "class/file", as UCF101's zips hold them: videos flat, and in the
    lists one class's files spelled otherwise.
    """
    flat = {f"UCF101/{clip.split('/')[1]}": contents[clip] for clip in contents}
    texts = {}
    for clip in contents:
        line = clip.replace("v_Handstand", "v_HandStand")
        for split, groups in TEST_GROUPS.items():
            tested = int(clip.rsplit("_g")[1][:2]) in groups
            name = f"ucfTrainTestlist/{'test' if tested else 'train'}list0{split}.txt"
            texts[name] = texts.get(name, "") + line + ("\r\n" if tested else " 1\r\n")
    lists, videos = zip_of(texts), server.offer("/videos.zip", zip_of(flat))
    address = f"{server.offer('/lists.zip', lists)} {hashlib.sha256(lists).hexdigest()}"
    monkeypatch.setenv("FRAMEVOTE_UCF101_VIDEOS", videos)
    monkeypatch.setenv("FRAMEVOTE_UCF101_LISTS", address)


@pytest.fixture(autouse=True)
def contents(server, monkeypatch):
    """A pocket-size UCF101 on the server: made-up content of 100 clips, about 3 MB."""
    rng, groups = np.random.default_rng(1), range(1, 26)
    names = [f"{a}/v_{a}_g{group:02}_c01.avi" for a in CLASSES for group in groups]
    contents = {name: rng.bytes(rng.integers(25_000, 35_000)) for name in names}
    offer_ucf101(server, contents, monkeypatch)
    return contents


def clips_in(folder):
    """Content of the clips in folder/UCF-101, by "class/file"."""
    files = (folder / "UCF-101").glob("*/v_*.avi")
    return {f"{file.parent.name}/{file.name}": file.read_bytes() for file in files}


def test_some_clips_are_fetched_without_the_rest(server, contents, tmp_path):
    """One of the classes is spelled otherwise in the lists, and fits them."""
    fetch_ucf101(tmp_path, ["HANDSTANDPUSHUPS", "Punch"], [3, 20])
    clips = [f"{a}/v_{a}_g{g}_c01.avi" for a in CLASSES[2:] for g in ("03", "20")]
    assert clips_in(tmp_path) == {clip: contents[clip] for clip in clips}
    assert server.sent < 0.3 * len(server.files["/videos.zip"])
    parts = [read_lists(tmp_path, 1)[clip.casefold()] for clip in clips]
    assert parts == ["test", "train"] * 2
    assert len(listed_clips(tmp_path)) == len(contents)


def test_all_of_it_and_what_is_there_is_not_fetched_again(server, contents, tmp_path):
    fetch_ucf101(tmp_path, 2, [3, 20])
    server.log.clear()
    fetch_ucf101(tmp_path, 2, [3, 20])
    assert server.log == []
    kept = "Archery/v_Archery_g03_c01.avi"
    (tmp_path / "UCF-101" / kept).write_bytes(b"mine")
    fetch_ucf101(tmp_path, None)
    assert clips_in(tmp_path) == contents | {kept: b"mine"}
    names = [file.name for file in tmp_path.rglob("*")]
    assert not [name for name in names if "partial" in name or "zip" in name]


def test_what_was_unpacked_by_hand_is_used_as_it_is(server, tmp_path):
    clip = tmp_path / "UCF-101" / "Archery" / "v_Archery_g01_c01.avi"
    clip.parent.mkdir(parents=True)
    clip.write_bytes(b"mine")
    (tmp_path / "trainlist01.txt").write_text("Archery/v_Archery_g02_c01.avi 1")
    before = sorted(tmp_path.rglob("*"))
    fetch_ucf101(tmp_path, None)
    assert sorted(tmp_path.rglob("*")) == before and server.log == []


def test_a_busy_server_is_asked_again(server, contents, tmp_path):
    server.troubles = [503, None, 429, 503]  # lists, directory, clips
    fetch_ucf101(tmp_path, 2, [20])
    assert len(clips_in(tmp_path)) == 2 and not server.troubles


# in the lists, in the directory of the zip, in a clip
@pytest.mark.parametrize("before", [0, 1, 20])
def test_after_a_cut_another_run_goes_on(server, contents, tmp_path, before):
    server.troubles = [None] * before + [("cut", 700)]
    with pytest.raises(ConnectionError):
        fetch_ucf101(tmp_path, 2)
    there = clips_in(tmp_path)
    assert there == {clip: contents[clip] for clip in there}
    assert bool(there) == (before == 20)
    server.log.clear()
    fetch_ucf101(tmp_path, 2)
    assert clips_in(tmp_path) == {clip: contents[clip] for clip in list(contents)[:50]}
    directories = 5 * 2  # one a thread, in two requests at most
    assert not there or len(server.log) <= 50 - len(there) + directories


@pytest.mark.parametrize("trouble", ["gone", "no ranges", "a page", "a damaged clip"])
def test_what_cannot_be_fetched_is_told_with_the_address(server, tmp_path, trouble):
    content = bytearray(server.files.pop("/videos.zip"))
    content[5_000] ^= trouble == "a damaged clip"
    if trouble != "gone":
        page = b"<html>Please log in</html>" * 100
        server.files["/videos.zip"] = page if trouble == "a page" else bytes(content)
    server.ranges = trouble != "no ranges"
    with pytest.raises(ConnectionError, match=os.environ["FRAMEVOTE_UCF101_VIDEOS"]):
        fetch_ucf101(tmp_path, 2, [1])
    assert "Archery/v_Archery_g01_c01.avi" not in clips_in(tmp_path)


def test_wrong_lists_are_not_used(server, tmp_path):
    server.files["/lists.zip"] = server.files["/lists.zip"][:-1] + b"x"
    with pytest.raises(ValueError, match="SHA-256"):
        fetch_ucf101(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_number_of_classes_means_the_first_and_none_means_all(contents):
    named = ["punch", "ARCHERY"], ("Archery", "Punch")
    for classes, chosen in ((2, CLASSES[:2]), (None, CLASSES), named):
        expected = [f"{label}/v_{label}_g07_c01.avi" for label in chosen]
        assert choose_clips(contents, classes, [7]) == expected


ODD_CHOICES = [(odd, None, "CLASSES") for odd in (1, 5, ["Punch"], ["Punch", "punch"])]
ODD_CHOICES += [(["Archery", "Basketbal"], None, "Basketball")]
ODD_CHOICES += [(2, odd, "GROUPS") for odd in (3, 26, [0], ["a"], [])]


@pytest.mark.parametrize(("classes", "groups", "told"), ODD_CHOICES)
def test_what_cannot_be_chosen_is_told(contents, classes, groups, told):
    with pytest.raises(ValueError, match=told):
        choose_clips(contents, classes, groups)


@pytest.mark.parametrize("number", range(4, 26))
def test_any_number_of_groups_leaves_clips_for_both_parts_of_every_split(number):
    groups = set(choose_groups(number))
    assert len(groups) == number
    assert all(groups & {*test} and groups - {*test} for test in TEST_GROUPS.values())


@needs_ucf101_lists
def test_the_table_in_the_notebook_counts_right():
    clips = listed_clips(UCF101_LISTS)
    parts = [clips, choose_clips(clips, 10), choose_clips(clips, 10, 10)]
    assert [len(part) for part in parts] == [13_320, 1_374, 557]


def test_notebook_00_fetches_and_tables_a_part(server, contents, monkeypatch, tmp_path):
    looks = [write_clip(tmp_path / f"{n}.avi", look=n).read_bytes() for n in range(4)]
    contents = {clip: looks[CLASSES.index(clip.split("/")[0])] for clip in contents}
    offer_ucf101(server, contents, monkeypatch)
    copy_notebooks(tmp_path)
    knobs = "--set", "CLASSES=['Archery', 'Punch']", "--dataset", "ucf101"
    process = run_tool("run_course.py", tmp_path, "--notebooks", "00", *knobs)
    assert process.returncode == 0, process.stdout + process.stderr
    folder = tmp_path / "data" / "ucf101"
    chosen = {clip for clip in contents if clip.startswith(("Archery", "Punch"))}
    assert clips_in(folder) == {clip: contents[clip] for clip in chosen}
    videos = read_csv(folder / "videos.csv")
    assert set(videos["video"].str.removeprefix("UCF-101/")) == chosen
    assert videos["part"].eq("test").sum() == 2 * len(TEST_GROUPS[1])


@pytest.mark.slow
def test_all_of_ucf101_s_clips_arrive_though_the_first_run_is_killed(
    server, monkeypatch, tmp_path
):
    """13,332 small clips, as many as UCF101 has; takes a minute or two."""
    content = write_clip(tmp_path / "clip.avi", frames=2).read_bytes()
    labels = [f"Class{number:03}" for number in range(101)]
    names = [f"g{1 + n // 6:02}_c{1 + n % 6:02}.avi" for n in range(132)]
    clips = [f"{label}/v_{label}_{name}" for label in labels for name in names]
    offer_ucf101(server, dict.fromkeys(clips, content), monkeypatch)
    folder = tmp_path / "ucf101"
    script = "import sys, pathlib, toolbox.clips as clips;"
    script += "clips.fetch_ucf101(pathlib.Path(sys.argv[1]), None)"
    process = start_python(script, folder)
    kill_when(process, lambda: (folder / "UCF-101" / labels[20]).exists())
    there = len(clips_in(folder))
    server.log.clear()
    fetch_ucf101(folder, None)
    assert len(server.log) < len(clips) - there + 30
    assert clips_in(folder) == dict.fromkeys(clips, content)
    videos, unreadable = make_video_table(folder)
    assert len(videos) == len(clips) and unreadable.empty
