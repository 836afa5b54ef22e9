"""A folder of videos as a table of clips: names, groups, lists, held-out clips."""

import hashlib
import mimetypes
import os
import re
import warnings
from collections import Counter
from functools import partial
from pathlib import Path, PurePosixPath

from toolbox.clips.listed import (
    PART,
    PATH,
    finder,
    is_segments,
    parts_in_lists,
    path_key,
    read_groups,
    read_lists,
    read_rows,
    read_segments,
)
from toolbox.clips.read import probe, result_or_problem
from toolbox.page import in_threads, progress
from toolbox.store import FRAGMENT, file_of

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold

NONE = "none of these"  # what is said where no class is likely enough
PLACES = ("videos", "ucf-101")  # where class folders may lie in a dataset's folder
# bins and indexes of Windows, macOS and network drives
NOT_OURS = re.compile(
    r"\..*|[#@]recycle|\$recycle\.bin|@eadir|lost\+found|__macosx|"
    "system volume information",
    re.IGNORECASE,
)
VIDEO = re.compile(
    r"\.(3g2|3gp|asf|avi|divx|dv|f4v|flv|m2ts|m2v|m4v|mkv|mov|mp4|mpe|mpeg|mpg|mts|mxf"
    r"|ogv|qt|ts|vob|webm|wmv)\Z",
    re.IGNORECASE,
)
FACTS = ["frames", "fps", "width", "height"]  # of `probe`
GROUP = re.compile(r"_g(\d+)(?=_)", re.IGNORECASE)
RECORDINGS = {"video": PATH, "recording": "recording"}  # columns, and their names


def find_videos(folder):
    """The clips of a dataset: rows of `class` (the folder's name) and `video` (its path
    below `folder`, with forward slashes). See `look_through`.
    """
    return look_through(folder)[0]


def look_through(folder):
    """The clips of a dataset, as of `find_videos`, and what can't be one: rows of
    `class`, `video` and `reason`.

    Class folders are looked for in the folders `videos` and `UCF-101` of `folder`, then
    in itself; a clip lies in its class's folder or in a folder there, its group. Class
    folders may lie in folders of parts, such as train and test (see `part_folders`), or
    hold them. Parts of longer videos are clips, too, if a table `segments.csv` beside
    them says so, see `read_segments`. Hidden files and folders, and bins, are left out.
    Raises ValueError if there are not two classes, or a table can't be used.
    """
    files = list(files_below(folder))
    maybe = [file for file in files if VIDEO.search(file) or is_segments(file)]
    segments, aside = read_segments(folder, maybe)
    rows = [
        (label, part, why or odd_name(label, part)) for label, part, why in segments
    ]
    files = [file for file in files if file not in aside and not is_segments(file)]
    tops = sorted({file.partition("/")[0] for file in files if "/" in file})
    places = [f"{top}/" for name in PLACES for top in tops if top.casefold() == name]
    found = {place: files_in_classes(files, place) for place in [*places, ""]}
    filled = (place for place, its in found.items() if any(not why for *_, why in its))
    chosen = next(filled, "")
    why = f"it lies beside the folder {chosen[:-1]}, whose classes are used"
    beside = [
        (label, file, why)
        for label, file, reason in found[""]
        if not reason and not file.startswith(chosen)
    ]
    rows, columns = [*found[chosen], *rows, *beside], ["class", "video", "reason"]
    table = pd.DataFrame(rows, columns=columns, dtype=object)
    table = table.map(lambda text: text.encode(errors="replace").decode())
    usable = table["reason"] == ""
    videos = table.loc[usable, ["class", "video"]].reset_index(drop=True)
    odd = table[~usable].reset_index(drop=True)
    classes = videos["class"].unique()
    if len(classes) < 2 or all(map(PART.fullmatch, classes)):
        found = f"Found: {' and '.join(classes) or 'none'}."
        if len(odd):
            found += f" {odd['video'][0]} can't be used: {odd['reason'][0]}."
        raise ValueError(
            f"{folder} must hold a folder of videos for each of two or more classes:"
            f" folder/<class>/<video>, or a table segments.csv beside long videos."
            f" {found} Parts, such as train and test, are no classes, but may hold the"
            " classes' folders."
        )
    return videos, odd


