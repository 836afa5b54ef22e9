"""Tables and a picture for the control of order: what methods say in order, shuffled, backwards.

`answers` is everywhere a dict from the name of a method to what `framevote.order.examine` returns,
a dict of probabilities (n, classes) by what was learned from and what was judged.
"""

from toolbox.draw import draw_intervals
from toolbox.intervals import in_points, verdict
from toolbox.validate import is_right

import numpy as np
import pandas as pd

WAYS = IN_ORDER, SHUFFLED = "ordered / ordered", "shuffled / shuffled"


def in_order(answers):
    """What each method says that learned from clips in order and judged clips in order."""
    return {name: said[IN_ORDER] for name, said in answers.items()}


def most_often_right(answers, labels):
    """The name of the method with the highest accuracy in order."""
    said = in_order(answers)
    return max(said, key=lambda name: is_right(said[name], labels).mean())


def fuse(answers, names):
    """Late fusion: the mean of what some methods say, as `examine` returns it."""
    ways = answers[names[0]]
    return {way: np.mean([answers[name][way] for name in names], axis=0) for way in ways}


def ignores_order(said, tolerance=1e-4):
    """Whether shuffling the frames of the clips it judges changes none of a method's answers."""
    return np.allclose(said[IN_ORDER], said["ordered / shuffled"], atol=tolerance)


def value_of_order(answers, labels, groups):
    """The control as a DataFrame with a row for each method: accuracy for the three ways; the first
    minus the second in points, with its 95 % interval over groups; what that shows.
    """
    rows = {}
    for name, said in answers.items():
        right = {way: is_right(said[way], labels) for way in list(said)[:3]}
        rows[name] = {way: f"{one.mean():.1%}" for way, one in right.items()}
        value = right[IN_ORDER] * 1.0 - right[SHUFFLED]
        rows[name]["points"] = in_points(value, groups)
        rows[name]["with order"] = verdict(value, groups)
    return pd.DataFrame(rows).T


def rows_of(measured, answers, labels, groups, part):
    """Two lists of rows of `results.json`: all methods in order; learned from and judged shuffled.

    measured: as in `framevote.voting`, makes a row; part: which clips these are.
    """
    chance, both = 1 / len(np.unique(labels)), ([], [])
    for name, said in answers.items():
        for rows, way, suffix in zip(both, WAYS, ("", ", frames shuffled"), strict=True):
            right = is_right(said[way], labels)
            rows.append(measured(name + suffix, "video", part, right, groups, chance))
    return both


def draw_control(rows, shuffled, title):
    """Draw every method in order, with its interval, and as diamonds those that learned from and
    judged shuffled clips; returns the matplotlib figure.

    rows, shuffled: rows of `results.json`, of the same methods.
    """
    beside = "learned from and judged shuffled", [row["accuracy"] for row in shuffled]
    label = "learned from and judged in order"
    return draw_intervals(rows, rows[0]["chance"], title, beside, label)


def pairs_told_apart(within_pair, answers, labels, groups, pairs):
    """A DataFrame with a row for each method: for each pair of classes the share of clips, forwards
    and backwards, that get the right one of the two names, and what that shows against one half.

    within_pair: as in `framevote.order`.
    """
    classes, truth = np.unique(labels, return_inverse=True)
    table = pd.DataFrame(index=list(answers))
    for pair in pairs:
        indices, mine = np.searchsorted(classes, pair), np.isin(labels, pair)
        for name, said in answers.items():
            ways = said[IN_ORDER], said["ordered / backwards"]
            right = within_pair(*ways, truth, indices)
            shown = verdict(right - 0.5, groups[mine])
            table.loc[name, " or ".join(pair)] = f"{right.mean():.1%}, {shown}"
    return table
