"""Fetching UCF101, whole or in part, from a web server that has bad days."""

import io
import json
import mmap
import os
import re
import shutil
import subprocess
import sys
import zipfile

from toolbox.datasets import make_video_table, read_lists
from toolbox.files import read_csv
from toolbox.ucf101 import (
    BLOCK,
    UCF101_VIDEOS,
    Source,
    choose_classes,
    choose_clips,
    choose_groups,
    download,
    fetch_part,
    fetch_ucf101,
    keep_trying,
    listed_clips,
    mirror,
    not_there,
)
from toolbox.vgg16 import vgg16_weights
from toolbox.videos import probe

import numpy as np
import pytest
import requests
from clips import (
    COURSE,
    UCF101_CLIPS,
    UCF101_LISTS,
    kill_when,
    needs_ucf101_clips,
    needs_ucf101_lists,
    run_python,
    start_python,
)
from loopback import serving

BYTES = np.random.default_rng(0).bytes(100_000)
needs_openssl = pytest.mark.skipif(
    not shutil.which("openssl"), reason="making a certificate needs openssl"
)
CLASSES = ("Archery", "Basketball", "HandstandPushups", "Punch")
TEST_GROUPS = {1: range(1, 8), 2: range(8, 15), 3: range(15, 22)}  # of the official splits


@pytest.fixture
def server():
    with serving() as running:
        yield running


def zip_of(members, compression=zipfile.ZIP_STORED):
    """The bytes of a zip; members: pairs of a name, or a ZipInfo, and content."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


def lists_zip(clips):
    """A zip like UCF101's of lists. clips: "class/file" as in the mirror's zip."""
    clips = [clip.replace("v_Handstand", "v_HandStand") for clip in sorted(clips)]  # the quirk
    classes = sorted({clip.split("/")[0] for clip in clips})
    members = {"classInd.txt": [f"{n} {name}" for n, name in enumerate(classes, 1)]}
    for split, groups in TEST_GROUPS.items():
        tested = [clip for clip in clips if int(clip.rsplit("_g")[1][:2]) in groups]
        trained = [clip for clip in clips if clip not in tested]
        numbers = [classes.index(clip.split("/")[0]) + 1 for clip in trained]
        members[f"testlist0{split}.txt"] = tested
        members[f"trainlist0{split}.txt"] = [
            f"{clip} {number}" for clip, number in zip(trained, numbers, strict=True)
        ]
    return zip_of((f"ucfTrainTestlist/{n}", "\r\n".join([*x, ""])) for n, x in members.items())


def make_contents():
    """Made-up content of 100 clips of UCF101: four classes, 25 groups, about 2 MB."""
    rng = np.random.default_rng(1)
    return {
        f"{label}/v_{label}_g{group:02}_c01.avi": rng.bytes(rng.integers(15_000, 25_000))
        for label in CLASSES
        for group in range(1, 26)
    }


def videos_zip(contents, compression=zipfile.ZIP_DEFLATED):
    """A flat zip like the mirror's: UCF101/v_….avi."""
    members = ((f"UCF101/{clip.split('/')[1]}", content) for clip, content in contents.items())
    return zip_of(members, compression)


@pytest.fixture
def contents():
    return make_contents()


@pytest.fixture
def ucf101(server, contents):
    """Sources of a pocket-size UCF101, as keywords for `fetch_ucf101`."""
    return {
        "videos": server.offer("/videos.zip", videos_zip(contents)),
        "lists": server.offer("/lists.zip", lists_zip(contents)),
    }


def clips_in(folder):
    """Content of the clips in folder/UCF-101, by "class/file"."""
    files = sorted((folder / "UCF-101").rglob("*"))
    return {
        file.relative_to(folder / "UCF-101").as_posix(): file.read_bytes()
        for file in files
        if file.is_file()
    }


def files_below(folder):
    """The names of all files below a folder."""
    return sorted(file.name for file in folder.rglob("*") if not file.is_dir())


def test_the_module_needs_no_library_of_the_network_until_it_fetches():
    script = "import sys; import toolbox.ucf101; print({'requests', 'remotezip'} & {*sys.modules})"
    assert run_python(script) == "set()\n"


# Whole files


def test_a_file_is_fetched_once(server, tmp_path):
    source, target = server.offer("/file", BYTES), tmp_path / "file"
    assert download(source, target) == target
    assert target.read_bytes() == BYTES
    assert download(source, target) == target
    assert len(server.log) == 1
    assert files_below(tmp_path) == ["file"]


