"""A folder of videos as a table of clips: names, groups, lists, held-out clips."""

import csv
import hashlib
import mimetypes
import os
import re
import unicodedata
import warnings
from collections import Counter
from functools import partial
from pathlib import Path, PurePosixPath

from toolbox.clips.read import probe, result_or_problem
from toolbox.page import in_threads, progress

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold

VIDEO_SUFFIX = re.compile(
    r"\.(3g2|3gp|asf|avi|divx|dv|f4v|flv|m2ts|m2v|m4v|mkv|mov|mp4|mpe|mpeg|mpg|mts|mxf|ogv|qt|ts|vob"
    r"|webm|wmv)",
    re.IGNORECASE,
)
PARTS = {"train", "test", "val", "valid", "validation"}


PLACES = ("videos", "UCF-101", ".")  # where class folders may lie in a dataset's folder


def find_videos(folder):
    """List the clips of a dataset: rows of `class` (the folder's name) and `video` (its
    path below `folder`, with forward slashes).

    Class folders are looked for in the folders `videos` and `UCF-101` of `folder`, then
    in itself; a clip lies in its class's folder or in a folder there, its group. Hidden
    files and folders are left out. Raises ValueError if there are not at least two
    classes.
    """
    return look_through(folder)[0]


def look_through(folder):
    """The clips of a dataset, as `find_videos` lists them, and what can't be one: rows
    of `class`, `video` and `reason`.
    """
    for place in PLACES:
        table = files_in_classes(folder, folder / place)
        usable = table["reason"] == ""
        if usable.any():
            break
    videos = table.loc[usable, ["class", "video"]].reset_index(drop=True)
    odd = table[~usable].reset_index(drop=True)
    classes = videos["class"].unique()
    if len(classes) < 2 or {label.casefold() for label in classes} <= PARTS:
        found = f"Found: {' and '.join(classes) or 'none'}."
        if len(odd):
            found += f" {odd['video'][0]} can't be used: {odd['reason'][0]}."
        raise ValueError(
            f"{folder} must hold a folder of videos for each class, at least two: "
            f"folder/<class>/<video>. {found} Parts, such as train and test, are no "
            "classes: they go into trainlist01.txt and testlist01.txt."
        )
    return videos, odd


def files_in_classes(folder, place):
    """What may be a clip in the class folders of `place`: rows of `class`, `video` (its
    path below `folder`) and `reason`: "", or why it can't be one.
    """
    children = sorted(place.iterdir()) if place.is_dir() else []
    rows = [
        (child.name, file.relative_to(folder).as_posix(), reason)
        for child in children
        if child.is_dir() and not child.name.startswith(".")
        for file, reason in files_below(child)
    ]
    table = pd.DataFrame(rows, columns=["class", "video", "reason"], dtype=object)
    return table.map(lambda text: text.encode(errors="replace").decode())  # to be saved


def files_below(folder):
    """Yield what may be a clip of a class folder, sorted, as (path, "" or why it can't
    be one).
    """
    locked = []
    for place, folders, names in os.walk(folder, onerror=locked.append):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        files = [
            Path(place, name) for name in sorted(names) if not name.startswith(".")
        ]
        yield from (
            (file, reason_against(file, folder)) for file in files if may_be_video(file)
        )
    for error in locked:
        yield Path(error.filename), f"the folder can't be read ({error.strerror})"


def may_be_video(file):
    """Whether a file is not, by its name, a text, a picture or a sound."""
    kind = mimetypes.guess_type(file.name)[0] or ""
    return has_video_suffix(file) or not kind.startswith(("text/", "image/", "audio/"))


def has_video_suffix(file):
    """Whether a file has one of the suffixes that the course takes for a video's."""
    return VIDEO_SUFFIX.fullmatch(file.suffix) is not None


def reason_against(file, folder):
    """Why a file below a class folder can't be one of its clips, or ""."""
    path = file.relative_to(folder.parent)
    if re.search(r"[\n\r\ud800-\udfff]", str(path)):
        return "its name has a line break, or letters that are not Unicode; rename it"
    if len(path.parts) > 3:
        return "it lies too deep; move it to <class>/<video> or <class>/<group>/<video>"
    if not has_video_suffix(file):
        suffix = f" ({file.suffix})" if file.suffix else ""
        return f"not a video by its name{suffix}; rename it if it is one"
    return ""


