"""Say what videos show, and when: `python tools/classify.py --help` says how.

TensorFlow, which comes with the lesson, is imported only when there is a video to see.
"""

import argparse
import glob
import os
import shlex
import sys
import warnings
from functools import partial
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


def main():
    """Classify the videos named; returns 1 if one of them could not be read, else 0."""
    os.environ.setdefault("MPLBACKEND", "agg")
    warnings.filterwarnings("ignore", "Glyph")  # a letter of a name that the font lacks
    sys.stdout.reconfigure(errors="backslashreplace")  # a file's name may be no text
    options = parse_options()
    try:
        return classify_all(options)
    except (OSError, RuntimeError, ValueError) as error:
        if "No space left" in str(error):  # HDF5 has no errno, but says so
            sys.exit("The disk is full: make room, then run the same command again.")
        sys.exit(str(error))


def parse_options():
    """Read the command line, and what it leaves open from the environment."""
    parser = argparse.ArgumentParser(
        description="Say what videos show, and when. Trains first, if need be.",
        epilog="The exit code is 1 if a video could not be read; the others are.",
    )
    several = 'a video, a folder with videos in it, or a pattern such as "clips/*.mp4"'
    parser.add_argument("videos", nargs="*", metavar="VIDEO", help=several)
    learn = '"mocap", "ucf101" or a folder of class folders (default: the last chosen)'
    last = os.environ.get("DATASET")
    parser.add_argument("--dataset", default=last, help=f"what to learn from: {learn}")
    parser.add_argument("--course", type=Path, default=COURSE, help=argparse.SUPPRESS)
    options = parser.parse_args()
    text = os.environ.get("VIDEO", "")
    try:
        named = [text] if matches_of(text) else shlex.split(text)
    except ValueError:  # a quotation mark that isn't closed
        named = [text]
    options.videos = options.videos or named
    if not (options.videos and all(options.videos)):
        parser.error("name a video, as in: make classify VIDEO=/path/to/clip.mp4")
    return options


def matches_of(name, folder=None):
    """The path of a name, or what matches it in a folder as a pattern, none hidden."""
    name, find = str(Path(name).expanduser()), partial(glob.glob, root_dir=folder)
    return find(glob.escape(name)) or sorted(find(name, recursive=True))


def sources_of(names):
    """The videos that names stand for: a list of paths, each once.

    A folder stands for the videos in it and its folders, by their suffix; a line says
    how many other files it has. A name that nothing has stands for itself.
    """
    sources, others = [], 0
    for match in (Path(m) for name in names for m in matches_of(name) or [name]):
        found = [match]
        if match.is_dir():
            shown = map(match.joinpath, matches_of("**/*", match))
            files = [path for path in shown if not path.is_dir()]
            found = list(filter(has_video_suffix, files))
            others += len(files) - len(found)
        sources += [path.parent.resolve() / path.name for path in found]
    if others:
        print(f"left out, not videos by their suffix: {others}")
    return list(dict.fromkeys(sources))


def classify_all(options):
    """Classify all videos and print the answers; returns the exit code."""
    sources = sources_of(options.videos)
    if not any(source.is_file() for source in sources):
        raise ValueError(f"There is no video at {', '.join(options.videos)}.")
    dataset = dataset_of(options.dataset, options.course)
    home = options.course.resolve() / "classified" / dataset.name
    with one_writer(home / ".lock", home):
        classifier = classifier_of(dataset)
        answered = [answer(source, classifier, home) for source in sources]
    print(f"The answers for {dataset.name}: {home / 'predictions.csv'}")
    return int(not all(answered))


def dataset_of(choice, course):
    """The Dataset asked for (it is remembered then), or else the one chosen last. Its
    table of clips is made if it is missing, as notebook 00 makes it.
    """
    advice = "Check the path, or name another: make classify DATASET=/path/to/folder."
    dataset = open_dataset(choice, course=course, advice=advice)
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
        if changed := len(there - known - odd) + len(known - there):
            print(f"{dataset.folder} has changed (videos new or gone: {changed});")
            print("`make course NOTEBOOKS=00` takes that in")
    if choice:
        choose_dataset(choice, course)
    return dataset


def classifier_of(dataset):
    """The SavedClassifier of a dataset, trained if it is missing or of other clips."""
    from toolbox.models import MODEL, read_classifier

    from lessons.own_videos import SavedClassifier, train_classifier

    if not read_classifier(dataset):
        old = (dataset.weights / MODEL).exists()
        why = "is of other clips, or of an older course" if old else "is not there yet"
        print(f"The classifier of {dataset.name} {why}: making it")
        train_classifier(dataset)
    return SavedClassifier(dataset)


def answer(source, classifier, home):
    """Say what a video shows, and in `predictions.csv`; returns whether it was read."""
    from lessons.own_videos import RANKS, classify_video

    folder = folder_for(source, home)
    row, problem = result_or_problem(classify_video, source, classifier, folder)
    if row:
        print(f"{source.name}: {in_words(row, classifier.facts['threshold'])}")
        print(f"  {folder}")
    else:
        name = os.fsencode(source).decode(errors="backslashreplace")
        row = {"video": name, "class": "", "problem": problem}
        print(f"{name}: {problem}", file=sys.stderr)
    if source.exists():  # else it is a mistyped name
        columns = ["video", *sum(RANKS, ()), "seconds", "segments", "problem"]
        path = home / "predictions.csv"
        rows = read_csv(path, columns).to_dict("records") if path.exists() else []
        rows = [old for old in rows if old["video"] != row["video"]] + [row]
        table = pd.DataFrame(rows, columns=columns).astype({"segments": "Int64"})
        write_csv(table, path)
    return bool(row["class"])


def folder_for(source, home):
    """The folder in `home` for a video: it has the video's name, and a digest of its
    path, too, where another one's answers, or the table of answers, have that name.
    """
    folder = home / source.stem[:60]
    owner = read_note(folder / "annotated.mp4").get("row", {}).get("video")
    taken = owner not in (None, str(source)) or folder.stem == "predictions"
    return home / f"{folder.name}_{digest_of(str(source))[:8]}" if taken else folder


def in_words(row, threshold):
    """The row of a video as a line to read."""
    from lessons.own_videos import NONE, RANKS

    refused = row["class"] == NONE
    ranks = [pair for pair in RANKS[refused:] if pair[0] in row]
    named = ", ".join(f"{row[name]} {row[chance]:.1%}" for name, chance in ranks)
    if refused:
        named = f"{NONE} (a class is named from {threshold:.1%} on; {named})"
    count, problem = row["segments"], row["problem"] and f"; {row['problem']}"
    many = "s" * (count != 1)
    return f"{named}; {count} segment{many} in {row['seconds']:.1f} s{problem}"


if __name__ == "__main__":
    exit_with(main)
