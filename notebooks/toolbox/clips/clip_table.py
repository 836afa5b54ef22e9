"""A folder of videos as a table of clips: names, groups, lists, held-out clips."""

import csv
import hashlib
import mimetypes
import re
import unicodedata
import warnings
from collections import Counter
from functools import partial
from pathlib import PurePosixPath

from toolbox.clips.read import probe, result_or_problem
from toolbox.page import in_threads, progress

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold

NONE = "none of these"  # what is said where no class is likely enough
PLACES = ("videos", "UCF-101", ".")  # where class folders may lie in a dataset's folder
PART = re.compile(
    r"(\w+[ _-])?((?P<test>test)(ing|val|s)?|(?P<train>train)(ing|val)?"
    r"|val(id(ation)?)?|eval(uation)?|dev)"
    r"([ _-]?(sets?|data|videos?|clips?|split|\d+))?",
    re.IGNORECASE,
)
# bins and indexes of Windows, macOS and network drives
NOT_OURS = re.compile(
    r"\..*|[#@]recycle|\$recycle\.bin|@eadir|lost\+found|__macosx|"
    "system volume information",
    re.IGNORECASE,
)
VIDEO_SUFFIXES = """
    .3g2 .3gp .asf .avi .divx .dv .f4v .flv .m2ts .m2v .m4v .mkv .mov .mp4 .mpe .mpeg
    .mpg .mts .mxf .ogv .qt .ts .vob .webm .wmv
"""
GROUP = re.compile(r"_g(\d+)(?=_)", re.IGNORECASE)


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
    folders may lie in folders of parts, such as train and test (see `part_of_path`).
    Hidden files and folders, and bins, are left out. Raises ValueError if there are not
    two classes.
    """
    found = [files_in_classes(folder, folder / place) for place in PLACES]
    usable = [table["reason"] == "" for table in found]
    chosen = next((k for k, clips in enumerate(usable) if clips.any()), -1)
    table, usable = found[chosen], usable[chosen]
    videos = table.loc[usable, ["class", "video"]].reset_index(drop=True)
    odd = table[~usable]
    for other in found[chosen + 1 :] if chosen >= 0 else ():
        beside = other[~other["video"].str.startswith(f"{PLACES[chosen]}/")]
        reason = f"it lies beside the folder {PLACES[chosen]}, whose classes are used"
        odd = pd.concat([odd, beside[beside["reason"] == ""].assign(reason=reason)])
    odd = odd.reset_index(drop=True)
    classes = videos["class"].unique()
    if len(classes) < 2 or all(map(PART.fullmatch, classes)):
        found = f"Found: {' and '.join(classes) or 'none'}."
        if len(odd):
            found += f" {odd['video'][0]} can't be used: {odd['reason'][0]}."
        raise ValueError(
            f"{folder} must hold a folder of videos for each of two or more classes:"
            f" folder/<class>/<video>. {found} Parts, such as train and test, are no"
            " classes, but may hold the classes' folders."
        )
    return videos, odd


def files_in_classes(folder, place):
    """What may be a clip in the class folders of `place`: rows of `class`, `video` (its
    path below `folder`, fit to be saved) and `reason`: "", or why it can't be one.
    """
    homes = folders_in(place)
    loose = files_in(place)
    parts = [home for home in homes if PART.fullmatch(home.name)]
    others = [home for home in homes if home not in parts]
    kinds = {bool(PART.fullmatch(part.name)["train"]) for part in parts}
    inside = [home for part in parts for home in folders_in(part)]
    if inside and (not others or len(kinds) == 2):
        homes = inside
        loose += [file for part in parts for file in files_in(part)]
        loose += [file for home in others for file in files_below(home)]
    rows = [
        (home.name, file.relative_to(folder).as_posix(), reason_against(file, home))
        for home in homes
        for file in files_below(home)
    ]
    rows += [
        ("", file.relative_to(folder).as_posix(), "it lies in no class's folder")
        for file in filter(has_video_suffix, loose)
    ]
    table = pd.DataFrame(rows, columns=["class", "video", "reason"], dtype=object)
    return table.dropna().map(lambda text: text.encode(errors="replace").decode())


def folders_in(place):
    """The folders in a place, sorted; hidden ones and bins are left out."""
    found = (home for home in sorted(place.glob("*/")) if home.is_dir())
    return [home for home in found if not NOT_OURS.fullmatch(home.name)]


def files_in(place):
    """The files in a place, sorted; hidden ones are left out, and all below folders."""
    shown = sorted(place.glob("[!.]*"))
    return [file for file in shown if file.is_file()]


def part_of_path(videos):
    """The part of each clip, by the folder of parts that its class's folder lies in: a
    list of "train" and "test"; None if there are no such folders, or none but training.
    Without a test part, validation clips are the test clips.
    """
    above = [PurePosixPath(video).parts[:-2] for video in videos]
    parts = [next(filter(None, map(PART.fullmatch, names)), None) for names in above]
    if not all(parts):
        return None
    tests = [bool(part["test"]) for part in parts]
    if not any(tests):
        tests = [not part["train"] for part in parts]
    return ["test" if test else "train" for test in tests] if any(tests) else None


def files_below(folder, above=()):
    """Yield the files of a folder and then those of its folders, hidden ones and bins
    left out, and links that lead back. Raises PermissionError where one is locked.
    """
    above = (*above, folder.resolve())
    for path in sorted(folder.iterdir(), key=lambda path: (path.is_dir(), path.name)):
        if NOT_OURS.fullmatch(path.name):
            continue
        if not path.is_dir():
            yield path
        elif path.resolve() not in above:
            yield from files_below(path, above)


def has_video_suffix(file):
    """Whether a file has one of the suffixes that the course takes for a video's."""
    return file.suffix.lower() in VIDEO_SUFFIXES.split()


