"""The control of order: tables and picture, against cases worked out by hand."""

from toolbox.evaluation import order_control as control

import numpy as np
import pytest

from lessons.order import pairs_told_apart, rows_of, within_pair

WAYS = ["ordered / ordered", "shuffled / shuffled"]
WAYS += ["ordered / shuffled", "ordered / backwards"]
LABELS = np.array(["a", "b"] * 12)
GROUPS = np.repeat(np.arange(6), 4).astype(str)


def said(*right):
    """What a method says that is right on these shares of clips, for each way."""
    truth = (LABELS == "b").astype(int)
    answers = {}
    for way, share in zip(WAYS, right, strict=True):
        wrong = np.arange(len(LABELS)) % 4 >= 4 * share
        answers[way] = np.eye(2)[np.where(wrong, 1 - truth, truth)]
    return answers


def test_the_value_of_order_is_what_was_learned_in_order_beyond_shuffled():
    answers = {"blind": said(0.5, 0.5, 0.5, 0.5), "reads": said(1, 0.5, 0.25, 0)}
    table = control.value_of_order(answers, LABELS, GROUPS)
    assert table.loc["reads"].tolist()[:3] == ["100.0%", "50.0%", "25.0%"]
    assert table.loc["reads", "points"].startswith("+50 (")
    assert table["with order"].tolist() == ["no difference shown", "better"]
    assert control.most_often_right(answers, LABELS) == "reads"


def test_ignoring_the_order_is_told_by_the_answers():
    assert control.ignores_order(said(0.5, 1, 0.5, 0)) and not control.ignores_order(
        said(1, 1, 0.5, 1)
    )


# Classes 1 and 2 are the pair, the last clip is of neither. Clip 0: 1 is said, and 2
# backwards (which is 1 now), both wrong; clip 1: both right; clip 2: 1, then 1.
def test_within_a_pair_only_its_two_answers_count():
    forwards = [[0.5, 0.3, 0.2], [0.1, 0.7, 0.2], [0.6, 0.3, 0.1], [0.9, 0, 0.1]]
    backwards = [[0.5, 0.2, 0.3], [0.1, 0.2, 0.7], [0.6, 0.3, 0.1], [0.9, 0, 0.1]]
    both, truth = np.array([forwards, backwards]), np.array([2, 1, 1, 0])
    assert within_pair(*both, truth, [1, 2]).tolist() == [0, 1, 0.5]


@pytest.mark.parametrize("tie", [False, True])
def test_whoever_ignores_the_order_is_right_in_exactly_half(tie):
    same = np.random.default_rng(0).dirichlet([1, 1], size=24)
    same = np.full_like(same, 0.5) if tie else same
    blind = dict.fromkeys(WAYS, same)
    table = pairs_told_apart({"blind": blind}, LABELS, GROUPS, [["a", "b"]])
    assert table.loc["blind", "a or b"] == "50.0%, no difference shown"
    told = pairs_told_apart({"reads": said(1, 1, 1, 0)}, LABELS, GROUPS, [["a", "b"]])
    assert told.loc["reads", "a or b"] == "100.0%, better"


def test_a_row_for_each_method_in_order_and_shuffled():
    rows = rows_of({"reads": said(1, 0.5, 0, 0)}, LABELS, GROUPS, "test")
    expected = {"reads": 1, "reads, frames shuffled": 0.5}
    assert {row["method"]: row["accuracy"] for [row] in rows} == expected
    assert {(row["part"], row["chance"]) for [row] in rows} == {("test", 0.5)}