def files_in_classes(files, place):
    """What may be a clip in the class folders of a place, a folder's path with a slash
    or "": rows of class, path and reason: "", or why it can't be one.

    files: paths below the dataset's folder.
    """
    files = [file for file in files if file.startswith(place)]
    paths = [file.removeprefix(place).split("/") for file in files]
    tops = {path[0] for path in paths if len(path) > 1}
    parts = {top for top in tops if PART.fullmatch(top)}
    kinds = {bool(PART.fullmatch(part)["train"]) for part in parts}
    inside = any(len(path) > 2 and path[0] in parts for path in paths)
    inside = inside and (parts == tops or len(kinds) == 2)
    rows = []
    for file, path in zip(files, paths, strict=True):
        below = path[1:] if inside and path[0] in parts else path
        is_video = VIDEO.search(file)
        if len(below) < 2 or (inside and below is path):
            if is_video:
                rows.append(("", file, "it lies in no class's folder"))
        elif (why := reason_against(below, is_video)) is not None:
            rows.append((below[0], file, why))
    return rows


def files_below(folder, path="", above=()):
    """Yield the paths of the files of a folder, with forward slashes, and then of those
    of its folders; hidden ones and bins are left out, and links that lead back. Raises
    PermissionError where one is locked. path: goes in front.
    """
    above = (*above, Path(folder).resolve())
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: (entry.is_dir(), entry.name))
    for entry in entries:
        if NOT_OURS.fullmatch(entry.name):
            continue
        if not entry.is_dir():
            yield path + entry.name
        elif Path(entry.path).resolve() not in above:
            yield from files_below(entry.path, f"{path}{entry.name}/", above)


def has_video_suffix(file):
    """Whether a file has one of the suffixes that the course takes for a video's."""
    return bool(VIDEO.search(file_of(file).name))


def reason_against(path, is_video):
    """Why a file can't be a clip; "" if it can, None if it is by its name a text, a
    picture or a sound. path: its steps from its class's folder on.
    """
    kind = "" if is_video else mimetypes.guess_type(path[-1])[0] or ""
    if kind.startswith(("text/", "image/", "audio/")):
        return None
    if why := odd_name(path[0], "/".join(path)):
        return why
    if len(path) > 3:
        return "it lies too deep; move it to <class>/<video> or <class>/<group>/<video>"
    return "" if is_video else "not a video by its name; rename it if so"


def odd_name(label, video):
    """Why a clip of this class and path can't be used, or ""."""
    if re.search(r"[\n\r\ud800-\udfff]", label + video):
        return "its name has a line break, or letters that are not Unicode; rename it"
    if label.casefold() == NONE:
        return "the course says that where no class fits; rename the class's folder"
    return ""


def part_folders(videos):
    """The folder of a part, such as train, that each clip lies in, above its class's
    folder or in it: a list of matches of PART, None for a clip in none. If all that lie
    in classes' folders are of one kind, they are groups: None for all.

    videos: DataFrame with `class` and `video`.
    """
    found, inside = [], False
    for label, video in zip(videos["class"], videos["video"], strict=True):
        folders = PurePosixPath(video).parts[:-1]
        matches = (PART.fullmatch(folder) for folder in folders if folder != label)
        found.append(match := next(filter(None, matches), None))
        if match and label in folders:
            inside |= folders.index(match.string) > folders.index(label)
    kinds = {bool(match["train"]) for match in found if match}
    return [None] * len(found) if inside and len(kinds) < 2 else found


