"""UCF101 from the web: fetched whole or in part, resumed, verified, unpacked.

What talks to servers (requests, remotezip) is imported by the functions that do.
"""

import hashlib
import os
import shutil
import stat
import warnings
from difflib import get_close_matches
from functools import partial
from pathlib import PurePosixPath, PureWindowsPath
from time import sleep
from typing import NamedTuple
from zipfile import ZipFile

from toolbox.page import progress

import numpy as np
from tqdm.utils import CallbackIOWrapper


class Source(NamedTuple):
    """A file on the web: its address, its size in bytes, its SHA-256 as hexadecimal
    text.
    """

    url: str
    size: int
    sha256: str


UCF101_LISTS = Source(
    "https://www.crcv.ucf.edu/data/UCF101/UCF101TrainTestSplits-RecognitionTask.zip",
    113_943,
    "5c0d1a53b8ed364a2ac830a73f405e51bece7d98ce1254fd19ed4a36b224bd27",
)


UCF101_VIDEOS = Source(
    "https://storage.googleapis.com/thumos14_files/UCF101_videos.zip",
    6_960_400_115,
    "dabf56f573cd19c79e096563529fec8126a2a34e18e10c72eb621dd687532b0d",
)


UNCOMPRESSED = {
    "Accept-Encoding": "identity"
}  # the bytes of the file, so that they can be counted


BLOCK = 1 << 14  # bytes; what a cut costs at most


VIDEOS_AT = ("UCF-101/*/*", "videos/*/*", "*/*.avi")  # where people unpack them by hand


def mirror(variable, source):
    """The source, or what the environment variable names in its place: "URL" of a
    copy with the same bytes, or "URL SIZE SHA256" of other bytes.
    """
    url, *expected = os.environ.get(variable, "").split() or source
    size, sha256 = expected or source[1:]
    return Source(url, int(size), sha256)


def lists_in(folder):
    """The official lists (`trainlist01.txt` and so on) in `folder` or its
    `ucfTrainTestlist`.
    """
    places = (folder, folder / "ucfTrainTestlist")
    return [file for place in places for file in sorted(place.glob("t*list0[123].txt"))]


def listed_clips(folder):
    """All clips that the lists name, as "class/file", sorted."""
    lines = [
        line for file in lists_in(folder) for line in file.read_text().splitlines()
    ]
    return sorted({line.split()[0] for line in lines if line.strip()})


def choose_clips(clips, classes=None, groups=None):
    """The clips of the wanted classes and groups.

    clips: "class/file" as in the lists; classes: None for all, a number n for the first
    n by name, or a list of names (in any case); groups: None for all 25, a number n (4
    or more) for n spread evenly from 1 to 25, so that every official split finds some
    to train and some to test on, or a list of numbers. Raises ValueError for what can't
    be chosen.
    """
    known = sorted({PurePosixPath(clip).parent.name for clip in clips})
    classes = set(choose_classes(known, classes))
    groups = set(choose_groups(groups))
    chosen = [
        clip
        for clip in clips
        if PurePosixPath(clip).parent.name in classes and group_number(clip) in groups
    ]
    if not chosen:
        raise ValueError("CLASSES and GROUPS choose no clip.")
    return chosen


def group_number(clip):
    """7 for "Archery/v_Archery_g07_c02.avi"."""
    return int(clip.rsplit("_", 2)[1].removeprefix("g"))


def choose_classes(known, classes=None):
    """Names of classes, as `known` spells them, for the knob `CLASSES` (see
    `choose_clips`).
    """
    if classes is None:
        return known
    if isinstance(classes, int):
        if not 2 <= classes <= len(known):
            raise ValueError(
                f"CLASSES = {classes}: it must be from 2 to {len(known)}, or None."
            )
        return known[:classes]
    spelling = {name.casefold(): name for name in known}
    wanted = {name.casefold() for name in classes}
    for name in wanted - set(spelling):
        near = (
            ", ".join(spelling[key] for key in get_close_matches(name, spelling))
            or "none"
        )
        raise ValueError(
            f"CLASSES: there is no class {name!r} in UCF101. Similar: {near}."
        )
    if len(wanted) < 2:
        raise ValueError(
            "CLASSES: a classifier needs at least two classes to choose from."
        )
    return sorted(spelling[name] for name in wanted)