def test_after_a_cut_only_the_rest_is_asked_for(server, tmp_path):
    server.troubles = [{"cut": 30_000}, {"cut": 30_000}]
    source = server.offer("/file", BYTES)
    assert download(source, tmp_path / "file").read_bytes() == BYTES
    starts = [int(re.search(r"\d+", span)[0]) for _, span in server.log]
    assert starts == [0, BLOCK, 2 * BLOCK]  # 30,000 bytes are one whole block and a lost bit


def test_many_cuts_are_survived_as_long_as_something_arrives(server, tmp_path):
    server.troubles = [{"cut": BLOCK}] * 5  # as many as the tries, had nothing arrived
    source = server.offer("/file", BYTES)
    assert download(source, tmp_path / "file").read_bytes() == BYTES
    assert server.sent == len(BYTES)


def test_a_server_without_ranges_begins_again(server, tmp_path):
    server.ranges, server.troubles = False, [{"cut": 30_000}]
    source = server.offer("/file", BYTES)
    assert download(source, tmp_path / "file").read_bytes() == BYTES
    assert server.sent == 30_000 + len(BYTES)


def test_answers_without_a_length_that_break_off_are_completed(server, tmp_path):
    server.nameless, server.troubles = True, [{"cut": 30_000}, {"cut": 30_000}]
    source = server.offer("/file", BYTES)
    assert download(source, tmp_path / "file").read_bytes() == BYTES


def test_a_killed_download_goes_on_where_it_was(server, tmp_path):
    server.pause, source = 0.02, server.offer("/file", BYTES)
    script = """
import sys
from pathlib import Path
from toolbox.ucf101 import Source, download
download(Source(sys.argv[1], int(sys.argv[2]), sys.argv[3]), Path(sys.argv[4]))
"""
    part = tmp_path / ".partial-file"
    process = start_python(script, *source, tmp_path / "file")
    kill_when(process, lambda: part.exists() and part.stat().st_size > 0)
    assert files_below(tmp_path) == [".partial-file"]
    done, server.pause = part.stat().st_size, 0
    assert 0 < done < len(BYTES)
    assert download(source, tmp_path / "file").read_bytes() == BYTES
    assert server.log[-1][1] == f"bytes={done}-"


def test_wrong_bytes_are_not_used_and_not_kept(server, tmp_path):
    source = server.offer("/file", BYTES)
    server.files["/file"] = BYTES[:-1] + bytes([BYTES[-1] ^ 1])
    with pytest.raises(ValueError, match=rf"not what it should be.*expected .*{source.sha256}"):
        download(source, tmp_path / "file")
    assert files_below(tmp_path) == []


def test_a_damaged_rest_of_an_earlier_run_is_found_out(server, tmp_path):
    source = server.offer("/file", BYTES)
    (tmp_path / ".partial-file").write_bytes(b"<html>" * 10)
    with pytest.raises(ValueError, match="not what it should be"):
        download(source, tmp_path / "file")
    assert download(source, tmp_path / "file").read_bytes() == BYTES


def test_a_damaged_file_that_is_there_already_is_not_used(server, tmp_path):
    source, target = server.offer("/file", BYTES), tmp_path / "file"
    target.write_bytes(BYTES[:-1])
    with pytest.raises(ValueError, match=r"99999 bytes .*expected 100000 bytes.*Delete it"):
        download(source, target)


@pytest.mark.parametrize("sent", [BYTES[:-10], BYTES + b"more", b""], ids=["short", "long", "none"])
@pytest.mark.parametrize("ranges", [True, False])
def test_a_wrong_length_is_an_error(server, tmp_path, sent, ranges):
    source, server.ranges = server.offer("/file", BYTES), ranges
    server.files["/file"] = sent
    with pytest.raises(ValueError, match="expected 100000 bytes"):
        download(source, tmp_path / "file")
    assert files_below(tmp_path) == []


def test_an_endless_answer_is_left(server, tmp_path):
    server.pause = 0.001
    source = server.offer("/file", BYTES)
    server.files["/file"] = bytes(50_000_000)
    with pytest.raises(ValueError, match="expected 100000 bytes"):
        download(source, tmp_path / "file")