def clip_names(videos, longest=180):
    """A unique name for each clip: its file name, with the class in front where two
    clips share it, shortened where too long.

    videos: DataFrame with `class` and `video`; longest: bytes of UTF-8. Names that
    differ only in case count as the same (they are, on Windows and macOS).
    """
    stems = [PurePosixPath(video).stem for video in videos["video"]]
    shared = Counter(stem.casefold() for stem in stems)
    names, taken = [], set()
    for stem, label, video in zip(stems, videos["class"], videos["video"], strict=True):
        name = stem if shared[stem.casefold()] == 1 else f"{label}_{stem}"
        if len(name.encode()) > longest or name.casefold() in taken:
            digest = hashlib.sha256(video.encode()).hexdigest()[:10]
            name = name.encode()[: longest - 11].decode(errors="ignore") + "_" + digest
        names.append(name)
        taken.add(name.casefold())
    return names


GROUP = re.compile(r"_g(\d+)(?=_)", re.IGNORECASE)


def groups_of(videos, span_classes=None, listed=None):
    """The group of each clip, clips that were filmed together: the one of `listed`,
    where it has one; "g07" where the file name holds "_g07_", as in UCF101; else the
    folder between the class's and the clip, where there is one; else the clip's own
    name.

    videos: DataFrame with `clip`, `class` and `video`; span_classes: whether a group of
    the same name in another class is the same footage. If not, the class stands in
    front ("Archery_g07"). None: not in the layout of UCF101, `UCF-101/<class>/<video>`,
    yes elsewhere and for groups of `listed`; listed: of each clip, its group or "", as
    `read_groups` gives them.
    """
    listed = listed or [""] * len(videos)
    listed_span = span_classes is not False
    if span_classes is None:
        span_classes = not videos["video"].str.startswith("UCF-101/").all()
    groups = []
    columns = videos["clip"], videos["class"], videos["video"], listed
    for clip, label, video, known in zip(*columns, strict=True):
        match = GROUP.search(PurePosixPath(video).name)
        folder = PurePosixPath(video).parent.name
        group = (
            f"g{int(match[1]):02d}" if match else folder if folder != label else None
        )
        if known:
            groups.append(known if listed_span else f"{label}_{known}")
        elif group is None:
            groups.append(clip)
        else:
            groups.append(group if span_classes else f"{label}_{group}")
    return groups


def read_groups(folder, videos):
    """The group that `groups.csv` in a dataset's folder gives each clip, "" where it
    gives none; a list of text. Prints how many clips it leaves out, and how many of its
    lines name no clip.

    videos: DataFrame with `video`. The file has the columns `video`, a path below the
    folder such as cat/a.mp4 (upper and lower case, / and \\, and a leading videos/ make
    no difference), and `group`, and is in UTF-8, separated by commas, semicolons (as
    Excel does in some languages) or tabs. Raises ValueError if it isn't, or gives a
    clip two groups.
    """
    file = folder / "groups.csv"
    if not file.exists():
        return [""] * len(videos)
    group_of, strangers = {}, []
    keys = videos["video"].map(path_key)
    known = set(keys)
    for video, group in lines_of_groups(file):
        key = path_key(video)
        if group_of.setdefault(key, group) != group:
            raise ValueError(
                f"{file} puts {video} into two groups: delete one of its lines."
            )
        if key not in known:
            strangers.append(video)
    groups = [group_of.get(key, "") for key in keys]
    if "" in groups:
        print(
            f"groups.csv: {groups.count('')} of {len(groups)} clips have no group in"
            " it; names and folders decide for them"
        )
    if strangers:
        print(
            f"groups.csv: lines that name no clip: {len(strangers)}, the first"
            f" {strangers[0]}"
        )
    return groups


