"""What the frames of a clip say together."""

import numpy as np
import pandas as pd

COLUMNS = ["video", "frames", "predicted", "agreement", "confidence", "tied"]


def clip_answers(clips, frames, probabilities, classes, rule):
    """The answer for each clip, by a rule that joins what its frames say: the table of
    clips with columns `frames` (how many), `predicted`, `agreement` (the share of the
    frames with the most frequent vote), `confidence` (the frames' mean probability of
    the answer), `tied` (whether several classes had the most votes) and `correct`.

    clips: DataFrame of clip, class, group, video; frames: DataFrame of video, a row for
    each of the probabilities (frames, classes); classes: their names, an array; rule: a
    function of one clip's probabilities, to the index of a class. A clip without frames
    has no answer, and isn't correct.
    """
    rows = []
    for video, mine in frames.groupby("video").indices.items():
        said = probabilities[mine]
        winner, votes = rule(said), np.bincount(said.argmax(axis=1))
        tied = (votes == votes.max()).sum() > 1
        answer = [video, len(mine), classes[winner], votes.max() / len(mine)]
        rows.append([*answer, said[:, winner].mean(), tied])
    answers = pd.DataFrame(rows, columns=COLUMNS)
    table = clips[["clip", "class", "group", "video"]].merge(answers, "left", "video")
    table["frames"] = table["frames"].fillna(0).astype(int)
    table["correct"] = table["predicted"] == table["class"]
    return table
