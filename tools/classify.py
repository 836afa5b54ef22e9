"""Say what videos show, and when: `python tools/classify.py --help` says how.

A video is labelled without TensorFlow, which is imported only to train.
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
    BUILT_IN,
    find_dataset,
    has_video_suffix,
    make_video_table,
    remember_folder,
    result_or_problem,
)
from toolbox.models import LITERT_FILE, SavedClassifier, made_of
from toolbox.plots import COLUMNS, COPY, FILES, classify_video
from toolbox.store import (
    check_step,
    digest_of,
    is_made,
    one_writer,
    read_csv,
    read_json,
    read_note,
    step,
    write_csv,
)

import pandas as pd

from lessons.own_videos import label_video, train_classifier

ADVICE = "Check the path, or name another: make classify DATASET=/path/to/folder."


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
    for name, what in (
        ("dataset", "what to learn from: a folder of class folders, mocap or ucf101"),
        ("classifier", "one that was trained: its classifier.tflite, or its folder"),
    ):
        given = os.environ.get(name.upper())
        what += " (default: what was trained last)" * (name == "dataset")
        parser.add_argument(f"--{name}", default=given, help=what)
    parser.add_argument("--course", type=Path, default=COURSE, help=argparse.SUPPRESS)
    options = parser.parse_args()
    text = os.environ.get("VIDEO", "")
    try:
        named = [text] if matches_of(text) else shlex.split(text)
    except ValueError:  # a quotation mark that isn't closed
        named = [text]
    options.videos = options.videos or list(filter(None, named))
    if not (options.videos or options.dataset) or "" in options.videos:
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
        print(f"skipped {others} files that aren't videos (by their endings)")
    return list(dict.fromkeys(sources))


def classify_all(options):
    """Classify all videos and print the answers; returns the exit code."""
    if addresses := [name for name in options.videos if "://" in name]:
        raise ValueError(f"{addresses[0]} is an address: save the video first.")
    sources = sources_of(options.videos)
    if options.videos and not any(source.is_file() for source in sources):
        raise ValueError(f"There is no video at {', '.join(options.videos)}.")
    course, classifier = options.course.resolve(), None
    saved = options.classifier or finished_one(options.dataset, course)
    if options.classifier and options.dataset:
        raise ValueError("Name what to learn from (DATASET) or a CLASSIFIER, not both.")
    if saved:
        classifier = trained_before(saved)
        name = classifier.facts["name"]
    else:
        dataset = find_dataset(options.dataset or last_trained(course), course, ADVICE)
        take_in(dataset)
        name = dataset.name
    home = course / "classified" / name
    with one_writer(home / ".lock", home):
        classifier = classifier or trained(dataset)
        if sources and classifier.runners:  # a damaged one is told once
            print(f"by the classifier {name}, made {classifier.facts['made']}")
        answered = [answer(source, classifier, home) for source in sources]
    if sources:
        print(f"All answers: {home / 'predictions.csv'}, and a folder for each video")
    return int(not all(answered))


def finished_one(choice, course):
    """The classifier of a folder that isn't there any more, or None."""
    choice = Path(choice or last_trained(course)).expanduser().resolve()
    saved = course / "weights" / choice.name / LITERT_FILE
    source = source_of(choice.name, course)
    if not saved.exists() or source != str(choice) or choice.exists():
        return None
    print(f"{choice} isn't there; what was learned of it is.")
    return saved


def source_of(name, course):
    """The folder that a dataset's classifier was made of, as text; None if unknown."""
    path = course / "data" / name / "source.txt"
    return path.read_text(encoding="utf-8") if path.exists() else None


def last_trained(course):
    """What the newest classifier was made of, as DATASET names it; if there is none,
    what the notebooks work on.
    """
    made = sorted(course.glob(f"weights/*/{LITERT_FILE}"), key=os.path.getmtime)
    for name in (file.parent.name for file in reversed(made)):
        if found := name if name in BUILT_IN else source_of(name, course):
            return found
    return read_json(course / "data" / "chosen.json").get("dataset", "mocap")