def choose_groups(groups=None, last=25):
    """Numbers of groups for the knob `GROUPS` (see `choose_clips`)."""
    if groups is None:
        return list(range(1, last + 1))
    if isinstance(groups, int):
        if not 4 <= groups <= last:
            raise ValueError(
                f"GROUPS = {groups}: it must be from 4 to {last}, a list, or None."
            )
        return np.linspace(1, last, groups).round().astype(int).tolist()
    outside = [group for group in groups if group not in range(1, last + 1)]
    if outside:
        raise ValueError(f"GROUPS: there are groups 1 to {last}, no {outside[0]}.")
    return list(groups)


def keep_trying(step, have, url, tries=5):
    """Call step(), which goes on where it stopped, until it returns; returns what it
    returns.

    have() tells how much there is already, in any unit. After an error of the network
    we wait 0.5, 1, 2, ... seconds and call again; `tries` errors in a row without a
    gain, or an answer such as 404, raise ConnectionError with the reason.
    """
    import requests
    from remotezip import RemoteIOError
    from urllib3.exceptions import HTTPError

    failures, before = 0, have()
    while True:
        try:
            return step()
        except (requests.RequestException, HTTPError, RemoteIOError) as error:
            failures = 1 if have() > before else failures + 1
            if failures == tries or is_final(error):
                raise ConnectionError(
                    f"Fetching {url} failed: {error}. What has arrived is kept; run"
                    " this again to go on. Notebook 00 also says how to unpack UCF101"
                    " by hand."
                ) from error
        before = have()
        sleep(0.5 * 2 ** (failures - 1))


def is_final(error):
    """Whether trying again is no use: an answer such as 404, or a certificate that's
    not valid.
    """
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return True
    response = getattr(
        error.__context__ or error, "response", None
    )  # remotezip wraps the error
    return (
        response is not None
        and response.status_code < 500
        and response.status_code != 429
    )


def download(source, target, patience=60):
    """Download a Source to the path `target`; what an earlier run left is resumed.

    The bytes go to `.partial-<name>` and get the name `target` once size and SHA-256
    are right. patience: seconds to wait for a silent server. Raises ConnectionError if
    the server can't be reached, and ValueError if it sends something else (which is
    then deleted).
    """
    if target.exists():
        return check(source, target)
    part = target.with_name(f".partial-{target.name}")
    part.touch()
    with byte_bar(f"download {target.name}", source.size, part.stat().st_size) as bar:
        step = partial(append_all, source, part, bar, patience)
        keep_trying(step, lambda: part.stat().st_size, source.url)
    try:
        check(source, part)
    except ValueError:
        part.unlink()
        raise
    return part.replace(target)


def append_all(source, part, bar, patience):
    """Ask for what the file `part` lacks until all is there, or an answer brings
    nothing new.
    """
    done = -1
    while done < (done := part.stat().st_size) < source.size:
        append_rest(source, part, bar, patience)


def append_rest(source, part, bar, patience):
    """Ask for the bytes behind the end of `part` and append them; where the server
    doesn't do ranges, begin again.
    """
    with ask(source, part.stat().st_size, patience) as response:
        if response.status_code == 416:  # nothing there behind what we have
            return
        response.raise_for_status()
        with part.open("ab" if response.status_code == 206 else "wb") as file:
            bar.n = file.tell()
            for block in response.iter_content(BLOCK):
                bar.update(file.write(block))
                if file.tell() > source.size:
                    return


def ask(source, start, patience):
    """GET the bytes from `start` on: a Response whose content is still to be read.

    If the server's certificate can't be verified (that of UCF's own server has failed
    for many people), the bytes are taken all the same: the SHA-256 that we expect
    vouches for them.
    """
    import requests

    headers = {"Range": f"bytes={start}-", **UNCOMPRESSED}
    get = partial(
        requests.get, source.url, headers=headers, stream=True, timeout=patience
    )
    try:
        return get()
    except requests.exceptions.SSLError:
        print(
            f"The certificate of {source.url} can't be verified; the SHA-256 of the"
            " file will be."
        )
        with warnings.catch_warnings(action="ignore"):
            return get(verify=False)