def reason_against(file, home):
    """Why a file below a class folder, `home`, can't be one of its clips; "" if it can,
    None if it is by its name a text, a picture or a sound.
    """
    kind = mimetypes.guess_type(file.name)[0] or ""
    if not has_video_suffix(file) and kind.startswith(("text/", "image/", "audio/")):
        return None
    if re.search(r"[\n\r\ud800-\udfff]", f"{home.name}/{file.relative_to(home)}"):
        return "its name has a line break, or letters that are not Unicode; rename it"
    if home.name.casefold() == NONE:
        return "the course says that where no class fits; rename the class's folder"
    if len(file.relative_to(home).parts) > 2:
        return "it lies too deep; move it to <class>/<video> or <class>/<group>/<video>"
    return "" if has_video_suffix(file) else "not a video by its name; rename it if so"


def clip_names(videos):
    """A unique name for each clip: its file name, with the class in front where two
    clips share it, shortened to 180 bytes of UTF-8.

    videos: DataFrame with `class` and `video`. Names that differ only in case count as
    the same (they are, on Windows and macOS).
    """
    stems = [PurePosixPath(video).stem for video in videos["video"]]
    shared = Counter(stem.casefold() for stem in stems)
    names, taken = [], set()
    for stem, label, video in zip(stems, videos["class"], videos["video"], strict=True):
        name = stem if shared[stem.casefold()] == 1 else f"{label}_{stem}"
        if len(name.encode()) > 180 or name.casefold() in taken:
            digest = hashlib.sha256(video.encode()).hexdigest()[:10]
            name = name.encode()[:169].decode(errors="ignore") + "_" + digest
        names.append(name)
        taken.add(name.casefold())
    return names


def groups_of(videos, span_classes=None, listed=None):
    """The group of each clip, clips that were filmed together: the one of `listed`,
    where it has one; "g07" where the file name holds "_g07_", as in UCF101; else the
    folder between the class's and the clip, if any; else the clip's own name.

    videos: DataFrame with `clip`, `class` and `video`; span_classes: whether a group of
    the same name in another class is the same footage. If not, the class stands in
    front ("Archery_g07"). None: not in the layout of UCF101, `UCF-101/<class>/<video>`,
    yes elsewhere and for groups of `listed`, a group or "" of each clip.
    """
    listed_span = span_classes is not False
    if span_classes is None:
        span_classes = not videos["video"].str.startswith("UCF-101/").all()
    groups = []
    listed = listed or [""] * len(videos)
    columns = videos["clip"], videos["class"], videos["video"], listed
    for clip, label, video, group in zip(*columns, strict=True):
        span, path = listed_span if group else span_classes, PurePosixPath(video)
        if not group and (match := GROUP.search(path.name)):
            group = f"g{int(match[1]):02d}"
        elif not group and path.parent.name != label:
            group = path.parent.name
        groups.append((group if span else f"{label}_{group}") if group else clip)
    return groups