def trained(dataset):
    """The SavedClassifier of a dataset, trained if it is missing or of other clips."""
    saved, settings = dataset.weights / LITERT_FILE, {}
    if is_made(saved, *made_of(dataset)):
        return trained_before(saved)
    why = f'No classifier for "{dataset.name}" yet'
    if saved.exists():
        why = f'The classifier for "{dataset.name}" is of other clips'
        earlier, _ = result_or_problem(SavedClassifier, saved)
        facts, names = earlier and earlier.facts, ("per_second", "size", "keep")
        settings = {name: facts[name] for name in names} if facts else {}
    print(f"{why}: training one.")
    train_classifier(dataset, **settings)
    return SavedClassifier(saved)


def trained_before(path):
    """A SavedClassifier that is there; what was said of it when it was trained is said
    again.
    """
    classifier = SavedClassifier(path)
    for line in classifier.facts.get("worth", []):
        print(line)
    return classifier


def take_in(dataset):
    """Bring the table of a dataset's clips up to date, as notebook 00 makes it, and say
    what has changed.
    """
    table, aside = (dataset.data / f"{name}.csv" for name in ("videos", "unreadable"))
    try:
        settings, earlier = check_step(dataset, "00"), read_csv(table)
    except FileNotFoundError:
        if dataset.name == "ucf101":  # notebook 00 fetches it, too
            raise
        settings, earlier = {}, None
    videos, unreadable = make_video_table(dataset.folder, earlier=earlier, **settings)
    remember_folder(dataset)
    lines = list(unreadable["video"] + ": " + unreadable["reason"])
    told = read_csv(aside) if aside.exists() else unreadable.iloc[:0]
    told = set(told["video"] + ": " + told["reason"])
    if set(lines) != told:
        write_csv(unreadable, aside)
    if earlier is None or not videos.equals(earlier):
        with step(dataset, "00", files=[table], **settings):
            write_csv(videos, table)
        before = set() if earlier is None else set(earlier["video"])
        now = set(videos["video"])
        what = f"{len(now - before)} new clips, {len(before - now)} gone"
        if earlier is None:
            what = f"{len(now)} clips in {videos['class'].nunique()} classes"
        elif now == before:
            what = "its groups, lists or files have changed"
        print(f"{dataset.folder}: {what}")
    for line in lines:
        if line not in told:
            print(f"  left out: {line}")


def answer(source, classifier, home):
    """Say what a video shows, and in `predictions.csv`; returns whether it was read."""
    folder = folder_for(source, home)
    asked = source, classifier, folder, label_video
    row, problem = result_or_problem(classify_video, *asked)
    name = os.fsencode(source).decode(errors="backslashreplace")
    if row:
        said = row["summary"], row["note"], row["problem"]
        print(f"{source.name}: {'; '.join(filter(None, said))}")
    else:
        row = {"video": name, "class": "", "problem": problem}
        print(f"{name}: {problem}", file=sys.stderr)
        for file in (*FILES, COPY):  # of what it was before
            (folder / file).unlink(missing_ok=True)
    if source.exists():  # else it is a mistyped name
        path = home / "predictions.csv"
        rows = read_csv(path).to_dict("records") if path.exists() else []
        rows = [old for old in rows if old["video"] != row["video"]] + [row]
        table = pd.DataFrame(rows, columns=COLUMNS).astype({"segments": "Int64"})
        text = table[["next", "note", "summary", "problem", "classifier", "answered"]]
        write_csv(table.assign(**text.astype(object).fillna("")), path)
    return bool(row["class"])


def folder_for(source, home):
    """The folder in `home` for a video: it has the video's name, and a digest of its
    path, too, where another one's answers, or the table of answers, have that name.
    """
    folder = home / source.stem[:60]
    owner = read_note(folder / COPY).get("row", {}).get("video")
    taken = owner not in (None, str(source)) or folder.stem == "predictions"
    return home / f"{folder.name}_{digest_of(str(source))[:8]}" if taken else folder


if __name__ == "__main__":
    exit_with(main)