def part_of_folders(videos):
    """The part of each clip, "train" or "test", by the folder of parts that it lies in,
    see `part_folders`; None, and a line says so, if that is train for all, or some clip
    lies in none. Without a test part, validation clips are the test clips. Raises
    ValueError if none is for training.
    """
    folders = part_folders(videos)
    if not any(folders):
        return None
    if None in folders:
        outside = videos["video"].iloc[folders.index(None)]
        print(f"folders of parts, such as train, don't count: {outside} lies in none")
        return None
    tests = [bool(folder["test"]) for folder in folders]
    if not any(tests):
        tests = [not folder["train"] for folder in folders]
    names = " and ".join(sorted({folder.string for folder in folders}))
    if all(tests):
        why = "there is no folder train, so a classifier has nothing to learn from"
        raise ValueError(f"All clips lie in {names}: {why}.")
    if not any(tests):
        print(f"all clips lie in {names}: those to test on are drawn from them")
        return None
    return ["test" if test else "train" for test in tests]


def clip_names(videos):
    """A unique name for each clip: its file name, with the class in front where two
    clips share it, shortened to 180 bytes of UTF-8.

    videos: DataFrame with `class` and `video`. Names that differ only in case count as
    the same (they are, on Windows and macOS).
    """
    stems = [name_of(video) for video in videos["video"]]
    shared = Counter(stem.casefold() for stem in stems)
    names, taken = [], set()
    for stem, label, video in zip(stems, videos["class"], videos["video"], strict=True):
        label = re.sub(r'[/\\:*?"<>|]', "_", label)  # of a table
        name = stem if shared[stem.casefold()] == 1 else f"{label}_{stem}"
        if len(name.encode()) > 180 or name.casefold() in taken:
            digest = hashlib.sha256(video.encode()).hexdigest()[:10]
            name = name.encode()[:169].decode(errors="ignore") + "_" + digest
        names.append(name)
        taken.add(name.casefold())
    return names


def name_of(video):
    """The name of a clip's file without its suffix, and the times of a part of a video:
    game_12.5-18.
    """
    times = FRAGMENT.search(video)
    stem = PurePosixPath(FRAGMENT.sub("", video)).stem
    return f"{stem}_{times['start']}-{times['end']}" if times else stem


def groups_of(videos, span_classes=None, listed=None):
    """The group of each clip, clips that were filmed together: the one of `listed`,
    where it has one; "g07" where the file name holds "_g07_", as in UCF101; else, for a
    part of a video, the video's path; else the folder between the class's and the clip,
    if any and none of `part_folders`; else the clip's own name.

    videos: DataFrame with `clip`, `class` and `video`; span_classes: whether a group of
    the same name in another class is the same footage. If not, the class stands in
    front ("Archery_g07"). None: not in the layout of UCF101, `UCF-101/<class>/<video>`,
    yes elsewhere and for groups of `listed`, a group or "" of each clip. Parts of one
    video are one group in any case.
    """
    listed_span = span_classes is not False
    if span_classes is None:
        places = videos["video"].str.partition("/")[0].str.casefold()
        span_classes = not (places == "ucf-101").all()
    groups, folders = [], part_folders(videos)
    if None in folders:
        folders = [None] * len(folders)
    listed = listed or [""] * len(videos)
    columns = videos["clip"], videos["class"], videos["video"], listed, folders
    for clip, label, video, group, part in zip(*columns, strict=True):
        path = PurePosixPath(FRAGMENT.sub("", video))
        span = listed_span if group else span_classes
        span, parent = span or FRAGMENT.search(video), path.parent.name
        if not group and (match := GROUP.search(path.name)):
            group = f"g{int(match[1]):02d}"
        elif not group and FRAGMENT.search(video):
            group = path.with_suffix("").as_posix()
        elif not group and parent not in (label, part and part.string):
            group = parent
        groups.append((group if span else f"{label}_{group}") if group else clip)
    return groups


