"""What happens when in a video, as a table and as subtitles."""

from dataclasses import dataclass

from toolbox.clips import NONE
from toolbox.store import whole

import numpy as np
import pandas as pd


@dataclass
class Answer:
    """What happens in a video.

    segments: a DataFrame of start and end (in seconds), class, probability and note;
    moments: probabilities (n, classes); seconds: where the video ends; late: how long
    it plays before its first picture; problem: what was odd, or "".
    """

    segments: pd.DataFrame
    moments: np.ndarray
    seconds: float
    late: float
    problem: str


def answer_of(moments, moves, facts, about):
    """The `Answer` to a video. A segment's note says "hardly moves" if most of it moves
    less than half as much as any clip that was learned from.

    moments: probabilities (n, classes); moves: how much moves in each window (m,), see
    `motion_of`; facts: of the `SavedClassifier`; about: from `rows_seen`.
    """
    size, rate = facts["size"], facts["per_second"]
    limits = facts["threshold"], about["seconds"]
    segments = segments_of(moments, facts["classes"], rate, *limits)
    near = (slice(max(0, k - size + 1), k + 1) for k in range(len(moments)))
    still = np.array([np.mean(moves[n]) < facts["still_below"] for n in near])
    parts = np.split(still, np.round(segments["start"][1:] * rate).astype(int))
    notes = ["hardly moves" if part.mean() > 0.5 else "" for part in parts]
    about = {name: about[name] for name in ("seconds", "late", "problem")}
    return Answer(segments.assign(note=notes), moments, **about)


def motion_of(window):
    """How much moves in a window of features (size, d): the mean length of its steps,
    over the mean length of its features.
    """
    steps = np.linalg.norm(np.diff(window, axis=0), axis=1)
    return float(steps.mean() / np.linalg.norm(window, axis=1).mean())


def still_below(clips_windows):
    """Half as much as moves in the clip that moves least: less hardly moves.

    clips_windows: the windows (m, size, d) of each clip.
    """
    return min(np.mean(list(map(motion_of, one))) for one in clips_windows) / 2


def seconds_of(segments):
    """The seconds that segments give to each class, the most first: a Series."""
    lasts = segments["end"] - segments["start"]
    sums = lasts.groupby(segments["class"]).sum()
    return sums.sort_values(ascending=False, kind="stable")


def segments_of(moments, classes, per_second, threshold, seconds=None, shortest=1.0):
    """What happens when in a video: a DataFrame of start, end (seconds), class and
    probability.

    moments: probabilities (n, classes), `per_second` of them in a second, each of which
    lasts until the next; classes: their names; threshold: a moment whose highest
    probability is below it is "none of these"; seconds: where the video ends, if that
    is before the last moment would; shortest: seconds, a shorter segment goes to its
    longer neighbour. The probability is the mean over the segment's moments of that of
    its class (for "none of these", of the highest).
    """
    highest = moments.max(axis=1)
    best = np.where(highest < threshold, len(classes), moments.argmax(axis=1))
    while True:
        starts = np.flatnonzero(np.diff(best, prepend=-1))
        ends = np.append(starts[1:], len(best))
        k = (ends - starts).argmin()
        if len(starts) == 1 or ends[k] - starts[k] >= shortest * per_second:
            break
        near = [place for place in (k - 1, k + 1) if 0 <= place < len(starts)]
        longer = max(near, key=lambda place: ends[place] - starts[place])
        best[starts[k] : ends[k]] = best[starts[longer]]
    table = pd.DataFrame({"start": starts / per_second, "end": ends / per_second})
    table["end"] = table["end"].clip(upper=seconds)
    table["class"] = np.append(classes, NONE)[best[starts]]
    said = np.column_stack([moments, highest])[np.arange(len(best)), best]
    return table.assign(probability=np.add.reduceat(said, starts) / (ends - starts))


def write_subtitles(segments, path, late=0):
    """Write segments as subtitles (SubRip, `.srt`), which a player shows over the
    original video: for each its class and probability. late: seconds that are played
    before the first picture.
    """
    blocks = []
    for number, row in enumerate(segments.to_dict("records"), 1):
        start, end = (clock(row[name] + late) for name in ("start", "end"))
        sure = f" {row['probability']:.0%}" if row["class"] != NONE else ""
        text = row["class"] + sure
        blocks.append(f"{number}\n{start} --> {end}\n{text}\n")
    with whole(path) as temporary:
        temporary.write_text("\n".join(blocks), encoding="utf-8")


def clock(seconds):
    """Seconds as subtitles have them: hours:minutes:seconds,milliseconds."""
    minutes, milliseconds = divmod(round(1000 * float(seconds)), 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{milliseconds / 1000:06.3f}".replace(".", ",")
