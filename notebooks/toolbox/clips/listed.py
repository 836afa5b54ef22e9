"""What somebody wrote about videos: `groups.csv`, `segments.csv`, lists of a split."""

import csv
import io
import re
import unicodedata
from collections import defaultdict
from decimal import Decimal
from itertools import pairwise
from pathlib import PurePosixPath

from toolbox.store import FRAGMENT

PART = re.compile(
    r"(\w+[ _-])?((?P<test>test)(ing|val|s)?|(?P<train>train)(ing|val)?"
    r"|val(id(ation)?)?|eval(uation)?|dev)"
    r"([ _-]?(sets?|data|videos?|clips?|split|\d+))?",
    re.IGNORECASE,
)
SEGMENTS_CSV = "segments.csv"
PATH = "video|media file name|media file|file name|filename|file|path"
GROUPS = {"video": PATH, "group": "group"}
SEGMENTS = {  # names that BORIS, ELAN and others give
    "video": PATH,
    "start": "start|start (s)|start time|time start|begin|begin time"
    "|begin time - ss.msec|begin time - hh:mm:ss.ms",
    "end": "end|end (s)|stop|stop (s)|end time|time end|stop time"
    "|end time - ss.msec|end time - hh:mm:ss.ms",
    "class": "class|label|behavior|behaviour|action|annotation",
}
# h:mm:ss.ms, mm:ss, or seconds
TIME = re.compile(r"((?:\d+:)?\d+:(?=[0-5]?\d(?!\d)))?(\d+(?:[.,]\d+)?)")


def path_key(video):
    """What a clip's path below its dataset's folder is compared by: not by case, kind
    of slash, how accents are stored (macOS parts them) or where the class folders lie.
    A part of a video goes by the path of the video.
    """
    path = str(PurePosixPath(FRAGMENT.sub("", video).replace("\\", "/")))
    path = unicodedata.normalize("NFC", path).casefold()
    return re.sub("^(videos|ucf-101)/", "", path)


def ends_of(path):
    """A path, and what is left of it without its first folders: a list."""
    steps = path.split("/")
    return ["/".join(steps[k:]) for k in range(len(steps))]


def without_part(path):
    """A path without folders of parts, such as train, in it."""
    *folders, name = path.split("/")
    return "/".join([*(one for one in folders if not PART.fullmatch(one)), name])


def finder(keys):
    """A function from what somebody wrote to the key that it names, or None.

    keys: of `path_key`. What is written may be longer by folders in front, or shorter,
    may leave out the folder of a part, or name one where there is none, and may lack
    the suffix, if it fits one key alone.
    """
    whole, bare, short = (defaultdict(set) for _ in range(3))
    for key in set(keys):
        without = without_part(key)
        ends = {*ends_of(key), *ends_of(without)}
        for table, forms in ((whole, [key]), (bare, [without]), (short, ends)):
            for form in forms:
                table[form].add(key)
                table[re.sub(r"\.[^./]+$", "", form)].add(key)
    whole |= {key: {key} for key in keys}

    def find(written):
        name = path_key(written)
        without = without_part(name)
        found = [*map(whole.get, ends_of(name)), *map(whole.get, ends_of(without))]
        if name == without:
            found += map(bare.get, ends_of(name))
        found.append(short.get(name))
        return next((min(keys) for keys in found if keys and len(keys) == 1), None)

    return find


