"""What a classifier says of a video, as files and as a row of a table."""

from datetime import datetime

from toolbox.clips import NONE, annotate, strip_of
from toolbox.models import seconds_of, write_subtitles
from toolbox.page import progress
from toolbox.plots.timeline import caption_at, draw_timeline
from toolbox.store import fingerprint, making, whole, write_csv

import matplotlib.pyplot as plt
import numpy as np

COPY, FILES = "annotated.mp4", ("timeline.csv", "timeline.srt", "timeline.jpg")


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
    """The answer to a video as a dict: video (its path); class, the one with the most
    time, and its probability; next, the likeliest beside it, and next_probability;
    seconds; segments (how many); summary (to be read); problem (what was odd, or "");
    classifier (its name, and when it was made); answered (when).
    """
    segments, classes = answer.segments, facts["classes"]
    seconds, lasts = seconds_of(segments), segments["end"] - segments["start"]
    name, mean = seconds.index[0], answer.moments.mean(axis=0)
    own = segments["class"] == name
    chance = np.average(segments["probability"][own], weights=lasts[own])
    order = [k for k in np.argsort(-mean) if classes[k] != name][:2]
    others = [(classes[k], round(float(mean[k]), 4)) for k in order]
    summary = f"{name} {chance:.0%}"
    if len(seconds) > 1:
        parts = (f"{one} {lasted:.1f} s" for one, lasted in seconds.items())
        summary = f"{', '.join(parts)} ({len(segments)} segments)"
    elif name == NONE:
        parts = ", ".join(f"{one} {mean:.0%}" for one, mean in others)
        summary = f"{NONE}: {parts} ({facts['threshold']:.0%} needed)"
    if still := lasts[segments["note"] != ""].sum():
        what = "it" if still > 0.99 * lasts.sum() else f"{still:.1f} s of it"
        summary += f"; {what} hardly moves, compared with what was learned from"
    if fingerprint(path) in facts["learned"]:
        summary += "; this video was learned from"
    row = {"video": str(path), "class": name, "probability": round(float(chance), 4)}
    row |= {"next": others[0][0], "next_probability": others[0][1]}
    row |= {"seconds": round(answer.seconds, 3), "segments": len(segments)}
    row |= {"summary": summary, "problem": answer.problem}
    row |= {"classifier": f"{facts['name']}, {facts['made']}"}
    return row | {"answered": f"{datetime.now():%Y-%m-%d %H:%M}"}