def test_not_found_is_final(server, tmp_path):
    source = server.offer("/file", BYTES)._replace(url=server.url("/gone"))
    with pytest.raises(ConnectionError, match=r"/gone failed: 404 .*by hand"):
        download(source, tmp_path / "file")
    assert len(server.log) == 1
    assert not (tmp_path / "file").exists()


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_passing_trouble_is_waited_out(server, tmp_path, status):
    server.troubles = [{"status": status}]
    source = server.offer("/file", BYTES)
    assert download(source, tmp_path / "file").read_bytes() == BYTES
    assert len(server.log) == 2


def test_a_lasting_trouble_is_told(server):
    server.troubles = [{"status": 503}] * 9
    address = server.url("/file")
    with pytest.raises(ConnectionError, match=r"failed: 503 .*run this again"):
        keep_trying(lambda: requests.get(address).raise_for_status(), int, address, tries=2)
    assert len(server.log) == 2


def test_no_server_at_all_is_told():
    with serving() as server:
        address = server.url("/file")
    with pytest.raises(ConnectionError, match=rf"Fetching {address} failed"):
        keep_trying(lambda: requests.get(address), int, address, tries=2)


def test_a_redirect_is_followed_also_when_resuming(server, tmp_path):
    source = server.offer("/file", BYTES)
    server.files["/elsewhere"] = server.files.pop("/file")
    redirect = {"redirect": "/elsewhere"}
    server.troubles = [redirect, {"cut": 3 * BLOCK}, redirect]
    assert download(source, tmp_path / "file").read_bytes() == BYTES
    assert server.log[-1] == ("/elsewhere", f"bytes={3 * BLOCK}-")


@needs_openssl
@pytest.mark.filterwarnings("error")
def test_without_a_valid_certificate_only_the_expected_bytes_are_taken(server, tmp_path):
    server.encrypt(tmp_path)
    source, folder = server.offer("/file", BYTES), tmp_path / "fetched"
    folder.mkdir()
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(source.url)
    assert download(source, folder / "file").read_bytes() == BYTES
    with pytest.raises(ValueError, match="not what it should be"):
        download(source._replace(sha256="0" * 64), folder / "other")
    assert files_below(folder) == ["file"]


@needs_openssl
def test_clips_out_of_a_zip_are_only_taken_with_a_valid_certificate(server, contents, tmp_path):
    """They are checked by CRC-32 alone, which anyone can forge."""
    server.encrypt(tmp_path)
    source = server.offer("/videos.zip", videos_zip(contents))
    with pytest.raises(ConnectionError, match="CERTIFICATE_VERIFY_FAILED"):
        fetch_part(source, tmp_path, list(contents))
    assert clips_in(tmp_path) == {}


def test_a_slow_link_only_takes_longer(server, tmp_path, capsys):
    server.pause, source = 0.1, server.offer("/file", BYTES)
    assert download(source, tmp_path / "file", patience=2).read_bytes() == BYTES
    assert len(server.log) == 1
    bar = capsys.readouterr().out
    assert re.search(r"download file: .*B/s", bar)  # the rate
    assert re.search(r"\d\d:\d\d<\d\d:\d\d", bar)  # time passed and time left


def test_a_link_that_falls_silent_is_opened_again(server, tmp_path):
    server.troubles = [{"stall": 6}]
    source = server.offer("/file", BYTES)
    assert download(source, tmp_path / "file", patience=2).read_bytes() == BYTES
    assert len(server.log) == 2
    assert server.log[1][1] != "bytes=0-"


# UCF101 in part


def test_some_clips_are_fetched_without_the_rest(server, ucf101, contents, tmp_path, capsys):
    fetch_ucf101(tmp_path, classes=["archery", "PUNCH"], groups=[3, 20], **ucf101)
    chosen = ("Archery/v_Archery_g03", "Archery/v_Archery_g20", "Punch/v_Punch_g03")
    chosen = [*(f"{clip}_c01.avi" for clip in chosen), "Punch/v_Punch_g20_c01.avi"]
    assert clips_in(tmp_path) == {clip: contents[clip] for clip in chosen}
    assert "4 of 4 chosen clips are there\n" in capsys.readouterr().out
    assert server.sent < 0.2 * ucf101["videos"].size
    assert len(listed_clips(tmp_path)) == len(contents)
    assert not [name for name in files_below(tmp_path) if "partial" in name or "zip" in name]