def sha256_of(path):
    """The SHA-256 of a file, as hexadecimal text."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def copies_of(folder, videos):
    """What clips have in common whose files are the same byte for byte: a Series of
    their SHA-256, by their path in `videos`.
    """
    paths = videos["video"].map(lambda video: folder / video)
    paths.index = videos["video"]
    paths = paths[paths.map(lambda path: path.is_file())]
    sizes = paths.map(lambda path: path.stat().st_size)
    paths = paths[sizes.duplicated(keep=False)]
    digests = paths.map(sha256_of)
    return digests[digests.duplicated(keep=False)]


def groups_with_copies(videos, copies):
    """The groups of clips, a Series: one that nobody gave a group, so that its group is
    its name, gets that of a copy of its class. copies: from `copies_of`.
    """
    alone = videos["group"] == videos["clip"]
    table = videos.assign(copy=videos["video"].map(copies), alone=alone)
    table = table.sort_values("alone", kind="stable")  # given groups first
    shared = table.groupby(["copy", "class"])["group"].transform("first")
    return videos["group"].where(~alone, shared).fillna(videos["clip"])


def read_groups(folder, videos):
    """The group that `groups.csv` in a dataset's folder gives each clip, "" where it
    gives none; a list of text. Prints how many clips have none, and lines no clip.

    videos: DataFrame with `video`. The file has the columns `video`, a path below the
    folder such as cat/a.mp4 (compared as `path_key` says), and `group`, and is in
    UTF-8, separated by commas, semicolons (as Excel does in some languages) or tabs.
    Raises ValueError if it isn't, or gives a clip two groups.
    """
    file = folder / "groups.csv"
    if not file.exists():
        return [""] * len(videos)
    try:
        text = {"dtype": str, "keep_default_na": False, "encoding": "utf-8-sig"}
        table = pd.read_csv(file, sep=None, engine="python", index_col=False, **text)
        table = table.rename(columns=lambda name: name.strip().casefold())
        table = table[["video", "group"]].fillna("").map(str.strip)
    except (ValueError, KeyError, csv.Error) as error:
        raise ValueError(
            f"{file} can't be used ({error}). It must be in UTF-8, with the columns"
            " video and group, and a line such as cat/a.mp4,tom for each clip."
        ) from None
    table["key"] = table["video"].map(path_key)
    table = table[table["group"] != ""].drop_duplicates(["key", "group"])
    for twice in table.loc[table["key"].duplicated(), "video"]:
        raise ValueError(f"{file} has two groups for {twice}: delete one of its lines.")
    keys = videos["video"].map(path_key)
    groups = keys.map(table.set_index("key")["group"]).fillna("").tolist()
    if "" in groups:
        without = f"{groups.count('')} of {len(groups)} clips have no group in it"
        print(f"groups.csv: {without}; names and folders decide for them")
    if strangers := table.loc[~table["key"].isin(keys), "video"].tolist():
        count = len(strangers)
        print(f"groups.csv: lines that name no clip: {count}, the first {strangers[0]}")
    return groups


def path_key(video):
    """What a clip's path below its dataset's folder is compared by: not by case, kind
    of slash, how accents are stored (macOS parts them) or where the class folders lie.
    """
    path = str(PurePosixPath(video.replace("\\", "/")))
    path = unicodedata.normalize("NFC", path).casefold()
    return re.sub("^(videos|ucf-101)/", "", path)


def read_lists(folder, split=1):
    """Read UCF101-style lists: a dict from "class/file" in lower case to "train" or
    "test"; None where there are no lists.

    Looks for `trainlist01.txt` and `testlist01.txt` (01 is the split) in `folder` and
    in its `ucfTrainTestlist`. Raises FileNotFoundError if one of the two is not there,
    and ValueError if a clip is in both or a list is not in UTF-8.
    """
    places = folder, folder / "ucfTrainTestlist"
    listed = [place for place in places if any(place.glob("t*list[0-9]*.txt"))]
    if not listed:
        return None
    part_of = {}
    for part in ("train", "test"):
        file = listed[0] / f"{part}list{split:02d}.txt"
        if not file.exists():
            raise FileNotFoundError(f"There is no {file}. Does OFFICIAL_SPLIT fit?")
        try:
            lines = file.read_text(encoding="utf-8-sig").splitlines()
        except UnicodeDecodeError:
            raise ValueError(f"{file} is not in UTF-8: save it as UTF-8.") from None
        for line in filter(str.strip, lines):
            # "Walk/v_Walk_g01_c01.avi 14": the number is the class
            name = path_key(re.sub(r"[\s,;]+\d+$", "", line.strip()))
            if part_of.setdefault(name, part) != part:
                raise ValueError(f"{name} is in both lists of split {split}.")
    return part_of


def parts_in_lists(videos, part_of):
    """What lists say of clips, a Series; NaN for a clip in none. A line may name a clip
    by a longer path, or without the suffix of its file.

    videos: Series of paths below the dataset's folder; part_of: from `read_lists`.
    """
    keys = videos.map(path_key)
    known = {key.rpartition(".")[0]: key for key in keys} | {key: key for key in keys}
    found = {}
    for name, part in part_of.items():
        steps = name.split("/")
        ends = ("/".join(steps[k:]) for k in range(len(steps)))
        key = next((known[end] for end in ends if end in known), name)
        if found.setdefault(key, part) != part:
            raise ValueError(f"{key} is in both lists, in one of them as {name}.")
    return keys.map(found), sorted(set(found) - set(keys))


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


def make_video_table(
    dataset_folder, split=1, test_share=0.3, seed=42, groups_span_classes=None
):
    """Find, sort and open all clips of a dataset.

    dataset_folder: holds a folder for each class; split: the number of the lists, where
    there are lists; test_share, seed: for `hold_out`, where there are none;
    groups_span_classes: as in `groups_of`. Returns two DataFrames: `videos` (clip,
    class, group, part, video, frames, fps, width, height) and `unreadable` (video,
    class, reason), with clips that are only in a list, or in none. Raises ValueError if
    fewer than two classes have clips to train on, or none is left for the test part.
    """
    videos, odd = look_through(dataset_folder)
    videos.insert(0, "clip", clip_names(videos))
    listed = read_groups(dataset_folder, videos)
    videos.insert(2, "group", groups_of(videos, groups_span_classes, listed))
    paths = [dataset_folder / video for video in videos["video"]]
    probed = in_threads(partial(result_or_problem, probe), paths)
    bar = progress(probed, total=len(videos), desc="open every clip", unit="clip")
    facts, reasons = zip(*bar, strict=True)
    facts = [fact or {} for fact in facts]
    details = pd.DataFrame(facts, columns=["frames", "fps", "width", "height"])
    details["reason"] = reasons
    readable = details["reason"] == ""
    copies = copies_of(dataset_folder, videos[readable])
    given = videos["group"].duplicated().any()
    videos["group"] = groups_with_copies(videos, copies)
    part_of, parts = read_lists(dataset_folder, split), part_of_path(videos["video"])
    if part_of is None and parts is None:
        parts = pd.Series("train", index=videos.index, dtype=object)
        clips = videos[readable]
        once = clips if given else clips.drop_duplicates("group")  # copies are one
        held = hold_out(once, test_share, seed)
        if not given:
            held = clips["group"].map(dict(zip(once["group"], held, strict=True)))
        parts[readable] = held
    elif part_of is not None:
        parts, absent = parts_in_lists(videos["video"], part_of)
        reason = f"in no list of split {split}"
        if parts.isna().all():
            reason += f"; a line of one is {next(iter(part_of), 'not there')}"
        details.loc[parts.isna(), "reason"] = reason
        absent = pd.DataFrame({"video": absent}, dtype=object)
        absent["class"] = absent["video"].map(lambda name: name.split("/")[0])
        absent["reason"] = "named in a list, but not in the folder"
        odd = pd.concat([odd, absent])
    videos.insert(3, "part", parts)
    videos, unreadable = sort_out(pd.concat([videos, details], axis=1), odd)
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
    numbers = dict.fromkeys(["frames", "width", "height"], int)
    videos = videos[usable].drop(columns="reason").astype(numbers)
    if "test" not in set(videos["part"]):
        raise ValueError(
            "No clip is left for the test part. A class needs readable clips of two"
            " groups or more, and lists must name clips for both parts."
        )
    return videos.reset_index(drop=True), aside


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
