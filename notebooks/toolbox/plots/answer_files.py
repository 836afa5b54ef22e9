"""What a classifier says of a video, as files and as a row of a table."""

import math
from datetime import datetime
from pathlib import Path

from toolbox.clips import NONE, annotate, open_video, strip_of
from toolbox.models import seconds_of, write_subtitles
from toolbox.page import progress
from toolbox.plots.timeline import caption_at, draw_timeline
from toolbox.store import (
    digest_of,
    fingerprint,
    is_made,
    making,
    read_note,
    whole,
    write_csv,
)

import matplotlib.pyplot as plt
import numpy as np

COPY, FILES = "annotated.mp4", ("timeline.csv", "timeline.srt", "timeline.jpg")
COLUMNS = [
    *("video", "class", "probability", "next", "next_probability", "seconds"),
    *("segments", "note", "summary", "problem", "classifier", "answered"),
]


def classify_video(path, classifier, folder, label):
    """Label a video, and leave the answer in a folder, see `write_answer`, whose row is
    returned. What an earlier run left is kept, if the video and the classifier are the
    same. Raises ValueError if the video can't be read.

    classifier: a `SavedClassifier`; label: notebook 11's `label_video`.
    """
    path, of = Path(path), digest_of(Path(path), classifier.path)
    if is_made(folder / COPY, of) and all((folder / name).exists() for name in FILES):
        return read_note(folder / COPY)["row"]
    with open_video(path) as video:
        bar = {"total": video.seconds and math.ceil(video.seconds), "unit": "s"}
    with progress(desc=f"look at {path.name}", leave=False, **bar) as looking:
        answer = label(path, classifier, folder / "seen.npy", looking)
    return write_answer(path, answer, classifier.facts, folder, of)


def write_answer(path, answer, facts, folder, *of):
    """Write the `Answer` to a video into a folder: `timeline.csv` (its segments),
    `timeline.srt` (subtitles for the video), `timeline.jpg` (a picture), and last
    `annotated.mp4` (the video with captions); returns its row, see `row_of`, which the
    note of that keeps.

    facts: of the `SavedClassifier` that gave it; of: what it depends on, see `is_made`.
    """
    segments = answer.segments.round({"start": 3, "end": 3, "probability": 4})
    table, subtitles, picture = (folder / name for name in FILES)
    write_csv(segments, table)
    write_subtitles(segments, subtitles, answer.late)
    about = answer.moments, segments, facts["classes"], facts["per_second"]
    with whole(picture) as temporary:
        strip = strip_of(path, answer.seconds)
        figure = draw_timeline(strip, *about, title=path.name)
        figure.savefig(temporary, format="jpg", dpi=120)
        plt.close(figure)
    row, total = row_of(path, answer, facts), int(np.ceil(answer.seconds))
    bar = {"total": total, "unit": "s", "leave": False}
    with (
        making(folder / COPY, *of, row=row) as temporary,
        progress(desc=f"annotate {path.name}", **bar) as writing,
    ):
        caption = caption_at(segments, *about[:1], *about[2:])
        lost = annotate(path, temporary, caption, writing)
        row["problem"] = "; ".join(filter(None, (row["problem"], lost)))
    return row


def row_of(path, answer, facts):
    """The answer to a video as a dict of COLUMNS: video (its path); class, the one with
    the most time in which something moves, and its mean probability (of "none of
    these", that of the likeliest class of each moment); next, the likeliest class
    beside it, and next_probability; seconds; segments (how many); note (what to
    beware of); summary (to be read); problem (what was odd, or ""); classifier (its
    name, and when it was made); answered (when).
    """
    segments, classes = answer.segments, facts["classes"]
    seconds, mean = seconds_of(segments), answer.moments.mean(axis=0)
    moving = segments[segments["note"] == ""]
    name = seconds_of(moving if len(moving) else segments).index[0]
    means = dict(zip(classes, map(float, mean), strict=True))
    chance = means.get(name, float(answer.moments.max(axis=1).mean()))
    others = sorted((one for one in classes if one != name), key=means.get)[:-3:-1]
    summary = f"{name} {chance:.0%}"
    if len(seconds) > 1:
        parts = (f"{one} {lasted:.1f} s" for one, lasted in seconds.items())
        summary = f"{', '.join(parts)} ({len(segments)} segments)"
    elif name == NONE:
        parts = ", ".join(f"{one} {means[one]:.0%}" for one in others)
        summary = f"{NONE}: {parts} ({facts['threshold']:.0%} needed)"
    note = "; ".join(cautions(path, answer, facts))
    row = {"video": str(path), "class": name, "probability": round(chance, 4)}
    row |= {"next": others[0], "next_probability": round(means[others[0]], 4)}
    row |= {"seconds": round(answer.seconds, 3), "segments": len(segments)}
    row |= {"note": note, "summary": summary, "problem": answer.problem}
    row |= {"classifier": f"{facts['name']}, {facts['made']}"}
    return row | {"answered": f"{datetime.now():%Y-%m-%d %H:%M}"}


def cautions(path, answer, facts):
    """What to beware of in an answer: yields text."""
    lasts = answer.segments["end"] - answer.segments["start"]
    if still := lasts[answer.segments["note"] != ""].sum():
        what = "it" if still > 0.99 * lasts.sum() else f"{still:.1f} s of it"
        yield f"{what} hardly moves, compared with what was learned from"
    if answer.seconds < (least := facts["size"] / facts["per_second"]):
        yield f"shorter than the {least:g} s that are judged at once"
    if fingerprint(path) in facts["learned"]:
        yield "this video was learned from"
