"""Say what videos show, and when: `python tools/classify.py --help` says how.

The classifier of a dataset is made first where it is missing. TensorFlow is imported as
late as possible: a wrong name is answered at once, and so is a video that was
classified before.
"""

import argparse
import errno
import functools
import glob
import math
import os
import shlex
import sys
import warnings
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path

from course import COURSE, exit_with

from toolbox.clips import (
    choose_dataset,
    has_video_suffix,
    look_through,
    make_video_table,
    open_dataset,
    open_video,
    result_or_problem,
)
from toolbox.models import MODEL, NONE, read_classifier, save_classifier
from toolbox.page import Bar, progress, quiet_start
from toolbox.store import (
    check_step,
    digest_of,
    one_writer,
    read_csv,
    read_json,
    step,
    whole,
    write_csv,
    write_json,
)

import numpy as np
import pandas as pd

RATE, WINDOW = (
    4,
    8,
)  # frames a second that are looked at, frames in a window: as in notebook 11
KEEP = 0.9  # the share of known clips that must not become "none of these"
# to be raised when a classifier's answers change, so that old ones are made again
METHOD = 1
PREDICTIONS = "predictions.csv"
OUTPUTS = ("timeline.csv", "timeline.jpg", "annotated.mp4")
RANKS = (
    ("class", "probability"),
    ("second", "second_probability"),
    ("third", "third_probability"),
)
COLUMNS = [
    "video",
    *(name for pair in RANKS for name in pair),
    "seconds",
    "segments",
    "problem",
]
ADVICE = (
    "Check the path, or name another dataset: DATASET=/path/to/folder behind make"
    " classify."
)
BLOCK = 1024  # windows that are classified at once
LONGEST_NAME = 180  # bytes


def main():
    """Classify the videos that the command line names; returns the exit code: 1 if
    one of them could not be read, else 0.
    """
    sys.stdout.reconfigure(errors="backslashreplace")  # a file's name may be no text
    options = parse_options()
    try:
        return classify_all(options)
    except OSError as error:
        if error.errno == errno.ENOSPC or "No space left" in str(
            error
        ):  # HDF5 says it in words
            sys.exit(
                "The disk is full: make room, then run the same command again. What is"
                " finished stays."
            )
        sys.exit(str(error))
    except (
        RuntimeError,
        ValueError,
    ) as error:  # another process is at work; what can't be used
        sys.exit(str(error))