def test_a_second_start_fetches_nothing_and_a_wish_for_more_only_what_lacks(
    server, ucf101, contents, tmp_path
):
    fetch_ucf101(tmp_path, classes=2, groups=[3, 20], **ucf101)
    first = len(server.log)
    fetch_ucf101(tmp_path, classes=2, groups=[3, 20], **ucf101)
    assert len(server.log) == first
    kept = tmp_path / "UCF-101" / "Archery" / "v_Archery_g03_c01.avi"
    kept.write_bytes(b"mine")
    fetch_ucf101(tmp_path, classes=3, groups=[3, 20], **ucf101)
    assert len(server.log) > first
    assert kept.read_bytes() == b"mine"
    assert len(clips_in(tmp_path)) == 6


def test_the_class_whose_files_are_spelled_otherwise_fits_its_lists(server, ucf101, tmp_path):
    fetch_ucf101(tmp_path, classes=["Archery", "HandstandPushups"], groups=4, **ucf101)
    clips = clips_in(tmp_path)
    assert "HandstandPushups/v_HandstandPushups_g01_c01.avi" in clips
    assert {clip.split("/")[0] for clip in clips} == {"Archery", "HandstandPushups"}
    for split in TEST_GROUPS:
        part_of = read_lists(tmp_path, split)
        assert sorted(part_of[clip.casefold()] for clip in clips) == ["test"] * 2 + ["train"] * 6


@pytest.mark.parametrize("trouble", [{"cut": 9_000}, {"status": 503}, {"stall": 6}], ids=str)
@pytest.mark.parametrize("request_number", [0, 1, 3])
def test_a_part_survives_trouble_anywhere(
    server, ucf101, contents, tmp_path, trouble, request_number
):
    fetch_ucf101(tmp_path, classes=2, groups=[1], **ucf101)
    server.troubles = [{}] * request_number + [trouble]
    fetch_part(ucf101["videos"], tmp_path, list(contents)[:6], patience=2)
    assert all(clips_in(tmp_path)[clip] == contents[clip] for clip in list(contents)[:6])
    assert not server.troubles


def test_a_part_of_a_server_without_ranges_is_refused_with_advice(server, ucf101, tmp_path):
    server.ranges = False
    with pytest.raises(ConnectionError, match=r"comes only whole\. Set CLASSES and GROUPS to None"):
        fetch_ucf101(tmp_path, classes=2, **ucf101)


def test_a_part_that_is_gone_is_told_at_once(server, ucf101, tmp_path):
    del server.files["/videos.zip"]
    with pytest.raises(ConnectionError, match=r"/videos.zip failed: 404"):
        fetch_ucf101(tmp_path, classes=2, **ucf101)
    assert [path for path, _ in server.log] == ["/lists.zip", "/videos.zip"]


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_clip_damaged_in_the_zip_is_not_kept(server, contents, ucf101, tmp_path, compression):
    damaged = bytearray(videos_zip(contents, compression))
    damaged[5_000] ^= 1  # in the middle of the first clip
    server.files["/videos.zip"] = bytes(damaged)
    with pytest.raises(zipfile.BadZipFile, match=r"Bad CRC-32 for file 'UCF101/v_Archery_g01"):
        fetch_ucf101(tmp_path, classes=2, **ucf101)
    assert clips_in(tmp_path) == {}


def test_a_page_in_place_of_the_zip_is_refused(server, ucf101, tmp_path):
    server.files["/videos.zip"] = b"<html>Please log in</html>" * 100
    with pytest.raises(zipfile.BadZipFile, match="not a zip file"):
        fetch_ucf101(tmp_path, classes=2, **ucf101)


def test_a_clip_that_the_zip_lacks_is_counted_and_not_asked_for_again(
    server, ucf101, contents, tmp_path, capsys
):
    del contents["Archery/v_Archery_g05_c01.avi"]
    smaller = ucf101 | {"videos": server.offer("/smaller.zip", videos_zip(contents))}
    for classes in (2, None):
        fetch_ucf101(tmp_path, classes, **smaller)
        requests_made = len(server.log)
        fetch_ucf101(tmp_path, classes, **smaller)
        assert len(server.log) == requests_made
    assert capsys.readouterr().out.count("49 of 50 chosen clips are there, 1 are not in the") == 2
    assert len(clips_in(tmp_path)) == 99


# UCF101 whole