def recordings_of(folder, videos):
    """The recording of a movement that each clip is made from, by `recordings.csv` in a
    dataset's folder (columns video, recording): a list of text, "" where it says none;
    None where no such table is there. videos: DataFrame with `video`.
    """
    try:
        rows = read_rows(folder / "recordings.csv", RECORDINGS, "Walk/a.avi,walk")
    except (FileNotFoundError, ValueError):  # not there, or a table of something else
        return None
    keys = [path_key(video) for video in videos["video"]]
    find = finder(keys)
    recording_of = {find(row["video"]): row["recording"] for row in rows}
    return [recording_of.get(key, "") for key in keys]


def sha256_of(path):
    """The SHA-256 of a file, as hexadecimal text."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def copies_of(folder, videos):
    """What clips have in common whose files are the same byte for byte, and whose times
    are, if they are parts: a Series of text, by their path in `videos`.

    videos: DataFrame with `video` and `bytes`, the file's size.
    """
    files = [FRAGMENT.sub("", video) for video in videos["video"]]
    sizes = videos.assign(file=files).drop_duplicates("file").set_index("file")["bytes"]
    alike = sizes.index[sizes.duplicated(keep=False)]
    digests = {file: sha256_of(folder / file) for file in alike}
    copies = {
        video: digests[file] + video.removeprefix(file)
        for video, file in zip(videos["video"], files, strict=True)
        if file in digests
    }
    copies = pd.Series(copies, dtype=object)
    return copies[copies.duplicated(keep=False)]


def groups_with_copies(videos, copies):
    """The groups of clips, a Series: one that nobody gave a group, so that its group is
    its name, gets that of a copy of its class. copies: from `copies_of`.
    """
    alone = videos["group"] == videos["clip"]
    table = videos.assign(copy=videos["video"].map(copies), alone=alone)
    table = table.sort_values("alone", kind="stable")  # given groups first
    shared = table.groupby(["copy", "class"])["group"].transform("first")
    return videos["group"].where(~alone, shared).fillna(videos["clip"])


def hold_out(videos, share=0.3, seed=42):
    """Choose a test part: an array with "train" or "test" for each clip.

    videos: DataFrame with `class` and `group`. Whole groups are held out, classes in
    proportion, if some group has several clips (scikit-learn's StratifiedGroupKFold),
    but never all clips of a class; otherwise the share is drawn from each class, at
    least one clip, never its only one.
    """
    groups, labels = videos["group"], videos["class"]
    folds = min(max(2, round(1 / share)), groups.nunique(), labels.value_counts().max())
    parts = np.full(len(videos), "train", dtype=object)
    if not groups.duplicated().any() or folds < 2:
        rng = np.random.default_rng(seed)
        for members in videos.groupby("class").indices.values():
            wanted = min(max(1, round(share * len(members))), len(members) - 1)
            parts[rng.permutation(members)[:wanted]] = "test"
        return parts
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings(action="ignore"):  # small classes are welcome here
        tests = [test for _, test in splitter.split(videos, labels, groups)]
    for test in tests:
        parts[test] = "test"
        unlearned = set(labels) - set(labels[parts == "train"])
        parts[groups.isin(groups[labels.isin(unlearned)])] = "train"
        if "test" in parts:
            break
    return parts


def draw(clips, given, share, seed):
    """Parts drawn by `hold_out`, a Series of "train" and "test". given: whether clips
    were given groups; if not, only copies share one, and count as one clip.
    """
    if given:
        return pd.Series(hold_out(clips, share, seed), clips.index, dtype=object)
    once = clips.drop_duplicates("group")
    parts = dict(zip(once["group"], hold_out(once, share, seed), strict=True))
    return clips["group"].map(parts)


def draw_on(clips, given, share, seed, earlier):
    """Parts as in the table `earlier` for the clips that it has and their groups, and
    as of `draw` for other groups. All are drawn anew, and a line says so, if a group
    would be in both parts, a class have no clip to train on, or nothing be left to
    test on.
    """
    before = clips["video"].map(earlier.set_index("video")["part"]).astype(object)
    of_group = clips.assign(part=before).dropna(subset="part")
    of_group = of_group.drop_duplicates(["group", "part"]).set_index("group")["part"]
    torn = of_group.index.duplicated()
    of_group = of_group[~torn]
    parts = clips["group"].map(of_group).astype(object)
    new = clips[parts.isna()]
    parts = parts.fillna("train")
    if len(set(new["group"])) > 1:
        parts[new.index] = draw(new, given, share, seed)
    unlearned = set(clips["class"]) - set(clips["class"][parts == "train"])
    if torn.any():
        why = "a group lay in both parts"
    elif unlearned:
        why = f"{min(unlearned)} had no clip to train on"
    elif "test" not in set(parts):
        why = "no clip was left to test on"
    else:
        return parts
    anew = draw(clips, given, share, seed)
    if not anew.equals(before):
        print(f"the test part is drawn anew: {why}")
    return anew


def size_of(path):
    """The size of a file in bytes; 0 if it isn't there."""
    try:
        return file_of(path).stat().st_size
    except OSError:
        return 0


def open_clips(folder, videos, earlier=None):
    """Open clips: a DataFrame of `bytes` (the file's size), FACTS, and `reason`, why
    one can't be read, or "". What the table `earlier` knows, of as many bytes, is not
    opened again.
    """
    sizes = [size_of(folder / video) for video in videos["video"]]
    found = dict.fromkeys(zip(videos["video"], sizes, strict=True))
    if earlier is not None and "bytes" in earlier:
        known = zip(earlier["video"], earlier["bytes"], strict=True)
        known = zip(known, earlier[FACTS].to_dict("records"), strict=True)
        found |= {clip: facts for clip, facts in known if clip in found}
    todo = [clip for clip, facts in found.items() if facts is None]
    if todo:
        paths = [folder / video for video, _ in todo]
        probed = in_threads(partial(result_or_problem, probe), paths)
        which = "every clip" if len(todo) == len(found) else "new clips"
        bar = {"total": len(todo), "desc": f"open {which}", "unit": "clip"}
        for clip, (facts, reason) in zip(todo, progress(probed, **bar), strict=True):
            found[clip] = facts or {"reason": reason}
    table = pd.DataFrame(list(found.values()), videos.index, [*FACTS, "reason"])
    reasons = table["reason"].astype(object).fillna("")
    return table.assign(bytes=sizes, reason=reasons)


def make_video_table(
    dataset_folder,
    split=1,
    test_share=0.3,
    seed=42,
    groups_span_classes=None,
    earlier=None,
):
    """Find, sort and open all clips of a dataset.

    dataset_folder: holds a folder for each class; split: the number of the lists, where
    there are lists; test_share, seed: for `hold_out`, where there are none;
    groups_span_classes: as in `groups_of`; earlier: the table of clips that was made of
    the folder before: clips that it has aren't opened again, and keep their part, see
    `draw_on`. Returns two DataFrames: `videos` (clip, class, group, part, video,
    recording where known, see `recordings_of`, frames, fps, width, height, bytes) and
    `unreadable` (video, class, reason), with clips that are only in a list, or in none.
    Raises ValueError if fewer than two classes have clips to train on, or none is left
    for the test part.
    """
    videos, odd = look_through(dataset_folder)
    videos.insert(0, "clip", clip_names(videos))
    listed = read_groups(dataset_folder, videos)
    videos.insert(2, "group", groups_of(videos, groups_span_classes, listed))
    part_of, why = read_lists(dataset_folder, split), f"in no list of split {split}"
    if part_of is None:
        parts = pd.Series(part_of_folders(videos), videos.index, dtype=object)
    else:
        parts, absent = parts_in_lists(videos["video"], part_of)
        if parts.isna().all():
            why += f"; a line of one is {next(iter(part_of), 'not there')}"
        absent = pd.DataFrame({"video": absent}, dtype=object)
        absent["class"] = absent["video"].map(lambda name: name.split("/")[0])
        absent["reason"] = "named in a list, but not in the folder"
        odd = pd.concat([odd, absent])
    known = videos if part_of is None else videos[parts.notna()]
    details = open_clips(dataset_folder, known, earlier).reindex(videos.index)
    details["reason"] = details["reason"].fillna(why)
    readable = details["reason"] == ""
    clips = videos.assign(bytes=details["bytes"])[readable]
    copies = copies_of(dataset_folder, clips)
    given = videos["group"].duplicated().any()
    videos["group"] = groups_with_copies(videos, copies)
    if part_of is None and parts.isna().all():
        drawn = videos[readable], given, test_share, seed
        parts[:] = "train"
        parts[readable] = draw(*drawn) if earlier is None else draw_on(*drawn, earlier)
    videos.insert(3, "part", parts)
    if recordings := recordings_of(dataset_folder, videos):
        videos["recording"] = recordings
    videos, unreadable = sort_out(pd.concat([videos, details], axis=1), odd)
    warn_of_groups(videos, copies)
    warn_of_copies(videos, copies)
    return videos, unreadable


def sort_out(videos, odd):
    """Part the table of clips by its `reason` column ("" where a clip can be used);
    what is `odd` already (class, video, reason) is added to what can't.
    """
    usable = videos["reason"] == ""
    learned = videos.loc[usable & (videos["part"] == "train"), "class"].unique()
    unlearned = usable & ~videos["class"].isin(learned)
    videos.loc[unlearned, "reason"] = "its class has no clip to train on"
    usable &= ~unlearned
    columns = ["video", "class", "reason"]
    aside = pd.concat([videos[~usable], odd], ignore_index=True)[columns]
    if len(learned) < 2:
        first = f", the first because: {aside['reason'][0]}" if len(aside) else ""
        raise ValueError(
            f"Classes with clips to train on: {len(learned)}; a classifier needs two."
            f" {len(aside)} clips were put aside{first}."
        )
    types = dict.fromkeys(["frames", "width", "height", "bytes"], int)
    types |= dict.fromkeys(["clip", "class", "group", "part", "video"], str)
    types |= dict.fromkeys(videos.columns.intersection(["recording"]), str)
    videos = videos[usable].drop(columns="reason").astype(types)  # as `read_csv` has
    if "test" not in set(videos["part"]):
        raise ValueError(
            "No clip is left to test on. A class needs at least two clips that can be"
            " read, one to learn from and one to test on; if they have groups, of two"
            " groups. Lists must name clips for both parts."
        )
    return videos.reset_index(drop=True), aside.astype(str)


def warn_of_groups(videos, copies):
    """Print a line if a group that was given is in both parts; `warn_of_copies` tells
    of others.
    """
    clips = videos[~videos["video"].isin(copies.index)]
    of_group = clips.drop_duplicates(["group", "part"])
    both = of_group[of_group["group"].duplicated(keep=False)]
    if len(both):
        first = both["video"][both["group"] == both["group"].iloc[0]]
        print(
            f"Warning: groups with clips in both parts: {len(both) // 2}, so the test"
            f" flatters you; {' and '.join(first)}, for example."
        )


def warn_of_copies(videos, copies):
    """Print a line if clips that are the same byte for byte are of two classes, or in
    both parts. copies: from `copies_of`, before rows were taken out.
    """
    clips = videos[["video", "class", "part"]].assign(copy=videos["video"].map(copies))
    for column, what in (
        ("class", "of another class: one of the labels is wrong"),
        ("part", "of the other part: the test flatters you"),
    ):
        suspects = clips[clips.groupby("copy")[column].transform("nunique") > 1]
        if len(suspects):
            alike = suspects[suspects["copy"] == suspects["copy"].iloc[0]]["video"]
            print(
                f"Warning: {len(suspects)} clips are copies of a clip {what};"
                f" {' and '.join(alike)}, for example."
            )