def check(source, file):
    """Compare a file with what its Source promises; returns its path, or raises
    ValueError.
    """
    digest, size = hashlib.sha256(), file.stat().st_size
    with byte_bar(f"check {file.name}", size) as bar, file.open("rb") as content:
        while block := content.read(1 << 20):
            digest.update(block)
            bar.update(len(block))
    if (size, digest.hexdigest()) != (source.size, source.sha256):
        raise ValueError(
            f"{file} is not what it should be: {size} bytes with SHA-256"
            f" {digest.hexdigest()}, expected {source.size} bytes with {source.sha256}."
            " It was not used. Delete it if it is still there, and try again; if that"
            f" does not help, {source.url} has changed."
        )
    return file


def byte_bar(title, total, initial=0):
    """A progress bar that counts bytes, with the rate and the time left."""
    return progress(total=total, initial=initial, desc=title, unit="B", unit_scale=True)


def require_space(folder, size):
    """Raise OSError unless the disk of `folder` has `size` bytes free."""
    free = shutil.disk_usage(folder).free
    if free < size:
        raise OSError(
            f"{folder.resolve()} needs {size / 1e9:.1f} GB of free disk space, and"
            f" there are {free / 1e9:.1f} GB. Make room, or choose fewer CLASSES or"
            " GROUPS."
        )


def refuse_unsafe(archive):
    """Raise ValueError if a member of a ZipFile is a link or leads out of the
    folder.
    """
    for info in archive.infolist():
        path = PureWindowsPath(info.filename)  # knows both kinds of slashes, and drives
        if path.anchor or ".." in path.parts or stat.S_ISLNK(info.external_attr >> 16):
            raise ValueError(
                f"The zip holds {info.filename!r}, which leads out of its folder. "
                "Nothing was unpacked."
            )


def unpack(archive, targets):
    """Unpack members of a ZipFile, each whole or not at all.

    targets: pairs of a member (ZipInfo) and the path it goes to. Raises BadZipFile if a
    member's checksum is wrong.
    """
    with byte_bar("unpack", sum(info.file_size for info, _ in targets)) as bar:
        for info, target in targets:
            target.parent.mkdir(parents=True, exist_ok=True)
            part = target.with_name(f".partial-{target.name}")
            try:
                with archive.open(info) as member, part.open("wb") as file:
                    shutil.copyfileobj(
                        CallbackIOWrapper(bar.update, member, "read"), file
                    )
                part.replace(target)
            finally:
                part.unlink(missing_ok=True)


def unpack_clips(archive, folder, clips):
    """Unpack clips ("class/file" as in the lists) to folder/UCF-101/<class>/, unless
    they are there; returns those that the ZipFile lacks.

    Members are found by file name, in any case. Raises ValueError for an unsafe zip or
    one with none of the clips, OSError if the disk is too small.
    """
    refuse_unsafe(archive)
    files = {
        PurePosixPath(info.filename).name.casefold(): info
        for info in archive.infolist()
    }
    lacking = [
        clip for clip in clips if PurePosixPath(clip).name.casefold() not in files
    ]
    if len(lacking) == len(clips):
        raise ValueError(
            f"The zip holds none of {len(clips)} clips, such as {clips[0]}."
        )
    targets = []
    for clip in not_there(folder, set(clips) - set(lacking)):
        info = files[PurePosixPath(clip).name.casefold()]
        place = folder / "UCF-101" / PurePosixPath(clip).parent.name
        targets.append((info, place / PurePosixPath(info.filename).name))
    require_space(folder, sum(info.file_size for info, _ in targets))
    unpack(archive, targets)
    return lacking


