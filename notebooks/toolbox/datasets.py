"""A folder of videos as a table of clips: places, names, groups, lists, held-out clips."""

import re
import warnings
from collections import Counter
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path, PurePosixPath

from toolbox.parallel import in_threads, progress
from toolbox.videos import probe

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold

BUILT_IN = {
    "mocap": "It is part of this repository: restore it with `git checkout data/mocap`.",
    "ucf101": "Notebook 00 fetches UCF101, or says how to unpack it there by hand.",
}


@dataclass(frozen=True)
class Dataset:
    """The places of one dataset: its `folder` of videos, and `data` and `weights` for what the
    course makes of it.
    """

    name: str
    folder: Path
    data: Path
    weights: Path


def open_dataset(choice, course=".."):
    """Find the dataset that the knob `DATASET` names.

    choice: "mocap", "ucf101", or the path of a folder of class folders; course: the folder that
    holds `data/` and `weights/`. Returns a Dataset. Raises FileNotFoundError if the folder is
    not there, NotADirectoryError if it is a file, and ValueError if another folder of the same
    name was used before (its results would be mixed with this one's).
    """
    course = Path(course).resolve()
    folder = course / "data" / choice if choice in BUILT_IN else Path(choice).expanduser().resolve()
    if not folder.exists():
        raise FileNotFoundError(
            f"There is no folder {folder}. {BUILT_IN.get(choice, 'Check the path in DATASET.')}"
        )
    if not folder.is_dir():
        raise NotADirectoryError(
            f"{folder} is a file. DATASET must name a folder that holds one folder of videos for "
            "each class."
        )
    data = course / "data" / folder.name
    source = data / "source.txt"
    if (
        choice not in BUILT_IN
        and source.exists()
        and Path(source.read_text(encoding="utf-8")) != folder
    ):
        raise ValueError(
            f"{data} holds what was made of {source.read_text(encoding='utf-8')}. Rename {folder}, "
            f"or delete {data}."
        )
    return Dataset(folder.name, folder, data, course / "weights" / folder.name)


VIDEO_SUFFIXES = {
    ".avi",
    ".mp4",
    ".m4v",
    ".mov",
    ".mkv",
    ".webm",
    ".mpg",
    ".mpeg",
    ".wmv",
    ".flv",
    ".ogv",
    ".3gp",
}


def videos_in(folder):
    """The video files directly inside a folder, sorted by name; hidden files are left out."""
    return sorted(
        file
        for file in folder.iterdir()
        if file.suffix.lower() in VIDEO_SUFFIXES and not file.name.startswith(".")
    )


def find_videos(folder):
    """List the clips of a dataset: rows of `class` (the folder's name) and `video` (its path below
    `folder`, with forward slashes).

    Class folders are looked for in `folder`, then in its `videos` and `UCF-101` folders. Raises
    ValueError if there are none, or only one.
    """
    for place in (folder / "videos", folder / "UCF-101", folder):
        classes = (
            sorted(child for child in place.iterdir() if child.is_dir() and videos_in(child))
            if place.is_dir()
            else []
        )
        if classes:
            break
    else:
        loose = (
            f" It holds {len(videos_in(folder))} videos directly: sort them into folders."
            if videos_in(folder)
            else ""
        )
        raise ValueError(
            f"{folder} has no class folders with videos in them. The course expects "
            f"folder/<class>/<video>.{loose}"
        )
    for file in (file for child in classes for file in videos_in(child)):
        try:
            str(file).encode()
        except UnicodeEncodeError:
            name = os.fsencode(file)
            raise ValueError(f"The name of {name!r} is not Unicode. Rename it.") from None
    if len(classes) == 1:
        raise ValueError(
            f"{folder} has videos of one class only ({classes[0].name}). A classifier needs at "
            "least two to choose from."
        )
    rows = [
        (child.name, file.relative_to(folder).as_posix())
        for child in classes
        for file in videos_in(child)
    ]
    return pd.DataFrame(rows, columns=["class", "video"])


def clip_names(videos, longest=180):
    """A unique name for each clip: its file name, with the class in front where two clips share it,
    shortened where too long.

    videos: DataFrame with `class` and `video`; longest: bytes of UTF-8. Names that differ only
    in case count as the same (they are, on Windows and macOS).
    """
    stems = [PurePosixPath(video).stem for video in videos["video"]]
    shared = Counter(stem.casefold() for stem in stems)
    names, taken = [], set()
    for stem, label, video in zip(stems, videos["class"], videos["video"], strict=True):
        name = stem if shared[stem.casefold()] == 1 else f"{label}_{stem}"
        if len(name.encode()) > longest or name.casefold() in taken:
            digest = sha256(video.encode()).hexdigest()[:10]
            name = name.encode()[: longest - 11].decode(errors="ignore") + "_" + digest
        names.append(name)
        taken.add(name.casefold())
    return names


GROUP = re.compile(r"_g(\d+)(?=_)", re.IGNORECASE)


def groups_of(videos):
    """The group of each clip: "g07" where the file name holds "_g07_", as in UCF101; the clip's own
    name where it does not.
    """
    matches = [GROUP.search(PurePosixPath(video).name) for video in videos["video"]]
    return [
        f"g{int(match[1]):02d}" if match else clip
        for match, clip in zip(matches, videos["clip"], strict=True)
    ]