def lines_of_groups(file):
    """The lines of a `groups.csv` that give a group, as pairs (video, group) of text;
    errors as in `read_groups`.
    """
    try:
        text = {"dtype": str, "keep_default_na": False, "encoding": "utf-8-sig"}
        table = pd.read_csv(file, sep=None, engine="python", index_col=False, **text)
        table = table.rename(columns=lambda name: name.strip().casefold())
        table = table[["video", "group"]].fillna("")
    except (ValueError, KeyError, csv.Error) as error:
        raise ValueError(
            f"{file} can't be used ({error}). It must be in UTF-8; its first line names"
            " the columns video and group, the next ones give a clip and its group"
            " each, such as cat/a.mp4,tom."
        ) from None
    pairs = [(video.strip(), group.strip()) for video, group in table.to_numpy()]
    return [(video, group) for video, group in pairs if group]


def path_key(video):
    """What a clip's path below its dataset's folder is compared by: not by case, kind
    of slash, or how accents are stored (macOS keeps them apart from their letters), nor
    by where the class folders lie.
    """
    path = PurePosixPath(video.replace("\\", "/")).as_posix()
    return re.sub(
        "^(videos|ucf-101)/", "", unicodedata.normalize("NFC", path).casefold()
    )


def list_keys(videos):
    """What lists call each clip: "class/file" or "class/group/file", in lower case."""
    paths = [PurePosixPath(video) for video in videos["video"]]
    return [
        "/".join(path.parts[-2 if path.parent.name == label else -3 :]).casefold()
        for path, label in zip(paths, videos["class"], strict=True)
    ]


def read_lists(folder, split=1):
    """Read UCF101-style lists: a dict from "class/file" in lower case to "train" or
    "test"; None where there are no lists.

    Looks for `trainlist01.txt` and `testlist01.txt` (01 is the split) in `folder` and
    in its `ucfTrainTestlist`. Raises FileNotFoundError if the dataset brings lists but
    not of this split, or without one of the pair, and ValueError if a clip is in both
    or a list is not in UTF-8.
    """
    places = (folder, folder / "ucfTrainTestlist")
    place = next(
        (place for place in places if any(place.glob("t*list[0-9]*.txt"))), None
    )
    if place is None:
        return None
    part_of = {}
    for part in ("train", "test"):
        file = place / f"{part}list{split:02d}.txt"
        if not file.exists():
            raise FileNotFoundError(
                f"There is no {file}. Set OFFICIAL_SPLIT to lists that exist."
            )
        try:
            text = file.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError:
            raise ValueError(f"{file} is not in UTF-8: save it as UTF-8.") from None
        for line in text.splitlines():
            # "Walk/v_Walk_g01_c01.avi 14": the number is the class
            name = re.sub(r"\s+\d+$", "", line.strip()).casefold()
            if name and part_of.setdefault(name, part) != part:
                raise ValueError(
                    f"{name} is in both lists of split {split} in {place}. A test clip"
                    " must not be trained on."
                )
    return part_of


def hold_out(videos, share=0.3, seed=42):
    """Choose a test part: an array with "train" or "test" for each clip.

    videos: DataFrame with `class` and `group`. Whole groups are held out, classes in
    proportion, if some group has several clips (scikit-learn's StratifiedGroupKFold),
    but never all clips of a class; otherwise the share is drawn from each class, at
    least one clip, never its only one.
    """
    groups, labels = videos["group"], videos["class"]
    folds = min(max(2, round(1 / share)), groups.nunique(), labels.value_counts().max())
    if not groups.duplicated().any() or folds < 2:
        parts = np.full(len(videos), "train", dtype=object)
        rng = np.random.default_rng(seed)
        for members in videos.groupby("class").indices.values():
            wanted = min(max(1, round(share * len(members))), len(members) - 1)
            parts[rng.permutation(members)[:wanted]] = "test"
        return parts
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings(action="ignore"):  # small classes are welcome here
        tests = [test for _, test in splitter.split(videos, labels, groups)]
    for test in tests:
        parts = np.full(len(videos), "train", dtype=object)
        parts[test] = "test"
        unlearned = set(labels) - set(labels[parts == "train"])
        parts[groups.isin(groups[labels.isin(unlearned)])] = "train"
        if "test" in parts:
            break
    return parts


