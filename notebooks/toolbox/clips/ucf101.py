"""UCF101 from the web, all of it or a part: clip by clip, out of a zip on a server."""

import hashlib
import io
import os
import shutil
import threading
import warnings
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import PurePosixPath
from zipfile import BadZipFile, ZipFile

from toolbox.page import in_threads, progress
from toolbox.store import whole

import numpy as np
import requests
from remotezip import RemoteZip, RemoteZipError
from requests.adapters import HTTPAdapter
from urllib3 import Retry
from urllib3.exceptions import HTTPError

VIDEOS = "https://storage.googleapis.com/thumos14_files/UCF101_videos.zip"
LISTS = "https://www.crcv.ucf.edu/data/UCF101/UCF101TrainTestSplits-RecognitionTask.zip"
LISTS_SHA256 = "5c0d1a53b8ed364a2ac830a73f405e51bece7d98ce1254fd19ed4a36b224bd27"
VIDEOS_AT = ("UCF-101/*/*", "videos/*/*", "*/*.avi")  # where people unpack them by hand
THREADS = 4
TIMEOUT = 60  # seconds of silence


def lists_in(folder):
    """The official lists (`trainlist01.txt`, …) in `folder` or its ucfTrainTestlist."""
    places = (folder, folder / "ucfTrainTestlist")
    return [file for place in places for file in sorted(place.glob("t*list0[123].txt"))]


def listed_clips(folder):
    """All clips that the lists name, as "class/file", sorted."""
    text = "\n".join(file.read_text() for file in lists_in(folder))
    return sorted({line.split()[0] for line in text.splitlines() if line.strip()})


def choose_clips(clips, classes=None, groups=None):
    """The clips of the wanted classes and groups; ValueError if they can't be chosen.

    clips: "class/file" as in the lists; classes: None for all, a number n for the first
    n by name, or a list of names (in any case); groups: None for all 25, a number n (4
    or more) for n spread evenly from 1 to 25, so that every official split finds some
    to train and some to test on, or a list of numbers.
    """
    parts = [clip.split("/") for clip in clips]
    classes = choose_classes(sorted({label for label, _ in parts}), classes)
    wanted = tuple(f"_g{group:02d}_" for group in choose_groups(groups))
    chosen = [
        f"{label}/{name}"
        for label, name in parts
        if label in classes and name[-12:].startswith(wanted)
    ]
    if not chosen:
        raise ValueError("CLASSES and GROUPS choose no clip.")
    return chosen


def choose_classes(known, classes=None):
    """Names of classes, as `known` spells them; classes: as in `choose_clips`."""
    if classes is None:
        return known
    if isinstance(classes, int):
        if not 2 <= classes <= len(known):
            raise ValueError(f"CLASSES = {classes}: from 2 to {len(known)}, or None.")
        return known[:classes]
    spelling = {name.casefold(): name for name in known}
    wanted = {name.casefold() for name in classes}
    for name in wanted - set(spelling):
        near = [spelling[key] for key in get_close_matches(name, spelling)]
        raise ValueError(f"CLASSES: UCF101 has no class {name!r}. Similar: {near}.")
    if len(wanted) < 2:
        raise ValueError("CLASSES: a classifier needs at least two to choose from.")
    return sorted(spelling[name] for name in wanted)


def choose_groups(groups=None, last=25):
    """Numbers of groups; groups: as in `choose_clips`."""
    numbers = range(1, last + 1)
    if isinstance(groups, int) and 4 <= groups <= last:
        return np.linspace(1, last, groups).round().astype(int).tolist()
    if isinstance(groups, int) or not set(groups or []) <= set(numbers):
        raise ValueError(
            f"GROUPS = {groups}: it may be 4 to {last}, a list of 1 to {last}, or None."
        )
    return list(numbers if groups is None else groups)


def open_session():
    """A requests.Session that asks a busy server again, after a pause."""
    session = requests.Session()
    session.headers["Accept-Encoding"] = "identity"
    retries = Retry(5, backoff_factor=0.5, status_forcelist=[429, 500, 502, 503, 504])
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(max_retries=retries))
    return session


@contextmanager
def saying_how_to_go_on(url):
    """In the block, an error of the network becomes a ConnectionError with advice."""
    network = requests.RequestException, HTTPError, RemoteZipError, BadZipFile, EOFError
    try:
        yield
    except network as error:
        raise ConnectionError(
            f"Fetching {url} failed: {error}. What has arrived is kept; run this again"
            " to go on, or unpack UCF101 by hand: notebook 00 says how."
        ) from error


