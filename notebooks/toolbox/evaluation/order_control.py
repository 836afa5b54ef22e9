"""Tables for the control of order: what methods say in order, shuffled, backwards.

`answers` is everywhere a dict from the name of a method to what `lessons.order.examine`
returns, a dict of probabilities (n, classes) by what was learned from and what was
judged.
"""

from toolbox.evaluation.groups_left_out import is_right
from toolbox.evaluation.intervals import in_points, verdict

import numpy as np
import pandas as pd

WAYS = IN_ORDER, SHUFFLED = "ordered / ordered", "shuffled / shuffled"


def in_order(answers):
    """What each method says that learned from clips in order and judged clips in
    order.
    """
    return {name: said[IN_ORDER] for name, said in answers.items()}


def most_often_right(answers, labels):
    """The name of the method with the highest accuracy in order."""
    said = in_order(answers)
    return max(said, key=lambda name: is_right(said[name], labels).mean())


def ignores_order(said, tolerance=1e-4):
    """Whether shuffling the frames of the clips it judges changes none of a method's
    answers.
    """
    return np.allclose(said[IN_ORDER], said["ordered / shuffled"], atol=tolerance)


def value_of_order(answers, labels, groups):
    """The control as a DataFrame with a row for each method: accuracy for the three
    ways; the first minus the second in points, with its 95 % interval over groups;
    what that shows.
    """
    rows = {}
    for name, said in answers.items():
        right = {way: is_right(said[way], labels) for way in list(said)[:3]}
        rows[name] = {way: f"{one.mean():.1%}" for way, one in right.items()}
        value = right[IN_ORDER] * 1.0 - right[SHUFFLED]
        rows[name]["points"] = in_points(value, groups)
        rows[name]["with order"] = verdict(value, groups)
    return pd.DataFrame(rows).T
