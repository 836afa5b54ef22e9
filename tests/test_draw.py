"""Grids, moving pictures and pictures of scores, of any content."""

import base64
import html
import io
import re

from toolbox.page.folds import folded
from toolbox.plots import scores
from toolbox.plots.frames import animate, show_frames, show_votes

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image

ODD = ["$5_vs_$10", "x_1^2 \\frac", '<b>&"', "走る", "100%", "two\nlines"]


def frame_of(width, height, shade=200):
    return np.full((height, width, 3), shade, np.uint8)


def picture_in(page):
    """The picture in an HTML object, and its alternative text."""
    pattern = r'<img alt="([^"]*)" src="data:image/webp;base64,([^"]*)">'
    alt, encoded = re.fullmatch(pattern, page.data).groups()
    return Image.open(io.BytesIO(base64.b64decode(encoded))), html.unescape(alt)


def test_a_grid_shows_each_frame_with_its_title():
    frames = [frame_of(64, 48, shade) for shade in (10, 20, 30)]
    titles = pd.Series(["a", "b", "c"], index=[7, 8, 9])
    figure = show_frames(frames, titles, columns=2, title="All")
    filled = [axis for axis in figure.axes if axis.images]
    assert [axis.get_title() for axis in filled] == ["a", "b", "c"]
    assert [axis.images[0].get_array()[0, 0, 0] for axis in filled] == [10, 20, 30]
    assert len(figure.axes) == 4 and figure.get_suptitle() == "All"


def test_of_very_many_frames_some_are_drawn_and_it_is_told():
    figure = show_frames([frame_of(8, 8)] * 300, map(str, range(300)), 10, title="Kept")
    assert sum(len(axis.images) for axis in figure.axes) == 70
    assert figure.get_suptitle() == "Kept (70 of 300)"


@pytest.mark.filterwarnings("ignore:Glyph")
def test_names_are_never_formulas():
    figure = show_frames([frame_of(8, 8)] * len(ODD), ODD, title=ODD[0])
    figure.canvas.draw()
    assert [axis.get_title() for axis in figure.axes if axis.images] == ODD
    scores.draw_confusion(ODD, ODD, ODD).canvas.draw()


def test_an_animation_of_clips_of_any_size():
    clips = [[frame_of(8, 8)], [frame_of(48, 80, shade) for shade in range(3)]]
    clips.append([frame_of(640, 360, 40 * shade) for shade in range(6)])
    picture, alt = picture_in(animate(clips, ["<tiny>", "portrait", "wide"], columns=2))
    assert alt == "Animation: <tiny>, portrait, wide"
    assert picture.n_frames == 6
    assert picture.size == (2 * 128, 2 * (round(128 * 80 / 48) + 16))
    picture.seek(5)
    shown = np.asarray(picture.convert("RGB")).astype(int)
    assert abs(shown[229 + 16 + 40, 64] - 40 * 5).max() < 8  # in the wide clip


def test_an_animation_too_large_shows_fewer_moments_for_longer():
    """1000 x 1016 pixels fit 39 times into 40 million: every third of 100 is shown."""
    clip = [frame_of(16, 16, 60 * (moment // 3 % 4)) for moment in range(100)]
    picture, _ = picture_in(animate([clip], ["x"], width=1000, frames_per_second=10))
    assert picture.n_frames == 34
    picture.load()
    assert picture.info["duration"] == 300


def test_the_confusion_matrix_counts_all_predictions():
    classes = ["Jump", "Run", "Walk"]
    truth = ["Jump", "Jump", "Run", "Walk", "Run"]
    predicted = ["Jump", "Run", "Run", None, "Jump"]  # the fourth clip had no frame
    axis = scores.draw_confusion(truth, predicted, classes).axes[0]
    counts = np.asarray(axis.images[0].get_array())
    assert counts.tolist() == [[1, 1, 0], [1, 1, 0], [0, 0, 0]]
    assert [label.get_text() for label in axis.get_yticklabels()] == classes


def test_the_trade_off_marks_the_threshold():
    """At 0.5 three of four known clips pass, and one of two strangers is refused."""
    known, strangers = np.array([0.9, 0.5, 0.6, 0.2, np.nan]), np.array([0.4, 0.7])
    [axis] = scores.draw_trade_off(known, strangers, 0.5).axes
    assert [*axis.lines[-1].get_xdata(), *axis.lines[-1].get_ydata()] == [0.75, 0.5]


def test_the_curve_says_what_more_groups_teach():
    few = [("few groups", 1, 10, 0.2), ("few groups", 1, 10, 0.4)]
    few += [("few groups", 2, 20, 0.8)]
    rows = [*few, ("all groups", 1, 10, 0.5), ("all groups", 2, 20, 0.8)]
    curve = pd.DataFrame(rows, columns=["source", "groups", "clips", "accuracy"])
    [axis] = scores.draw_curve(curve, 0.1).axes
    assert axis.get_title() == "From 1 to 2 groups: from 30% to 80% right"
    assert [len(line.get_xdata()) for line in axis.lines[:2]] == [2, 2]


def test_intervals_are_drawn_from_above_as_the_rows_come():
    rows = [{"method": "vote", "accuracy": 0.5, "low": 0.4, "high": 0.6}]
    rows += [{"method": "$mean_1$", "accuracy": 0.7, "low": None, "high": None}]
    beside = "on training groups", [None, 0.8]
    [axis] = scores.draw_intervals(rows, 1 / 14, "Better", beside, "test").axes
    labels = [label.get_text() for label in axis.get_yticklabels()]
    assert labels == ["vote", "$mean_1$"]
    top, bottom = axis.transData.transform([(0, 0), (0, 1)])[:, 1]
    assert top > bottom
    interval, found, beside, _ = (line.get_xydata() for line in axis.lines)
    assert interval.tolist() == [[0.4, 0], [0.6, 0]]
    assert found.tolist() == [[0.5, 0], [0.7, 1]] and beside[1].tolist() == [0.8, 1]


def test_frames_say_what_they_vote_for(tmp_path):
    """Of pixels, and of files; the first five."""
    cv2.imwrite(str(tmp_path / "a.jpg"), frame_of(8, 8))
    frames = [tmp_path / "a.jpg", *[frame_of(8, 8)] * 6]
    said = np.tile([0.25, 0.75], (7, 1))
    figure = show_votes(frames, said, np.array(["Run", "Walk"]), "Walk")
    titles = [axis.get_title() for axis in figure.axes]
    assert titles == ["Walk, 75%"] * 5 and figure.get_suptitle() == "Walk"


def test_a_folded_table_opens_by_its_summary():
    page = folded("a < b", pd.DataFrame({"engine": ["x"], "frames/s": [12.345]})).data
    assert page.startswith("<details><summary>a &lt; b</summary><table")
    assert "12.3<" in page