def parse_options():
    """Read the command line, and what it leaves open from the environment."""
    parser = argparse.ArgumentParser(
        description=(
            "Say what videos show, and when. Trains on the dataset first, if need be."
        ),
        epilog=(
            "The exit code is 1 if a video could not be read (the others are"
            " classified), and 0 if one was left to another process that is at work"
            " on it."
        ),
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
    options.videos = list(
        filter(None, options.videos or names_in(os.environ.get("VIDEO", "")))
    )
    if not options.videos:
        parser.error(
            "name a video, several, or a folder of them, as in: make classify "
            "VIDEO=/path/to/clip.mp4"
        )
    return options


def names_in(text):
    """The names in the text of VIDEO: itself, if something is there, else as a shell
    splits it.
    """
    if matches_of(text):
        return [text]
    try:
        return shlex.split(text)
    except ValueError:  # a quotation mark that isn't closed
        return [text]


def matches_of(name):
    """The paths that a name stands for: that path, or what it matches as a pattern."""
    path = expanded(name)
    return glob.glob(glob.escape(path)) or sorted(glob.glob(path, recursive=True))  # noqa: PTH207


def expanded(name):
    """A name whose ~ stands for the home folder, as text."""
    return str(Path(name).expanduser())


def sources_of(names):
    """The videos that names stand for: a list of paths, each once.

    A folder stands for the videos in it and its folders, by their suffix; what is
    hidden is left out, and a line says how many others there are. A name that nothing
    has stands for itself, and is reported like a file that can't be read.
    """
    sources, others = [], 0
    for match in (
        Path(match) for name in names for match in matches_of(name) or [expanded(name)]
    ):
        if match.is_dir():
            below = list(files_below(match))
            videos = [file for file in below if has_video_suffix(file)]
            others += len(below) - len(videos)
            sources += videos
        else:
            sources.append(match)
    if others:
        print(f"left out, not videos by their suffix: {others}")
    return list(
        dict.fromkeys(source.parent.resolve() / source.name for source in sources)
    )


def files_below(folder):
    """Yield the files in a folder and in its folders, sorted, without hidden ones."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (
            Path(place, name) for name in sorted(names) if not name.startswith(".")
        )


def dataset_of(choice, course):
    """The Dataset that was asked for (once its table is there, it is remembered), or
    else the one chosen last. The table of clips is made if it is missing, as
    notebook 00 makes it.
    """
    dataset = open_dataset(choice, course=course, advice=ADVICE)
    table = dataset.data / "videos.csv"
    if table.exists() and "00" in read_json(dataset.data / "record.json"):
        check_step(dataset, "00")
        tell_of_changes(dataset)
    elif dataset.name == "ucf101":  # notebook 00 fetches it, too
        check_step(dataset, "00")
    else:
        with step(dataset, "00", files=[table]):
            videos, unreadable = make_video_table(dataset.folder)
            write_csv(videos, table)
            write_csv(unreadable, dataset.data / "unreadable.csv")
        print(
            f"{len(videos)} clips in {videos['class'].nunique()} classes to learn from"
        )
        tell_of_problems(unreadable["video"] + ": " + unreadable["reason"])
    if choice:
        choose_dataset(choice, course)
    return dataset


def tell_of_changes(dataset):
    """Print a line if the folder of a dataset no longer holds the videos of its
    table.
    """
    table = set(read_csv(dataset.data / "videos.csv")["video"])
    aside = set(read_csv(dataset.data / "unreadable.csv")["video"])
    there = set(look_through(dataset.folder)[0]["video"])
    new, gone = len(there - table - aside), len(table - there)
    if new or gone:
        print(
            f"{dataset.folder} has changed since its table was made (new videos: {new},"
            f" gone: {gone}); `make course NOTEBOOKS=00` takes that in"
        )


def classifier_of(dataset):
    """The facts of the dataset's classifier, see `toolbox.models.saved_model`; it is
    made if it is missing or was made from another table of clips.
    """
    facts = read_classifier(dataset)
    if not facts:
        what = f"the classifier of {dataset.name}"
        with one_writer(dataset.weights / "classifier.lock", what):
            if not read_classifier(dataset):  # perhaps another process made it just now
                make_classifier(dataset)
        facts = read_classifier(dataset)
    return facts


def make_classifier(dataset):
    """Train the classifier of notebook 11 on the train part, choose below which
    probability it says "none of these", count how many clips of the test part it gets
    right, and save it.

    Clips that can't be read are listed and left out. Raises ValueError if fewer than
    two classes are left.
    """
    print(f"There is no classifier of these clips of {dataset.name} yet: making it")
    with quiet_start():
        from toolbox.models import pooled_clips
    from toolbox.evaluation import out_of_group, threshold_for
    from toolbox.models import head_of, one_model, vgg16_weights

    from lessons.own_videos import ClipClassifier, describe

    videos, features, problems = pooled_clips(dataset, RATE)
    tell_of_problems(f"{clip}: {problem}" for clip, problem in problems.items())
    train, test = (videos[videos["part"] == part] for part in ("train", "test"))
    labels, groups = train["class"].to_numpy(str), train["group"].to_numpy(str)
    classes = np.unique(labels)
    if len(classes) < 2:
        raise ValueError(
            f"{len(classes)} classes of {dataset.name} have clips that can be read; a"
            f" classifier needs two. Look into {dataset.folder}."
        )
    clips, new_clips = features[train.index], features[test.index]
    unseen = out_of_group(ClipClassifier(WINDOW), clips, labels, groups)
    threshold = threshold_for(unseen, KEEP)
    fitted = ClipClassifier(WINDOW).fit(clips, labels)
    said = fitted.predict_proba(new_clips) if len(test) else np.zeros((0, len(classes)))
    right, refused = (
        classes[said.argmax(axis=1)] == test["class"],
        said.max(axis=1) < threshold,
    )
    new = test.loc[~test["group"].isin(train["group"]), "group"].nunique()
    print(f"right on {right.sum()} of {len(test)} clips held out, of new groups: {new}")
    print(f'called "{NONE}", below {threshold:.0%}: {refused.sum()} of them')
    head = head_of(fitted, describe, (WINDOW, 512), classes)
    save_classifier(
        dataset,
        one_model(vgg16_weights(dataset.weights.parent), head, classes, threshold),
        classes=classes.tolist(),
        per_second=RATE,
        size=WINDOW,
        threshold=threshold,
    )


def tell_of_problems(lines):
    """Print the lines, the first ten of them, and how many more there are."""
    lines = list(lines)
    for line in lines[:10]:
        print(f"  {line}")
    if len(lines) > 10:
        print(f"  and {len(lines) - 10} more")


@functools.cache
def network_of(dataset):
    """VGG16 with pooled features, by the way that the clips of the dataset were
    looked at.
    """
    with quiet_start():
        from toolbox.models import pooled_network
    return pooled_network(dataset)


@functools.cache
def head_of_classifier(path):
    """The part of a saved classifier that goes from windows of pooled features,
    float32 (n, frames, 512), to probabilities (n, classes), as a function.
    """
    with quiet_start():
        import keras
    try:
        head = keras.models.load_model(path).get_layer("windows")
    except (OSError, ValueError) as error:
        raise OSError(
            f"{path} can't be used ({error}). Delete it and run this again."
        ) from None
    return lambda windows: np.asarray(head(windows))


def probabilities_of(features, head, size):
    """The probabilities of each window of `size` frames of a video, one starting at
    each frame: (windows, classes). A thousand windows are held at a time.

    features: (frames, 512); head: function of windows (n, size, 512) that returns (n,
    classes).
    """
    from lessons.own_videos import windows_of

    starts = range(0, max(1, len(features) - size + 1), BLOCK)
    blocks = (features[start : start + BLOCK + size - 1] for start in starts)
    return np.concatenate([head(windows_of(block, size)) for block in blocks])


def verdict(probabilities, classes, threshold):
    """What the windows of a video say together, as a dict: the likeliest class of
    their mean, the second and the third, with their probabilities; in front of them
    "none of these", with the highest probability, if that is below the threshold.
    """
    mean = probabilities.mean(axis=0)
    ranked = [
        (classes[place], round(float(mean[place]), 4)) for place in np.argsort(-mean)
    ]
    if mean.max() < threshold:
        ranked.insert(0, (NONE, ranked[0][1]))
    pairs = zip(RANKS, ranked, strict=False)  # there may be two classes alone
    return {
        name: part
        for names, values in pairs
        for name, part in zip(names, values, strict=True)
    }


def classify_all(options):
    """Classify all videos, one after the other, and print the answers; returns the
    exit code.
    """
    sources = sources_of(options.videos)
    if not any(source.is_file() for source in sources):
        raise ValueError(f"There is no video at {', '.join(options.videos)}.")
    dataset = dataset_of(options.dataset, options.course)
    facts = classifier_of(dataset)
    home = options.course / "classified" / dataset.name
    rows = [classify(source, dataset, facts, home) for source in sources]
    rows = [row for row in rows if row]
    if len(sources) > 1:
        print_table(rows)
    print(f"The answers for {dataset.name}: {home.resolve() / PREDICTIONS}")
    return int(any(row["problem"] and not row["class"] for row in rows))


def classify(source, dataset, facts, home):
    """Say what a video shows; returns its row of `predictions.csv`, a dict, or None
    if another process is at work on it. For a video that can't be read the row has a
    problem and no class.
    """
    row, problem = result_or_problem(classify_unless_done, source, dataset, facts, home)
    if problem:
        print(f"{text_of(source)}: {problem}", file=sys.stderr)
        row = dict.fromkeys(COLUMNS) | {
            "video": text_of(source),
            "class": "",
            "problem": problem,
        }
        if source.exists():  # else it is a mistyped name
            note_prediction(row, home)
    return row


def classify_unless_done(source, dataset, facts, home):
    """The row of a video, written down together with what there is to see of it; from
    the note of an earlier run, if that had the same video and classifier. None if
    another process is at work.

    Raises ValueError if the video can't be read.
    """
    with open_video(source) as video:
        frames, fps = video.frames, video.fps
    made_from = digest_of(METHOD, source, facts)
    folder = folder_for(source, home)
    with ExitStack() as stack:
        try:
            stack.enter_context(one_writer(folder / ".lock", folder))
        except RuntimeError as error:
            print(f"{source.name}: left out. {error}")
            return None
        note = read_json(folder / "summary.json")
        there = all((folder / name).exists() for name in OUTPUTS)
        done = there and note.get("made_from") == made_from
        row = (
            note["row"] if done else watch(source, frames, fps, dataset, facts, folder)
        )
        if not done:
            note_prediction(row, home)
            write_json(folder / "summary.json", made_from=made_from, row=row)
    print(
        f"{source.name}:"
        f" {in_words(row, facts['threshold'])}{' (as before)' if done else ''}"
    )
    print(f"  {folder.resolve()}")
    return row


def folder_for(source, home):
    """The folder in `home` for what is written of a video: it has the video's name,
    and a digest of its path, too, where another video of that name was there before.
    """
    stem = source.stem.encode()[:LONGEST_NAME].decode(errors="ignore")
    digest = sha256(str(source).encode()).hexdigest()[:8]
    with one_writer(home / ".lock", home, wait=True):
        for folder in (home / stem, home / f"{stem}_{digest}"):
            owner = folder / "source.txt"
            if not owner.exists():
                with whole(owner) as temporary:
                    temporary.write_text(str(source), encoding="utf-8")
            if owner.read_text(encoding="utf-8") == str(source):
                break
    return folder


def text_of(path):
    """A path as text that can be written to a file, also if it isn't Unicode."""
    return os.fsencode(path).decode(errors="backslashreplace")


def watch(source, frames, fps, dataset, facts, folder):
    """Look at a video; write its timeline, a picture of that, and its annotated copy
    into a folder.

    frames: how many it has by its header, 0 if that doesn't say; fps: frames a second.
    Returns its row of `predictions.csv`, a dict. Raises ValueError if it can't be read.
    """
    network = network_of(dataset)
    head = head_of_classifier(dataset.weights / MODEL)
    from toolbox.clips import annotate
    from toolbox.evaluation import segments_of
    from toolbox.models import look_at
    from toolbox.plots import caption_at

    from lessons.own_videos import moments_of

    classes, rate, size = facts["classes"], facts["per_second"], facts["size"]
    odd = []
    with bar_over(
        f"look at {source.name}", math.ceil(rate * frames / fps) / rate
    ) as bar:
        features = look_at(source, network, rate, odd, bar)
    probabilities = probabilities_of(features, head, size)
    moments = moments_of(probabilities, size, len(features))
    segments = segments_of(moments, classes, rate, facts["threshold"])
    segments = segments.round({"start": 3, "end": 3, "probability": 4})
    write_csv(segments, folder / "timeline.csv")
    save_timeline(source, moments, segments, classes, rate, folder / "timeline.jpg")
    caption = caption_at(segments, moments, classes, rate)
    with bar_over(f"annotate {source.name}", frames, unit_scale=1 / fps) as bar:
        annotate(source, folder / "annotated.mp4", caption, bar)
    return dict.fromkeys(COLUMNS) | {
        "video": str(source),
        **verdict(probabilities, classes, facts["threshold"]),
        "seconds": len(features) / rate,
        "segments": len(segments),
        "problem": "; ".join(odd),
    }


class SecondsBar(Bar):
    """A bar that never goes past its total, which some headers understate."""

    def update(self, n=1):
        return super().update(min(n, self.total - self.n) if self.total else n)


def bar_over(what, total, **settings):
    """A progress bar that counts seconds of a video; total: 0 if the header doesn't
    tell.
    """
    what = what if len(what) <= 40 else f"{what[:39]}…"
    if total:
        settings["bar_format"] = (
            "{l_bar}{bar}| {n:.0f}/{total:.0f} s [{elapsed}<{remaining}]"
        )
    settings |= {"total": total or None, "desc": what, "unit": "s", "leave": False}
    return progress(kind=SecondsBar, **settings)


def save_timeline(source, moments, segments, classes, rate, path):
    """Save the picture of a video's timeline over a strip of its frames as a JPEG
    file.
    """
    import matplotlib

    matplotlib.use("agg")
    from toolbox.clips import strip_of
    from toolbox.plots import draw_timeline

    import matplotlib.pyplot as plt

    strip = strip_of(source, len(moments) / rate)
    with warnings.catch_warnings(action="ignore"), whole(path) as temporary:
        # a class's name may have letters that the font lacks
        figure = draw_timeline(
            strip, moments, segments, classes, rate, title=source.name
        )
        figure.savefig(temporary, format="jpg", dpi=120)
        plt.close(figure)


def in_words(row, threshold):
    """The row of a video as a line to read."""
    digits = (
        1 if row["class"] == NONE else 0
    )  # so that it doesn't look like the threshold
    named = [
        f"{row[name]} {row[chance]:.{digits}%}" for name, chance in RANKS if row[name]
    ]
    if row["class"] == NONE:
        named = [
            f"{NONE} (a class is named from {threshold:.1%} on; {', '.join(named[1:])})"
        ]
    segments = f"{row['segments']} segment{'s' if row['segments'] != 1 else ''}"
    problem = f"; {row['problem']}" if row["problem"] else ""
    return f"{', '.join(named)}; {segments} in {row['seconds']:.1f} s{problem}"


def note_prediction(row, home):
    """Put the row of a video into `predictions.csv`, in place of an earlier one."""
    path = home / PREDICTIONS
    with one_writer(home / ".lock", home, wait=True):
        table = read_predictions(path)
        table = table[table["video"] != row["video"]]
        table = pd.concat([table, pd.DataFrame([row], columns=COLUMNS)])
        write_csv(table.astype({"segments": "Int64"}), path)


def read_predictions(path):
    """The table of `predictions.csv`; an empty one if there is none. Raises OSError
    if it can't be used.
    """
    try:
        return (
            read_csv(path, COLUMNS) if path.exists() else pd.DataFrame(columns=COLUMNS)
        )
    except ValueError as error:  # no video's problem, as another ValueError is
        raise OSError(str(error)) from None


def print_table(rows):
    """Print the answers for several videos, a line for each."""
    table = pd.DataFrame(rows, columns=COLUMNS).astype({"segments": "Int64"})
    table["video"] = table["video"].map(lambda video: Path(video).name)
    shown = ["video", "class", "probability", "seconds", "segments", "problem"]
    print()
    text = table[shown].astype(object).where(table[shown].notna(), "")
    print(text.to_string(index=False, float_format="{:.2f}".format))
    print()


if __name__ == "__main__":
    exit_with(main)