def not_there(folder, clips):
    """Those of the clips that folder/UCF-101 does not hold, sorted; case does not
    matter.
    """
    there = (folder / "UCF-101").glob("*/*.avi")
    names = {f"{file.parent.name}/{file.name}".casefold() for file in there}
    return sorted(clip for clip in clips if clip.casefold() not in names)


def fetch_part(source, folder, clips, patience=60):
    """Fetch single clips out of the zip at `source.url`; returns those that it
    lacks.
    """
    import requests
    from remotezip import RangeNotSupported, RemoteZip

    settings = {"timeout": patience, "headers": UNCOMPRESSED}

    def step():
        with (
            requests.Session() as session,
            RemoteZip(source.url, session=session, **settings) as archive,
        ):
            return unpack_clips(archive, folder, clips)

    try:
        return keep_trying(step, lambda: -len(not_there(folder, clips)), source.url)
    except RangeNotSupported as error:
        raise ConnectionError(
            f"{source.url} comes only whole. Set CLASSES and GROUPS to None to fetch"
            " all of it."
        ) from error


def fetch_whole(source, folder, clips, patience=60):
    """Download the whole zip, check it, unpack the clips, delete it; returns those
    it lacks.
    """
    file = folder / "UCF101_videos.zip"
    part = file.with_name(f".partial-{file.name}")
    there = sum(path.stat().st_size for path in (file, part) if path.exists())
    require_space(
        folder, 2 * source.size - there
    )  # the zip, and as much again unpacked
    with ZipFile(download(source, file, patience)) as archive:
        lacking = unpack_clips(archive, folder, clips)
    file.unlink()
    return lacking


def fetch_lists(folder, lists, patience=60):
    """Fetch the official lists to folder/ucfTrainTestlist, unless `folder` has
    lists.
    """
    file = folder / "UCF101_lists.zip"
    if lists_in(folder) and not file.exists():
        return
    with ZipFile(download(lists, file, patience)) as archive:
        refuse_unsafe(archive)
        names = {info: PurePosixPath(info.filename).name for info in archive.infolist()}
        texts = [(info, name) for info, name in names.items() if name.endswith(".txt")]
        unpack(
            archive,
            [(info, folder / "ucfTrainTestlist" / name) for info, name in texts],
        )
    file.unlink()


def fetch_ucf101(folder, classes=10, groups=None, videos=None, lists=None, patience=60):
    """Get UCF101, or a part of it: `folder` then holds `UCF-101/<class>/v_….avi` and
    `ucfTrainTestlist/*.txt`.

    classes, groups: see `choose_clips`; videos, lists: a Source each, by default the
    official one or its `mirror`; patience: seconds to wait for a silent server. What is
    there is not fetched again, and videos that were unpacked by hand are left alone.
    Raises ConnectionError, ValueError or OSError with the reason.
    """
    videos = videos or mirror("FRAMEVOTE_UCF101_VIDEOS", UCF101_VIDEOS)
    lists = lists or mirror("FRAMEVOTE_UCF101_LISTS", UCF101_LISTS)
    folder.mkdir(parents=True, exist_ok=True)
    journal = (
        folder / "fetched.txt"
    )  # there if we fetched; names clips that the zip lacks
    by_hand = not journal.exists() and any(map(any, map(folder.glob, VIDEOS_AT)))
    fetch_lists(folder, lists, patience)
    if by_hand:
        print(
            f"{folder.name}: the videos were unpacked by hand, and are used as they are"
        )
        return
    chosen = choose_clips(listed_clips(folder), classes, groups)
    lacking = (
        journal.read_text(encoding="utf-8").splitlines() if journal.exists() else []
    )
    wanted = not_there(folder, set(chosen) - set(lacking))
    if wanted:
        journal.touch()
        fetch = fetch_whole if classes is None and groups is None else fetch_part
        lacking = sorted({*lacking, *fetch(videos, folder, wanted, patience)})
        journal.write_text("\n".join(lacking), encoding="utf-8")
    absent = len(not_there(folder, chosen))
    print(
        f"{folder.name}: {len(chosen) - absent} of {len(chosen)} chosen clips are"
        " there",
        end="",
    )
    print(f", {absent} are not in the zip" if absent else "")
