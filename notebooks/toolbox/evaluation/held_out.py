"""How good a classifier of own videos is, in words: as good as it can be known."""

from toolbox.clips import NONE
from toolbox.evaluation.groups_left_out import (
    are_given,
    confidences,
    fitted,
    judges,
    known_and_strangers,
    threshold_for,
    told_apart,
)
from toolbox.evaluation.intervals import difference_over_groups, interval_over_groups
from toolbox.models import seconds_of, segments_of

import numpy as np
import pandas as pd

MOST_COLUMNS, MOST_CLASSES = 8, 20  # of a table to read; that are left out in turn


def report_of(model, clips, labels, groups, train, per_second, keep):
    """How good a classifier is that learned from the training part, on the other clips:
    text, to be read; its first two lines say how many are right, and what that says of
    other clips. Each is called as a video is, see `as_videos`.

    model: scikit-learn's interface, with the method `moments(clip)` of notebook 11's;
    clips: (n,) features of clips; labels, groups: (n,); train: (n,) bool; per_second:
    moments in a second; keep: see `threshold_of`.
    """
    learned, test = (clips[train], labels[train], groups[train]), ~train
    threshold, known = threshold_of(model, *learned, keep), fitted(model, *learned[:2])
    called = as_videos(known, clips[test], per_second, threshold)
    right, refused = labels[test] == called, np.sum(called == NONE)
    text = f"right on {right.sum()} of {len(right)} clips held out"
    text += f'; of {refused} it says "{NONE}"' if refused else ""
    table = confusion(labels[test], called, np.unique(labels))
    if len(table) > MOST_COLUMNS:
        table = table[["recall"]].sort_values("recall")
    shown = table.to_string(formatters={"recall": "{:.0%}".format}, na_rep="-")
    trust = how_far(right, groups[test], groups[train], groups)
    untested = ", ".join(sorted(set(labels) - set(labels[test])))
    untested = [f"No clip was held out of: {untested}."] if untested else []
    last = refusing(model, *learned, threshold)
    return "\n".join([text, trust, *untested, shown, last])


def how_far(right, groups, learned, everywhere):
    """What an accuracy on clips held out says of other clips: text. right: (n,) bool;
    groups: (n,) theirs; learned: those of the training clips; everywhere: of all clips.
    """
    if not are_given(everywhere):
        some = pd.Series(everywhere).duplicated(keep=False).any()
        who = "Most clips were given no group" if some else "No groups were given"
        return (
            f"{who}, so clips of one afternoon may be on both sides: expect less on"
            " new footage.\nA folder for each day, or groups.csv, tells."
        )
    if known := np.isin(groups, learned).sum():
        return f"Of {known} of them it learned the group: expect less on new footage."
    if (count := len(set(groups))) < 3:
        few = "one group, which" if count == 1 else "two groups, which"
        return f"They are of {few} it never met: too few to say what others will give."
    low, high = interval_over_groups(right, groups)
    return (
        f"They are of {count} groups that it never met; on new ones, expect"
        f" {low:.0%} to {high:.0%} (95 % interval)."
    )


def threshold_of(model, clips, labels, groups, keep):
    """The threshold of "none of these": the share `keep` of moments of clips reaches
    it, judged by classifiers that never met their group; see `threshold_for`. It is 0,
    so never said, without groups: on footage that was seen, a classifier is too sure.
    """
    if not are_given(groups):
        return 0.0
    found = judges(model, clips, labels, groups)
    return threshold_for(confidences(found, clips, groups, labels), keep)


def refusing(model, clips, labels, groups, threshold):
    """What "none of these" is worth on groups that were left out, while each class in
    turn is never met: text, to be read.
    """
    if not are_given(groups):
        return f'"{NONE}" is never said: that takes groups to set, too.'
    if not threshold:
        return (
            f'"{NONE}" can\'t be tried on so few groups: of ten clips, a classifier'
            " must\nhave learned the class, and another one, from other groups."
        )
    text = f'"{NONE}" is said where no class reaches {threshold:.0%}'
    if len(set(labels)) > MOST_CLASSES:
        return f"{text}."
    known, strangers = known_and_strangers(model, clips, labels, groups, folds=3)
    apart = told_apart(known, strangers, labels)
    there = ~np.isnan(apart)
    if not there.any():
        return f"{text}. What that is worth takes three classes to tell."
    passed = np.mean(known[~np.isnan(known)] >= threshold)
    refused = np.mean(strangers[~np.isnan(strangers)] < threshold)
    low, _ = difference_over_groups(apart[there] - 0.5, groups[there])
    chance = "" if low and low > 0 else ": no better than chance"
    return (
        f"{text}. Tried on each class while it wasn't taught, that refuses"
        f" {refused:.0%} of its moments, and {1 - passed:.0%} of the others{chance}."
    )


def as_videos(fitted, clips, per_second, threshold):
    """What clips are called as videos, by the class with the most time: (n,) text."""
    classes, moments = fitted.classes_, map(fitted.moments, clips)
    found = (segments_of(one, classes, per_second, threshold) for one in moments)
    return np.array([seconds_of(segments).index[0] for segments in found], object)


def confusion(labels, called, classes):
    """How many clips of each class (a row) were called what (a column), and the recall:
    the share of a class's clips that got its name. A DataFrame.
    """
    table = pd.crosstab(np.asarray(labels), np.asarray(called))
    columns = {"index": classes, "columns": [*classes, NONE]}
    table = table.reindex(**columns, fill_value=0)
    recall = np.diag(table) / table.sum(axis=1).replace(0, np.nan)
    table = table.loc[:, (table != 0).any() | np.isin(table.columns, classes)]
    return table.assign(recall=recall).rename_axis(index="clips of", columns="called")