def test_all_of_it(server, ucf101, contents, tmp_path):
    fetch_ucf101(tmp_path, classes=None, **ucf101)
    assert clips_in(tmp_path) == contents
    requests_made = len(server.log)
    fetch_ucf101(tmp_path, classes=None, **ucf101)
    fetch_ucf101(tmp_path, classes=2, **ucf101)
    assert len(server.log) == requests_made == 2
    assert not [name for name in files_below(tmp_path) if "partial" in name or "zip" in name]


def test_unpacking_that_was_cut_off_goes_on_without_the_network(server, ucf101, contents, tmp_path):
    fetch_ucf101(tmp_path, classes=None, **ucf101)
    (tmp_path / "UCF101_videos.zip").write_bytes(server.files["/videos.zip"])
    for clip in list(contents)[::3]:
        (tmp_path / "UCF-101" / clip).unlink()
    requests_made = len(server.log)
    fetch_ucf101(tmp_path, classes=None, **ucf101)
    assert clips_in(tmp_path) == contents
    assert len(server.log) == requests_made


def test_a_wrong_zip_is_not_unpacked(server, ucf101, tmp_path):
    server.files["/videos.zip"] = server.files["/videos.zip"][:-1] + b"x"
    with pytest.raises(ValueError, match="not what it should be"):
        fetch_ucf101(tmp_path, classes=None, **ucf101)
    assert clips_in(tmp_path) == {}
    assert not list(tmp_path.glob("*.zip"))


def test_a_wrong_zip_of_lists_is_not_unpacked(server, ucf101, tmp_path):
    server.files["/lists.zip"] = server.files["/lists.zip"][:-1] + b"x"
    with pytest.raises(ValueError, match="not what it should be"):
        fetch_ucf101(tmp_path, **ucf101)
    assert files_below(tmp_path) == []


def test_a_full_disk_is_told_before_anything_is_fetched(server, ucf101, tmp_path):
    ucf101["videos"] = ucf101["videos"]._replace(size=10**18)
    with pytest.raises(OSError, match=rf"{tmp_path} needs 2000000000.0 GB .* there are [\d.]+ GB"):
        fetch_ucf101(tmp_path, classes=None, **ucf101)
    assert [path for path, _ in server.log] == ["/lists.zip"]