def read_lists(folder, split=1):
    """Read UCF101-style lists: a dict from "class/file" in lower case to "train" or "test"; None
    where there are no lists.

    Looks for `trainlist01.txt` and `testlist01.txt` (01 is the split) in `folder` and in its
    `ucfTrainTestlist`. Raises FileNotFoundError if the dataset brings lists but not of this
    split, and ValueError if one of the pair is missing or a clip is in both.
    """
    for place in (folder, folder / "ucfTrainTestlist"):
        if any(place.glob("trainlist*.txt")) or any(place.glob("testlist*.txt")):
            break
    else:
        return None
    files = {part: place / f"{part}list{split:02d}.txt" for part in ("train", "test")}
    missing = [file.name for file in files.values() if not file.exists()]
    if missing:
        raise FileNotFoundError(
            f"{place} lacks {' and '.join(missing)}. Set OFFICIAL_SPLIT to lists that are there."
        )
    part_of = {}
    for part, file in files.items():
        for line in file.read_text(encoding="utf-8-sig").splitlines():
            name = re.sub(
                r"\s+\d+$", "", line.strip()
            ).casefold()  # "Walk/v_Walk_g01_c01.avi 14": the number is the class
            if name and part_of.setdefault(name, part) != part:
                raise ValueError(
                    f"{name} is in both {files['train'].name} and {files['test'].name}. A test "
                    "clip must not be trained on."
                )
    return part_of


def hold_out(videos, share=0.3, seed=42):
    """Choose a test part: an array with "train" or "test" for each clip.

    videos: DataFrame with `class` and `group`. Whole groups are held out, classes in proportion,
    if some group has several clips (scikit-learn's StratifiedGroupKFold), but never all clips of
    a class; otherwise the share is drawn from each class, at least one clip, never its only one.
    """
    parts = np.full(len(videos), "train", dtype=object)
    folds = min(
        max(2, round(1 / share)), videos["group"].nunique(), videos["class"].value_counts().max()
    )
    if videos["group"].duplicated().any() and folds > 1:
        with warnings.catch_warnings(action="ignore"):  # small classes are welcome here
            splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
            _, test = next(splitter.split(videos, videos["class"], videos["group"]))
        parts[test] = "test"
        unlearned = set(videos["class"]) - set(videos["class"][parts == "train"])
        parts[videos["group"].isin(videos["group"][videos["class"].isin(unlearned)])] = "train"
        return parts
    rng = np.random.default_rng(seed)
    for members in videos.groupby("class").indices.values():
        wanted = min(max(1, round(share * len(members))), len(members) - 1)
        parts[rng.permutation(members)[:wanted]] = "test"
    return parts


def probe_or_reason(folder, video):
    """The properties of one clip, or {"reason": why it can't be read}."""
    try:
        return probe(folder / video)
    except ValueError as error:
        return {"reason": str(error)}


def make_video_table(folder, split=1, test_share=0.3, seed=42):
    """Find, sort and open all clips of a dataset.

    Returns two DataFrames: `videos` (clip, class, group, part, video, frames, fps, width,
    height) and `unreadable` (video, class, reason), which also lists clips that are in a list
    but not on disk, or on disk but in no list. Raises ValueError if fewer than two classes
    remain.
    """
    videos = find_videos(folder)
    videos.insert(0, "clip", clip_names(videos))
    videos.insert(2, "group", groups_of(videos))
    probed = in_threads(partial(probe_or_reason, folder), videos["video"])
    details = pd.DataFrame(
        list(progress(probed, total=len(videos), desc="open every clip", unit="clip"))
    )
    details = details.reindex(columns=["frames", "fps", "width", "height", "reason"])
    details["reason"] = details["reason"].astype(object)
    part_of = read_lists(folder, split)
    if part_of is None:
        parts = pd.Series("train", index=videos.index, dtype=object)
        readable = details["reason"].isna()
        parts[readable] = hold_out(videos[readable], test_share, seed)
        missing = []
    else:
        keys = ["/".join(PurePosixPath(video).parts[-2:]).casefold() for video in videos["video"]]
        parts = pd.Series(keys).map(part_of)
        missing = sorted(set(part_of) - set(keys))
        details.loc[parts.isna(), "reason"] = f"in no list of split {split}"
    videos.insert(3, "part", parts)
    return sort_out(pd.concat([videos, details], axis=1), missing)


def sort_out(videos, missing=()):
    """Part the table of clips by its `reason` column, into `videos` and `unreadable`; add clips
    that lists name but the folder lacks.
    """
    bad = videos["reason"].notna()
    absent = pd.DataFrame(
        {"video": list(missing), "reason": "named in a list, but not in the folder"}
    )
    absent["class"] = [PurePosixPath(video).parent.name for video in missing]
    unreadable = pd.concat(
        [videos.loc[bad, ["video", "class", "reason"]], absent], ignore_index=True
    )
    videos = (
        videos[~bad]
        .drop(columns="reason")
        .astype({"frames": int, "width": int, "height": int})
        .reset_index(drop=True)
    )
    if videos["class"].nunique() < 2:
        raise ValueError(
            f"Only {videos['class'].nunique()} class has readable clips; a classifier needs two. "
            f"{len(unreadable)} clips were put "
            f"aside, the first because: {unreadable['reason'].iloc[0] if len(unreadable) else '-'}."
        )
    for part in ("train", "test"):
        if part not in set(videos["part"]):
            raise ValueError(
                f"No clip is left for the {part} part. A class needs two readable clips or more, "
                "and lists must name clips for both parts."
            )
    return videos, unreadable[["video", "class", "reason"]]
