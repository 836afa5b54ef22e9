"""Say what videos show, and when: `python tools/classify.py --help` says how.

The classifier of a dataset is made first where it is missing. TensorFlow, which comes
with the lesson, is imported only when there is a video to look at.
"""

import argparse
import errno
import glob
import os
import shlex
import sys
import warnings
from pathlib import Path

from course import COURSE, exit_with

from toolbox.clips import (
    choose_dataset,
    has_video_suffix,
    look_through,
    make_video_table,
    open_dataset,
    result_or_problem,
)
from toolbox.store import (
    check_step,
    digest_of,
    one_writer,
    read_csv,
    read_note,
    step,
    write_csv,
)

import pandas as pd

ADVICE = (
    "Check the path, or name another dataset: DATASET=/path/to/folder behind make"
    " classify."
)


def main():
    """Classify the videos that the command line names; returns the exit code: 1 if
    one of them could not be read, else 0.
    """
    os.environ.setdefault("MPLBACKEND", "agg")
    warnings.filterwarnings("ignore", "Glyph")  # a letter of a name that the font lacks
    sys.stdout.reconfigure(errors="backslashreplace")  # a file's name may be no text
    options = parse_options()
    try:
        return classify_all(options)
    except (OSError, RuntimeError, ValueError) as error:
        full = getattr(error, "errno", None) == errno.ENOSPC
        if full or "No space left" in str(error):  # HDF5 says it in words
            sys.exit(
                "The disk is full: make room, then run the same command again. What is"
                " finished stays."
            )
        sys.exit(str(error))


def parse_options():
    """Read the command line, and what it leaves open from the environment."""
    parser = argparse.ArgumentParser(
        description=(
            "Say what videos show, and when. Trains on the dataset first, if need be."
        ),
        epilog="The exit code is 1 if a video could not be read; the others are.",
    )
    parser.add_argument(
        "videos",
        nargs="*",
        metavar="VIDEO",
        help=(
            "a video, a folder with videos somewhere in it, or a pattern such as"
            ' "clips/*.mp4"'
        ),
    )
    parser.add_argument(
        "--dataset",
        default=os.environ.get("DATASET"),
        help=(
            'what to learn from: "mocap", "ucf101" or a folder of class folders'
            " (default: the dataset that was chosen last)"
        ),
    )
    parser.add_argument("--course", type=Path, default=COURSE, help=argparse.SUPPRESS)
    options = parser.parse_args()
    text = os.environ.get("VIDEO", "")
    try:
        options.videos = options.videos or (
            [text] if matches_of(text) else shlex.split(text)
        )
    except ValueError:  # a quotation mark that isn't closed
        options.videos = [text]
    if not (options.videos and all(options.videos)):
        parser.error(
            "name a video, several, or a folder of them, as in: make classify "
            "VIDEO=/path/to/clip.mp4"
        )
    return options


def matches_of(name):
    """The paths that a name stands for: that path, or what it matches as a pattern."""
    name = str(Path(name).expanduser())
    return glob.glob(glob.escape(name)) or sorted(glob.glob(name, recursive=True))  # noqa: PTH207


def sources_of(names):
    """The videos that names stand for: a list of paths, each once.

    A folder stands for the videos in it and its folders, by their suffix; what is
    hidden is left out, and a line says how many others there are. A name that nothing
    has stands for itself, and is reported like a file that can't be read.
    """
    sources, others = [], 0
    for match in (Path(m) for name in names for m in matches_of(name) or [name]):
        found = [match]
        if match.is_dir():
            below = [path for path in sorted(match.rglob("*")) if not path.is_dir()]
            shown = [
                p for p in below if "/." not in f"/{p.relative_to(match).as_posix()}"
            ]
            found = list(filter(has_video_suffix, shown))
            others += len(shown) - len(found)
        sources += [path.parent.resolve() / path.name for path in found]
    if others:
        print(f"left out, not videos by their suffix: {others}")
    return list(dict.fromkeys(sources))


