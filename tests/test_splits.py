"""Notebook 03: validation frames, by frame and by group."""

import numpy as np
import pandas as pd
import pytest
from lessons_of import lesson
from sklearn.model_selection import train_test_split

page = lesson("03")
split_by_frame, split_by_group = page.split_by_frame, page.split_by_group


def table_of(classes=3, groups=5, clips=2, frames=4):
    """A table of frames in which every group has clips of every class."""
    rows = [
        (f"v_c{label}_g{group:02}_c{clip}_frame{k}.jpg", f"c{label}", group, clip)
        for label in range(classes)
        for group in range(groups)
        for clip in range(clips)
        for k in range(frames)
    ]
    table = pd.DataFrame(rows, columns=["image", "class", "group", "clip"])
    table["video"] = table["image"].str.replace(r"_frame\d+.jpg", ".avi", regex=True)
    table["group"] = "g" + table["group"].astype(str).str.zfill(2)
    return table[["image", "class", "video", "group"]]


def random_table(seed):
    """A random table of frames: clips of all lengths, each with any class and any
    group.
    """
    rng = np.random.default_rng(seed)
    clips = rng.integers(4, 40)
    lengths = rng.integers(1, 12, clips)
    classes, groups = rng.integers(1, 7), rng.integers(2, 13)
    table = pd.DataFrame(
        {
            "class": [f"class{number}" for number in rng.integers(classes, size=clips)],
            "group": [f"g{number:02}" for number in rng.integers(groups, size=clips)],
            "video": [f"clip{number}.avi" for number in range(clips)],
        }
    )
    return table.loc[table.index.repeat(lengths)].reset_index(drop=True), rng.uniform(
        0.05, 0.5
    )


# By frame


@pytest.mark.parametrize("share", [0.1, 0.2, 0.5])
def test_by_frame_takes_the_same_share_of_each_class(share):
    table = table_of()
    validation = split_by_frame(table, share)
    assert validation.dtype == bool
    assert validation.shape == (120,)
    assert table["class"][validation].value_counts().to_dict() == {
        f"c{label}": 40 * share for label in range(3)
    }


def test_by_frame_puts_siblings_on_both_sides_and_by_group_does_not():
    table = table_of()
    by_frame, by_group = split_by_frame(table), split_by_group(table)
    assert page.share_with_siblings(table, by_frame, "group") == 1
    assert page.share_with_siblings(table, by_frame, "video") > 0.9
    assert page.share_with_siblings(table, by_group, "group") == 0
    assert page.share_with_siblings(table, by_group, "video") == 0


def test_the_seed_decides():
    draws = [split_by_frame(table_of(), seed=seed) for seed in (1, 1, 2)]
    assert (draws[0] == draws[1]).all() and (draws[0] != draws[2]).any()


def test_the_share_with_siblings_by_hand():
    table = pd.DataFrame({"video": list("aaabbc"), "group": list("xxxxyy")})
    validation = np.array([True, False, False, True, True, True])
    assert page.share_with_siblings(table, validation, "video") == 1 / 4
    assert page.share_with_siblings(table, validation, "group") == 2 / 4


@pytest.mark.parametrize("classes", ["a", "ab", "abc"])
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


# By group


@pytest.mark.parametrize("seed", range(30))
def test_no_group_is_ever_on_both_sides(seed):
    table, share = random_table(seed)
    if len(set(table["group"])) == 1:
        table.loc[0, "group"] = "another"
    validation = split_by_group(table, share, seed)
    assert not set(table["group"][validation]) & set(table["group"][~validation])
    assert 0 < validation.sum() < len(table)
    assert (validation == split_by_group(table, share, seed)).all()


@pytest.mark.parametrize(
    ("share", "held_out"), [(0.2, {1}), (0.34, {1, 2}), (0.5, {2, 3})]
)
def test_by_group_takes_about_the_share_and_all_classes(share, held_out):
    table = table_of()
    validation = split_by_group(table, share)
    assert table["group"][validation].nunique() in held_out
    assert len(set(table["class"][validation].value_counts())) == 1
    assert set(table["class"][validation]) == set(table["class"])


def test_of_one_group_nothing_is_set_aside():
    assert not split_by_group(table_of(groups=1)).any()


def test_by_group_depends_on_the_seed():
    table = table_of(groups=10)
    chosen = {tuple(split_by_group(table, seed=seed)) for seed in range(10)}
    assert len(chosen) > 1
