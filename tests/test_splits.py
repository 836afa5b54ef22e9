"""Notebook 03: validation frames, by frame and by group."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from lessons_of import lesson
from sklearn.model_selection import train_test_split

page = lesson("03")
split_by_frame, split_by_group = page.split_by_frame, page.split_by_group


def table_of(classes=3, groups=5, clips=2, frames=4):
    """A table of frames in which every group has clips of every class."""
    counts = map(range, (classes, groups, clips, frames))
    rows = [
        (f"c{label}", f"g{group:02}", f"c{label}_g{group:02}_c{clip}.avi")
        for label, group, clip, _ in product(*counts)
    ]
    return pd.DataFrame(rows, columns=["class", "group", "video"])


def random_table(seed):
    """A random table of frames, of two to twelve groups, and a share."""
    rng = np.random.default_rng(seed)
    clips, classes, groups = rng.integers([4, 1, 2], [40, 7, 13])
    numbers = {"class": rng.integers(classes, size=clips), "video": np.arange(clips)}
    numbers["group"] = np.append([0, 1], rng.integers(groups, size=clips - 2))
    table = pd.DataFrame(numbers).astype(str)
    rows = table.index.repeat(rng.integers(1, 12, clips))
    return table.loc[rows].reset_index(drop=True), rng.uniform(0.05, 0.5)


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_by_frame_takes_the_same_share_of_each_class(share):
    table = table_of()
    validation = split_by_frame(table, share)
    assert validation.dtype == bool and validation.shape == (120,)
    taken = table["class"][validation].value_counts().to_dict()
    assert taken == dict.fromkeys(["c0", "c1", "c2"], 40 * share)


def test_by_frame_puts_siblings_on_both_sides_and_by_group_does_not():
    table = table_of()
    by_frame, by_group = split_by_frame(table), split_by_group(table)
    assert page.share_with_siblings(table, by_frame, "video") > 0.9
    assert page.share_with_siblings(table, by_group, "group") == 0


@pytest.mark.parametrize("split", [split_by_frame, split_by_group])
def test_the_seed_decides(split):
    table = table_of(groups=10)
    draws = [split(table, seed=seed) for seed in range(10)]
    assert (draws[1] == split(table, seed=1)).all()
    assert len({tuple(draw) for draw in draws}) > 1


def test_the_share_with_siblings_by_hand():
    table = pd.DataFrame({"video": list("aaabbc"), "group": list("xxxxyy")})
    validation = np.array([True, False, False, True, True, True])
    assert page.share_with_siblings(table, validation, "video") == 1 / 4
    assert page.share_with_siblings(table, validation, "group") == 2 / 4


@pytest.mark.parametrize("classes", ["a", "abc"])
def test_too_few_frames_to_split(classes):
    with pytest.raises(ValueError, match=r"too few to set some aside\. Add clips"):
        split_by_frame(pd.DataFrame({"class": list(classes)}))


def test_the_draw_is_that_of_train_test_split():
    """Which frames are drawn is scikit-learn's business; later numbers rest on it."""
    table = table_of(classes=2, groups=1, clips=2, frames=5)
    _, expected = train_test_split(
        np.arange(20), stratify=table["class"], test_size=4, random_state=42
    )
    assert np.flatnonzero(split_by_frame(table, 0.2, 42)).tolist() == sorted(expected)


@pytest.mark.parametrize("seed", range(30))
def test_no_group_is_ever_on_both_sides(seed):
    table, share = random_table(seed)
    validation = split_by_group(table, share, seed)
    assert not set(table["group"][validation]) & set(table["group"][~validation])
    assert 0 < validation.sum() < len(table)


@pytest.mark.parametrize(
    ("share", "held_out"), [(0.2, {1}), (0.34, {1, 2}), (0.5, {2, 3})]
)
def test_by_group_takes_about_the_share_and_all_classes(share, held_out):
    validation = split_by_group(table := table_of(), share)
    assert table["group"][validation].nunique() in held_out
    assert len(table["class"][validation].value_counts().unique()) == 1
    assert set(table["class"][validation]) == set(table["class"])


def test_of_one_group_nothing_is_set_aside():
    assert not split_by_group(table_of(groups=1)).any()
