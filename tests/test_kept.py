"""Results kept with what they were made from."""

from toolbox.store.kept import kept

import numpy as np
import pytest


def test_what_was_made_from_the_same_is_not_made_again(tmp_path):
    made = []

    def make():
        made.append(len(made))
        return {"numbers": np.full(3, made[-1])}

    path = tmp_path / "folder" / "result.npz"
    assert kept(path, "first", make)["numbers"].tolist() == [0, 0, 0]
    again = kept(path, "first", make)
    assert again["numbers"].tolist() == [0, 0, 0] and set(again) == {"numbers"}
    assert kept(path, "second", make)["numbers"].tolist() == [1, 1, 1]
    assert kept(path, "first", make)["numbers"].tolist() == [2, 2, 2]


def test_what_breaks_off_leaves_nothing(tmp_path):
    def breaks_off():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        kept(tmp_path / "result.npz", "first", breaks_off)
    assert not list(tmp_path.iterdir())