def test_a_full_disk_is_told_before_clips_are_unpacked(server, ucf101, contents, tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for clip in list(contents)[:2]:
            archive.writestr(f"UCF101/{clip.split('/')[1]}", b"small")
            archive.filelist[-1].file_size = 10**18  # what the zip's directory will say
    ucf101["videos"] = server.offer("/huge.zip", buffer.getvalue())
    with pytest.raises(OSError, match=r"needs 2000000000.0 GB .*choose fewer CLASSES or GROUPS"):
        fetch_ucf101(tmp_path, classes=2, **ucf101)
    assert clips_in(tmp_path) == {}


def test_a_zip_as_big_as_the_real_one_is_read_where_it_matters(server, tmp_path):
    """13,320 members and 7 GB, most of it a hole that takes no space: ZIP64, a long directory."""
    clips = [
        f"Class{label:03}/v_Class{label:03}_g{1 + number // 6:02}_c{1 + number % 6:02}.avi"
        for label in range(101)
        for number in range(132)
    ]
    with zipfile.ZipFile(tmp_path / "big.zip", "w") as archive:
        for clip in clips:
            if clip == clips[5_000]:
                archive.start_dir = archive.fp.seek(7 << 30)
            archive.writestr(f"UCF101/{clip.split('/')[1]}", clip)
    chosen = [clips[0], clips[4_000], clips[5_000], clips[-1]]
    with (
        open(tmp_path / "big.zip", "rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
    ):
        server.files["/big.zip"] = content
        big = Source(server.url("/big.zip"), len(content), "not needed for a part")
        assert fetch_part(big, tmp_path, chosen) == []
    assert clips_in(tmp_path) == {clip: clip.encode() for clip in chosen}
    assert server.sent < 3_000_000


# By hand


@pytest.mark.parametrize("lists", ["ucfTrainTestlist", "."])
def test_what_was_unpacked_by_hand_is_used_as_it_is(server, ucf101, tmp_path, capsys, lists):
    clip = tmp_path / "UCF-101" / "Archery" / "v_Archery_g01_c01.avi"
    clip.parent.mkdir(parents=True)
    clip.write_bytes(b"mine")
    (tmp_path / lists).mkdir(exist_ok=True)
    (tmp_path / lists / "trainlist01.txt").write_text("Archery/v_Archery_g01_c01.avi 1\n")
    fetch_ucf101(tmp_path, classes=None, **ucf101)
    assert "unpacked by hand" in capsys.readouterr().out
    assert files_below(tmp_path) == ["trainlist01.txt", "v_Archery_g01_c01.avi"]
    assert server.log == []


# Malicious zips


def link(name, target):
    """A member that is a symbolic link."""
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, 0o120777 << 16
    return info, target


UNSAFE = {
    "up": ("../v_Archery_g01_c01.avi", "x"),
    "up, deep": ("UCF101/../../v_Archery_g01_c01.avi", "x"),
    "absolute": ("/tmp/v_Archery_g01_c01.avi", "x"),
    "drive": ("C:v_Archery_g01_c01.avi", "x"),
    "backslashes": ("..\\v_Archery_g01_c01.avi", "x"),
    "link": link("UCF101/v_Archery_g01_c01.avi", "/etc/passwd"),
}


@pytest.mark.parametrize("classes", [2, None], ids=["part", "whole"])
@pytest.mark.parametrize("member", UNSAFE.values(), ids=UNSAFE)
def test_a_zip_that_leads_out_of_its_folder_is_refused(server, ucf101, tmp_path, member, classes):
    folder = tmp_path / "data" / "ucf101"
    good = ("UCF101/v_Archery_g02_c01.avi", "x")
    ucf101["videos"] = server.offer("/bad.zip", zip_of([good, member]))
    with pytest.raises(ValueError, match=r"leads out of its folder. Nothing was unpacked"):
        fetch_ucf101(folder, classes, **ucf101)
    assert [name for name in files_below(tmp_path) if name.endswith(".avi")] == []


@pytest.mark.parametrize("member", UNSAFE.values(), ids=UNSAFE)
def test_such_lists_are_refused(server, ucf101, tmp_path, member):
    folder = tmp_path / "data" / "ucf101"
    good = ("ucfTrainTestlist/trainlist01.txt", "x")
    ucf101["lists"] = server.offer("/bad.zip", zip_of([good, member]))
    with pytest.raises(ValueError, match="leads out of its folder"):
        fetch_ucf101(folder, **ucf101)
    assert [name for name in files_below(tmp_path) if not name.endswith(".zip")] == []


# Choosing


def test_a_number_of_classes_means_the_first_and_none_means_all():
    assert choose_classes(list(CLASSES), 2) == ["Archery", "Basketball"]
    assert choose_classes(list(CLASSES)) == list(CLASSES)
    assert choose_classes(list(CLASSES), ["punch", "ARCHERY"]) == ["Archery", "Punch"]


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (1, "from 2 to 4"),
        (5, "from 2 to 4"),
        (["Archery"], "at least two"),
        (["Archery", "archery"], "at least two"),
        (["Archery", "Basketbal"], "no class 'basketbal' in UCF101. Similar: Basketball"),
        (["Archery", "Zzz"], "no class 'zzz' in UCF101. Similar: none"),
    ],
)
def test_classes_that_cannot_be_chosen(classes, message):
    with pytest.raises(ValueError, match=message):
        choose_classes(list(CLASSES), classes)


@pytest.mark.parametrize("number", range(4, 26))
def test_any_number_of_groups_leaves_clips_for_both_parts_of_every_split(number):
    groups = set(choose_groups(number))
    assert len(groups) == number
    for tested in TEST_GROUPS.values():
        assert groups & set(tested)
        assert groups - set(tested)


@pytest.mark.parametrize("groups", [0, 3, 26, [0], [1, 26], ["a"]])
def test_groups_that_cannot_be_chosen(groups):
    with pytest.raises(ValueError, match="GROUPS"):
        choose_groups(groups)


def test_nothing_chosen_is_an_error():
    with pytest.raises(ValueError, match="choose no clip"):
        choose_clips(["Archery/v_Archery_g01_c01.avi", "Punch/v_Punch_g01_c01.avi"], groups=[2])


@needs_ucf101_lists
def test_the_table_in_the_notebook_counts_right():
    clips = listed_clips(UCF101_LISTS)
    assert len(clips) == 13_320
    assert len(choose_clips(clips, 10)) == 1_374
    assert len(choose_clips(clips, 10, 10)) == 557


