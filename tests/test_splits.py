"""Notebook 03: validation frames, by frame and by group."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from lessons_of import lesson

page = lesson("03")
split_by_frame, split_by_group = page.split_by_frame, page.split_by_group


def table_of(groups=5):
    """Three classes, in every group two clips of four frames of each."""
    rows = product("abc", range(groups), range(2), range(4))
    table = pd.DataFrame(rows, columns=["class", "group", "video", "frame"]).astype(str)
    return table.assign(video=table["class"] + table["group"] + table["video"])


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
    assert taken == dict.fromkeys("abc", 40 * share)


def test_by_frame_puts_siblings_on_both_sides_and_by_group_does_not():
    table = table_of()
    by_frame, by_group = split_by_frame(table), split_by_group(table)
    assert page.share_with_siblings(table, by_frame, "video") > 0.9
    assert page.share_with_siblings(table, by_group, "group") == 0


@pytest.mark.parametrize("seed", range(30))
def test_no_group_is_ever_on_both_sides(seed):
    table, share = random_table(seed)
    validation = split_by_group(table, share, seed)
    assert not set(table["group"][validation]) & set(table["group"][~validation])
    assert 0 < validation.sum() < len(table)


@pytest.mark.parametrize(("share", "held_out"), [(0.2, {1}), (0.5, {2, 3})])
def test_by_group_takes_about_the_share_and_all_classes(share, held_out):
    validation = split_by_group(table := table_of(), share)
    assert table["group"][validation].nunique() in held_out
    assert len(set(table["class"][validation].value_counts())) == 1


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


def test_of_one_group_nothing_is_set_aside():
    assert not split_by_group(table_of(groups=1)).any()