def read_rows(file, columns, example):
    """The rows of a table that somebody wrote: a list of dicts with the line's number
    as `line`, text by column, and as `more` what stands behind the last column.

    columns: dict from a column to the names that it may have, in any case, the best
    first, with | between them; example: a line, for the message. The table is in UTF-8,
    separated by commas, semicolons (as Excel does in some languages) or tabs. Raises
    ValueError if it isn't, or a column is missing.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
        separator = max(",;\t", key=text.partition("\n")[0].count)
        table = csv.DictReader(io.StringIO(text), restval="", delimiter=separator)
        header = table.fieldnames or []
        plain = (re.sub(r"[\s_]+", " ", name.strip().casefold()) for name in header)
        said = dict(zip(plain, header, strict=True))
        names = {}
        for column, choices in columns.items():
            names[column] = next((said[c] for c in choices.split("|") if c in said), "")
            if not names[column]:
                raise ValueError(f"no column {column}")
        return [
            {column: row[name].strip() for column, name in names.items()}
            | {"line": table.line_num, "more": "".join(row.get(None, ()))}
            for row in table
        ]
    except (ValueError, csv.Error) as error:
        raise ValueError(
            f"{file} can't be used ({error}). It must be in UTF-8, with the columns"
            f" {', '.join(columns)}, and lines such as {example}."
        ) from None


def read_groups(folder, videos):
    """The group that `groups.csv` in a dataset's folder gives each clip, "" where it
    gives none; a list of text. Prints how many clips have none, and lines no clip.

    videos: DataFrame with `video`. The file has the columns `video`, a path below the
    folder such as cat/a.mp4 (see `finder`), and `group`; see `read_rows`. Raises
    ValueError if it can't be used, or gives a clip two groups.
    """
    file = folder / "groups.csv"
    if not file.exists():
        return [""] * len(videos)
    keys = [path_key(video) for video in videos["video"]]
    find, group_of, strangers = finder(keys), {}, []
    for row in read_rows(file, GROUPS, "cat/a.mp4,tom"):
        video, group = row["video"], row["group"]
        if group and (key := find(video)) is None:
            strangers.append(video)
        elif group and group_of.setdefault(key, group) != group:
            why = f"has two groups for {video}: delete one of its lines"
            raise ValueError(f"{file} {why}.")
    groups = [group_of.get(key, "") for key in keys]
    if "" in groups:
        without = f"{groups.count('')} of {len(groups)} clips have no group in it"
        print(f"groups.csv: {without}; names and folders decide for them")
    if strangers:
        count = len(strangers)
        print(f"groups.csv: lines that name no clip: {count}, the first {strangers[0]}")
    return groups


def seconds_in(text):
    """Seconds, as a Decimal, of a time as people write it: 12.5, 12,5, 1:02:03.5 or
    2:03; None if it is no time.
    """
    match = TIME.fullmatch(text)
    if not match:
        return None
    seconds = Decimal(match[2].replace(",", "."))
    for place, count in enumerate(reversed((match[1] or "").split(":")[:-1]), 1):
        seconds += 60**place * int(count)
    return seconds


def part_in(row, video):
    """The part of a video that a row of `segments.csv` names, as text, and why it can't
    be used, or "". video: the path that the row's video is found at, or None.
    """
    times = [seconds_in(row[name]) for name in ("start", "end")]
    if row["more"]:
        return row["video"], "it has more cells than the first line"
    if not video:
        return row["video"], "it names no video in the table's folder, or several"
    if None in times:
        return video, "its times are neither seconds, such as 12.5, nor h:mm:ss"
    start, end = (f"{time.normalize():f}" for time in times)
    part = f"{video}#t={start},{end}"
    if times[0] >= times[1]:
        return part, "it doesn't end after its start"
    return part, "" if row["class"] else "it names no class"


def read_segments(folder, files):
    """The parts of videos that tables `segments.csv` give a class: rows of class,
    video, such as game.mp4#t=12.5,18, and reason, why one can't be used, or "". And the
    set of videos that are no clips themselves: those that a table names, and those that
    lie beside a table and are named in none, which get a row each.

    files: the paths of all videos and tables, below the dataset's folder. A table has
    the columns of SEGMENTS, see `read_rows`: a video in the table's folder or below it
    (see `finder`), and when the part starts and ends, see `seconds_in`.
    """
    rows, named, beside, spelled = [], set(), set(), {}
    for table in filter(is_segments, files):
        home = table[: -len(SEGMENTS_CSV)]
        below = (file for file in files if file.startswith(home) and file != table)
        below = {path_key(file.removeprefix(home)): file for file in below}
        beside |= {file for file in below.values() if "/" not in file[len(home) :]}
        find, seen = finder(below), set()
        for row in read_rows(folder / table, SEGMENTS, "game.mp4,12.5,18,goal"):
            if not any(row[column] for column in SEGMENTS):
                continue
            video = below.get(find(row["video"]))
            part, why = part_in(row, video)
            named.add(video)
            if part in seen:
                why = "a line before it names the same part"
            elif not why:
                seen.add(part)
            place = f"{table}, line {row['line']}"
            label = spelled.setdefault(row["class"].casefold(), row["class"])
            rows.append((label, part, why and f"{place}: {why}"))
    tell_of_overlaps([(label, part) for label, part, why in rows if not why])
    why = "segments.csv, beside it, names no part of it"
    rows += [("", file, why) for file in sorted(beside - named)]
    return rows, named | beside


def tell_of_overlaps(parts):
    """Print a line if parts of a video overlap parts of another class.

    parts: pairs of class and path with its times.
    """
    spans = []
    for label, part in parts:
        times = FRAGMENT.search(part)
        start, end = float(times["start"]), float(times["end"])
        spans.append((FRAGMENT.sub("", part), start, end, label))
    spans.sort()
    torn = [
        one
        for one, other in pairwise(spans)
        if one[0] == other[0] and one[2] > other[1] and one[3] != other[3]
    ]
    if torn:
        video, start, end, label = torn[0]
        example = f"{label} in {video} from {start:g} to {end:g} s"
        print(
            f"segments.csv: {len(torn)} overlap the next, of another class: {example}"
        )


def is_segments(file):
    """Whether a path, as text, is that of a table of segments."""
    return file.rpartition("/")[2].casefold() == SEGMENTS_CSV


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
            name = re.sub(r"[\"']?[\s,;]+[\"']?\d+$", "", line.strip(" \t\"'"))
            name = path_key(name.strip(" \t\"'"))
            if part_of.setdefault(name, part) != part:
                raise ValueError(f"{name} is in both lists of split {split}.")
    return part_of


def parts_in_lists(videos, part_of):
    """What lists say of clips, a Series; NaN for a clip in none; and a list of what
    they name and isn't there. A line may name a clip as `finder` says.

    videos: Series of paths below the dataset's folder; part_of: from `read_lists`.
    """
    keys = videos.map(path_key)
    find, found = finder(keys), {}
    for name, part in part_of.items():
        key = find(name) or name
        if found.setdefault(key, part) != part:
            raise ValueError(f"{key} is in both lists, in one of them as {name}.")
    return keys.map(found), sorted(set(found) - set(keys))