# Mirrors


def test_a_mirror_with_the_same_bytes_or_others(monkeypatch):
    assert mirror("FRAMEVOTE_TEST", UCF101_VIDEOS) == UCF101_VIDEOS
    monkeypatch.setenv("FRAMEVOTE_TEST", "http://near/a.zip")
    assert mirror("FRAMEVOTE_TEST", UCF101_VIDEOS) == ("http://near/a.zip", *UCF101_VIDEOS[1:])
    monkeypatch.setenv("FRAMEVOTE_TEST", "http://near/a.zip 12 ab")
    assert mirror("FRAMEVOTE_TEST", UCF101_VIDEOS) == Source("http://near/a.zip", 12, "ab")


# Real clips


@needs_ucf101_clips
@pytest.mark.parametrize("classes", [4, None], ids=["part", "whole"])
def test_clips_of_ucf101_arrive_unharmed(server, tmp_path, classes):
    real = {f"{p.name.split('_')[1]}/{p.name}": p.read_bytes() for p in UCF101_CLIPS.glob("*.avi")}
    videos = server.offer("/videos.zip", videos_zip(real))
    fetch_ucf101(tmp_path, classes, None, videos, server.offer("/lists.zip", lists_zip(real)))
    assert clips_in(tmp_path) == real
    assert all(probe(tmp_path / "UCF-101" / clip)["width"] == 320 for clip in real)
    assert not_there(tmp_path, real) == []


# The notebooks


MOCAP = {"Archery": "Walk", "Basketball": "Jump", "HandstandPushups": "Kick", "Punch": "Punch"}


@pytest.fixture
def filmed():
    """Videos by UCF101's names: motion capture, and the four real clips if they are here."""
    mocap = COURSE / "data" / "mocap" / "videos"
    clips = {
        f"{label}/v_{label}_g{group:02}_c01.avi": next(
            (mocap / other).glob(f"*_g{group:02}_c01.*")
        ).read_bytes()
        for label, other in MOCAP.items()
        for group in range(1, 11)
    }
    real = UCF101_CLIPS.glob("*.avi")
    return clips | {f"{path.name.split('_')[1]}/{path.name}": path.read_bytes() for path in real}


def test_notebooks_run_on_what_was_fetched(server, filmed, weights_folder, tmp_path):
    """From the download to the vote; takes a minute or two, for VGG16 and its large head."""
    shutil.copytree(COURSE / "notebooks", tmp_path / "notebooks")
    (tmp_path / "weights").mkdir()
    shutil.copy2(vgg16_weights(weights_folder), tmp_path / "weights")
    sources = {
        "FRAMEVOTE_UCF101_VIDEOS": server.offer("/videos.zip", videos_zip(filmed)),
        "FRAMEVOTE_UCF101_LISTS": server.offer("/lists.zip", lists_zip(filmed)),
    }
    command = [sys.executable, COURSE / "tools" / "run_course.py", "--course", tmp_path]
    command += ["--dataset", "ucf101"]
    command += ["--set", "CLASSES=['Archery', 'HandstandPushups', 'Punch'], MAX_EPOCHS=3"]
    environment = {name: " ".join(map(str, source)) for name, source in sources.items()}
    process = subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, timeout=600
    )
    assert process.returncode == 0, process.stdout + process.stderr
    data = tmp_path / "data" / "ucf101"
    videos = read_csv(data / "videos.csv")
    assert set(videos["class"]) == {"Archery", "HandstandPushups", "Punch"}
    groups = videos.loc[videos["class"].eq("Punch") & videos["part"].eq("train"), "group"]
    assert set(groups) == {"Punch_g08", "Punch_g09", "Punch_g10"}
    unreadable = read_csv(data / "unreadable.csv")
    assert set(unreadable["reason"]) <= {"named in a list, but not in the folder"}
    table, _ = make_video_table(data)
    assert len(table) == len(videos)
    assert (data / "split.csv").exists()
    test_clips = set(videos.loc[videos["part"] == "test", "video"])
    assert set(read_csv(data / "predictions.csv")["video"]) == test_clips
    results = json.loads((data / "results.json").read_text())
    voted = [row["n"] for row in results if (row["level"], row["part"]) == ("video", "test")]
    assert voted and set(voted) == {len(test_clips)}