def make_video_table(
    dataset_folder, split=1, test_share=0.3, seed=42, groups_span_classes=None
):
    """Find, sort and open all clips of a dataset.

    dataset_folder: holds a folder for each class; split: the number of the lists, where
    there are lists; test_share, seed: for `hold_out`, where there are none;
    groups_span_classes: as in `groups_of`. Returns two DataFrames: `videos` (clip,
    class, group, part, video, frames, fps, width, height) and `unreadable` (video,
    class, reason), which also lists clips that are in a list but not on disk, or on
    disk but in no list. Prints what `read_groups` does, and a warning if the same clip
    has two labels. Raises ValueError if fewer than two classes have clips to train on,
    or no clip is left for the test part, or as `read_groups` does.
    """
    videos, odd = look_through(dataset_folder)
    videos.insert(0, "clip", clip_names(videos))
    listed = read_groups(dataset_folder, videos)
    videos.insert(2, "group", groups_of(videos, groups_span_classes, listed))
    paths = [dataset_folder / video for video in videos["video"]]
    probed = in_threads(partial(result_or_problem, probe), paths)
    bar = progress(probed, total=len(videos), desc="open every clip", unit="clip")
    facts, reasons = zip(*bar, strict=True)
    details = pd.DataFrame(
        [fact or {} for fact in facts], columns=["frames", "fps", "width", "height"]
    ).assign(reason=reasons)
    part_of = read_lists(dataset_folder, split)
    if part_of is None:
        parts = pd.Series("train", index=videos.index, dtype=object)
        readable = details["reason"] == ""
        parts[readable] = hold_out(videos[readable], test_share, seed)
    else:
        keys = list_keys(videos)
        parts = pd.Series(keys).map(part_of)
        details.loc[parts.isna(), "reason"] = f"in no list of split {split}"
        absent = sorted(set(part_of) - set(keys))
        reason = "named in a list, but not in the folder"
        absent = [(name.split("/")[0], name, reason) for name in absent]
        odd = pd.concat([odd, pd.DataFrame(absent, columns=odd.columns)])
    videos.insert(3, "part", parts)
    videos, unreadable = sort_out(pd.concat([videos, details], axis=1), odd)
    warn_of_two_labels(dataset_folder, videos)
    return videos, unreadable


def sort_out(videos, odd):
    """Part the table of clips by its `reason` column ("" where a clip can be used);
    what is `odd` already (class, video, reason) is added to what can't.
    """
    usable = videos["reason"] == ""
    learned = videos["class"].isin(
        videos.loc[usable & (videos["part"] == "train"), "class"]
    )
    videos.loc[usable & ~learned, "reason"] = "its class has no clip to train on"
    usable &= learned
    columns = ["video", "class", "reason"]
    unreadable = pd.concat(
        [videos.loc[~usable, columns], odd[columns]], ignore_index=True
    )
    numbers = {"frames": int, "width": int, "height": int}
    videos = (
        videos[usable].drop(columns="reason").astype(numbers).reset_index(drop=True)
    )
    classes = videos["class"].unique()
    if len(classes) < 2:
        counted = "Only one class has" if len(classes) else "No class has"
        first = (
            f", the first because: {unreadable['reason'].iloc[0]}"
            if len(unreadable)
            else ""
        )
        raise ValueError(
            f"{counted} clips to train on; a classifier needs two. {len(unreadable)}"
            f" clips were put aside{first}."
        )
    if "test" not in set(videos["part"]):
        raise ValueError(
            "No clip is left for the test part. A class needs readable clips of two"
            " groups or more, and lists must name clips for both parts."
        )
    return videos, unreadable


def warn_of_two_labels(folder, videos):
    """Print a line if clips of different classes have the same content; returns how
    many there are.

    Content is compared only where sizes agree, by SHA-256.
    """
    paths = videos["video"].map(lambda video: folder / video)
    same_size = paths.map(lambda path: path.stat().st_size).duplicated(keep=False)
    digests = paths[same_size].map(digest_of_file)
    labels = videos["class"][same_size].groupby(digests)
    suspects = digests[labels.transform("nunique") > 1].sort_values(kind="stable")
    if len(suspects):
        first, second = videos["video"][
            suspects[suspects == suspects.iloc[0]].index[[0, -1]]
        ]
        print(
            f"Warning: {len(suspects)} clips have the content of a clip of another"
            f" class, {first} that of {second} for example: one of the labels is wrong."
        )
    return len(suspects)


def digest_of_file(path):
    """SHA-256 of a file's content, as hexadecimal text."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