def fetch_lists(folder):
    """Fetch the official lists to folder/ucfTrainTestlist, unless `folder` has lists.

    The certificate of UCF's own server has failed for many people. So it isn't asked
    for; the SHA-256 of the file vouches for it. Raises ValueError if that is wrong.
    """
    if lists_in(folder):
        return
    named = os.environ.get("FRAMEVOTE_UCF101_LISTS", LISTS).split()
    url, expected = [*named, LISTS_SHA256][:2]
    with saying_how_to_go_on(url), open_session() as session:
        with warnings.catch_warnings(action="ignore"):
            response = session.get(url, timeout=TIMEOUT, verify=False)
        response.raise_for_status()
    found = hashlib.sha256(response.content).hexdigest()
    if found != expected:
        raise ValueError(f"{url} was not used: its SHA-256 is {found}, not {expected}.")
    with ZipFile(io.BytesIO(response.content)) as archive:
        for info in archive.infolist():
            name = PurePosixPath(info.filename).name
            if name.endswith(".txt"):
                with whole(folder / "ucfTrainTestlist" / name) as part:
                    part.write_bytes(archive.read(info))


def not_there(folder, clips):
    """The clips that folder/UCF-101 does not hold, sorted; case does not matter."""
    there = (folder / "UCF-101").glob("*/*.avi")
    names = {f"{file.parent.name}/{file.name}".casefold() for file in there}
    return sorted(clip for clip in clips if clip.casefold() not in names)


def file_key(path):
    """What a clip is looked up by: its file's name, in lower case."""
    return PurePosixPath(path).name.casefold()


def fetch_clips(url, folder, clips):
    """Fetch clips ("class/file" as in the lists) out of the zip at `url`, where it has
    them, to folder/UCF-101/<class>/, each whole or not at all.

    Members are found by file name, in any case, and checked by their CRC-32. Raises
    ConnectionError if the server can't be reached or doesn't send ranges.
    """
    own = threading.local()  # a RemoteZip is for one thread alone

    def archive():
        if not hasattr(own, "archive"):
            own.archive = RemoteZip(url, session=open_session(), timeout=TIMEOUT)
        return own.archive

    def fetch(clip):
        info = members[file_key(clip)]
        home = folder / "UCF-101" / PurePosixPath(clip).parent.name
        with (
            whole(home / PurePosixPath(info.filename).name) as part,
            archive().open(info) as member,
            part.open("wb") as file,
        ):
            shutil.copyfileobj(member, file)

    with saying_how_to_go_on(url):
        members = {file_key(info.filename): info for info in archive().infolist()}
        held = [clip for clip in clips if file_key(clip) in members]
        fetched = in_threads(fetch, held, THREADS)
        for _ in progress(fetched, total=len(held), desc="fetch clips", unit="clip"):
            pass


def fetch_ucf101(folder, classes=10, groups=None):
    """Get UCF101, or a part of it: `folder` then holds `UCF-101/<class>/v_….avi` and
    `ucfTrainTestlist/*.txt`.

    classes, groups: see `choose_clips`. Clips that are there are not fetched again, so
    a run that was cut off goes on where it stopped; videos that were unpacked by hand
    are left alone. The environment variables FRAMEVOTE_UCF101_VIDEOS and
    FRAMEVOTE_UCF101_LISTS may name other addresses, that of the lists followed by
    another SHA-256. Raises ConnectionError, ValueError or OSError with the reason.
    """
    folder.mkdir(parents=True, exist_ok=True)
    fetch_lists(folder)
    mark = folder / "fetched.txt"  # empty; says that the videos are ours
    if not mark.exists() and any(map(any, map(folder.glob, VIDEOS_AT))):
        print(f"{folder.name}: its videos, unpacked by hand, are used as they are")
        return
    chosen = choose_clips(listed_clips(folder), classes, groups)
    mark.touch()
    if wanted := not_there(folder, chosen):
        fetch_clips(os.environ.get("FRAMEVOTE_UCF101_VIDEOS", VIDEOS), folder, wanted)
    absent = not_there(folder, chosen)
    there = f"{len(chosen) - len(absent)} of {len(chosen)}"
    print(f"{folder.name}: {there} chosen clips are there")
    if absent:
        print(f"not in the zip: {len(absent)}, the first {absent[0]}")