def dataset_of(choice, course):
    """The Dataset that was asked for (once its table is there, it is remembered), or
    else the one chosen last. The table of clips is made if it is missing, as
    notebook 00 makes it.
    """
    dataset = open_dataset(choice, course=course, advice=ADVICE)
    table, aside = (dataset.data / f"{name}.csv" for name in ("videos", "unreadable"))
    try:
        check_step(dataset, "00")
    except FileNotFoundError:
        if dataset.name == "ucf101":  # notebook 00 fetches it, too
            raise
        with step(dataset, "00", files=[table]):
            videos, unreadable = make_video_table(dataset.folder)
            write_csv(videos, table)
            write_csv(unreadable, aside)
        classes = videos["class"].nunique()
        print(f"{len(videos)} clips in {classes} classes to learn from")
        for line in unreadable["video"] + ": " + unreadable["reason"]:
            print(f"  {line}")
    else:
        known, odd = (set(read_csv(path)["video"]) for path in (table, aside))
        there = set(look_through(dataset.folder)[0]["video"])
        if new_or_gone := len(there - known - odd) + len(known - there):
            print(
                f"{dataset.folder} has changed since its table was made (videos that"
                f" are new or gone: {new_or_gone}); `make course NOTEBOOKS=00` takes"
                " that in"
            )
    if choice:
        choose_dataset(choice, course)
    return dataset


def classify_all(options):
    """Classify all videos, one after the other, and print the answers; returns the
    exit code.
    """
    sources = sources_of(options.videos)
    if not any(source.is_file() for source in sources):
        raise ValueError(f"There is no video at {', '.join(options.videos)}.")
    dataset = dataset_of(options.dataset, options.course)
    home = options.course.resolve() / "classified" / dataset.name
    with one_writer(home / ".lock", home):
        classifier = classifier_of(dataset)
        rows = [answer(source, classifier, home) for source in sources]
    if len(sources) > 1:
        shown = ["video", "class", "probability", "seconds", "segments", "problem"]
        table = pd.DataFrame(rows, columns=shown).astype({"segments": "Int64"})
        table["video"] = table["video"].map(lambda video: Path(video).name)
        print("", table.round(2).to_string(index=False, na_rep=""), "", sep="\n")
    print(f"The answers for {dataset.name}: {home / 'predictions.csv'}")
    return int(not all(row["class"] for row in rows))


def classifier_of(dataset):
    """The SavedClassifier of a dataset, which is trained if it is missing or no longer
    fits the table of clips.
    """
    from toolbox.models import MODEL, read_classifier

    from lessons.own_videos import SavedClassifier, train_classifier

    if not read_classifier(dataset):
        print(
            f"The classifier of {dataset.name} is of other clips, or of an older"
            " version of the course: making it anew"
            if (dataset.weights / MODEL).exists()
            else f"There is no classifier of {dataset.name} yet: making it"
        )
        train_classifier(dataset)
    return SavedClassifier(dataset)


def answer(source, classifier, home):
    """Say what a video shows; returns its row of `predictions.csv`, a dict. For a
    video that can't be read the row has a problem and no class.
    """
    from lessons.own_videos import classify_video

    folder = folder_for(source, home)
    row, problem = result_or_problem(classify_video, source, classifier, folder)
    if row:
        print(f"{source.name}: {in_words(row, classifier.facts['threshold'])}")
        print(f"  {folder}")
    else:
        name = os.fsencode(source).decode(errors="backslashreplace")
        print(f"{name}: {problem}", file=sys.stderr)
        row = {"video": name, "class": "", "problem": problem}
    if source.exists():  # else it is a mistyped name
        note_prediction(row, home / "predictions.csv")
    return row


def folder_for(source, home):
    """The folder in `home` for what is written of a video: it has the video's name,
    and a digest of its path, too, where the answers for another one are there already.
    """
    folder = home / source.stem[:60]
    owner = read_note(folder / "annotated.mp4").get("row", {}).get("video")
    if owner in (None, str(source)):
        return folder
    return home / f"{folder.name}_{digest_of(str(source))[:8]}"


def note_prediction(row, path):
    """Put the row of a video into the table of predictions, in place of an earlier
    one.
    """
    from lessons.own_videos import RANKS

    ranks = [name for pair in RANKS for name in pair]
    columns = ["video", *ranks, "seconds", "segments", "problem"]
    rows = read_csv(path, columns).to_dict("records") if path.exists() else []
    rows = [old for old in rows if old["video"] != row["video"]] + [row]
    table = pd.DataFrame(rows, columns=columns).astype({"segments": "Int64"})
    write_csv(table, path)


def in_words(row, threshold):
    """The row of a video as a line to read."""
    from lessons.own_videos import NONE, RANKS

    refused = row["class"] == NONE
    named = ", ".join(
        f"{row[name]} {row[chance]:.1%}"
        for name, chance in RANKS[refused:]
        if name in row
    )
    if refused:
        named = f"{NONE} (a class is named from {threshold:.1%} on; {named})"
    count, problem = row["segments"], row["problem"] and f"; {row['problem']}"
    segments = f"{count} segment{'s' * (count != 1)} in {row['seconds']:.1f} s"
    return f"{named}; {segments}{problem}"


if __name__ == "__main__":
    exit_with(main)
