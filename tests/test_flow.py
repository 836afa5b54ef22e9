"""Notebook 09 and its toolbox: pairs of frames, flow histograms, exams, pictures."""

from toolbox.clips import flow
from toolbox.plots.flow import (
    draw_flows,
    draw_histograms,
    fastest_moment,
    flow_colours,
    flow_film,
)

import cv2
import matplotlib.pyplot as plt
import numpy as np
import pytest
from clips import claim_rate, write_clip
from lessons_of import lesson
from sklearn.neighbors import KNeighborsClassifier

from lessons.pooling import linear_classifier

motion = lesson("09")
flow_histogram, mirrored = motion.flow_histogram, motion.mirrored


def difference(before, after):
    """Stands in for optical flow: how grey changes, in both directions."""
    return np.repeat((after.astype("float32") - before)[..., None], 2, axis=2)


def test_the_direction_of_motion_is_seen_in_colour():
    moved = np.zeros((20, 20, 2), "float32")
    moved[:10, :, 0], moved[10:, :, 0] = 2, -1
    picture = flow_colours(moved, fastest=2)
    assert picture.dtype == np.uint8 and picture.shape == (20, 20, 3)
    assert picture[0, 0].tolist() == [255, 0, 0]  # to the right: hue 0, red
    assert picture[-1, 0].tolist() == [0, 127, 127]  # to the left, half as fast


def test_pictures_of_a_clip(tmp_path):
    write_clip(tmp_path / "clip.avi", frames=12)
    frame, moved = fastest_moment(tmp_path / "clip.avi", difference)
    assert moved.shape == (*frame.shape, 2)
    paths = dict.fromkeys(["one", "other"], tmp_path / "clip.avi")
    figure = draw_flows(paths, difference, "title")
    assert [axis.get_title() for axis in figure.axes[::3][:2]] == ["one", "other"]
    plt.close(figure)
    frames, flows = flow_film(tmp_path / "clip.avi", difference, longest=5)
    assert len(frames) == len(flows) == 5 and frames[0].shape == flows[0].shape


@pytest.mark.parametrize("histogram", [np.zeros((3, 3, 8)), np.eye(9, 8)[:, None]])
def test_a_histogram_has_a_ray_for_each_direction_of_each_cell(histogram):
    figure = draw_histograms({"one": histogram, "other": 2 * histogram}, "title")
    assert [axis.get_title() for axis in figure.axes] == ["one", "other"]
    [rays] = figure.axes[1].collections
    assert histogram.size == rays.N
    assert np.hypot(rays.U, rays.V).max() == pytest.approx(0.5 * histogram.any())
    plt.close(figure)


def textured(*size):
    """A smooth random texture."""
    noise = np.random.default_rng(0).uniform(0, 255, size).astype("float32")
    smooth = cv2.GaussianBlur(noise, (0, 0), 3)
    return (255 * (smooth - smooth.min()) / np.ptp(smooth)).astype("uint8")


def test_a_moving_patch_is_counted_in_its_cell_and_direction():
    moved = np.full((90, 120, 2), 5, "float32")  # a panning camera is no motion
    moved[:30, 80:, 0] += 4.0  # the top right cell moves to the right
    histogram = flow_histogram(moved, cells=3)
    assert histogram.shape == (3, 3, 8)
    assert histogram[0, 2, 0] == histogram.sum() == pytest.approx(4.0)  # pixels


def test_histograms_in_a_mirror():
    moved = np.random.default_rng(0).normal(size=(60, 90, 2)).astype("float32")
    expected = flow_histogram(moved[:, ::-1] * np.array([-1, 1], "float32"), cells=3)
    assert np.allclose(mirrored(flow_histogram(moved, cells=3)), expected, atol=0.02)


def test_who_learned_from_both_mirror_images_gives_both_the_same_answer():
    moves = np.random.default_rng(0).uniform(size=(40, 2, 3, 3, 8))
    labels = np.where(moves[:, 0, 0, 0, 0] > 0.5, "much", "little")  # top left, right
    linear = linear_classifier(lambda clips: clips.reshape(len(clips), -1), strength=10)
    both = motion.BothImages(linear).fit(moves, labels)
    said = both.predict_proba(moves)
    assert np.allclose(said, both.predict_proba(mirrored(moves)))
    assert np.mean(both.classes_[said.argmax(axis=1)] == labels) > 0.9


def test_neighbours_follow_each_other_and_are_evenly_spaced(tmp_path, monkeypatch):
    write_clip(tmp_path / "clip.avi", frames=12)
    opened, open_video = [], flow.open_video
    watched = lambda path: opened.append(path) or open_video(path)  # noqa: E731
    monkeypatch.setattr(flow, "open_video", watched)
    every = list(flow.neighbours(tmp_path / "clip.avi", width=32))
    assert len(every) == 11 and np.array_equal(every[0][1], every[1][0])
    assert {seconds for *_, seconds in every} == {1 / 25}
    some = list(flow.neighbours(tmp_path / "clip.avi", 3, width=32))
    for pair, expected in zip(some, (every[0], every[5], every[10]), strict=True):
        assert np.array_equal(pair[:2], expected[:2])
    assert len(list(flow.neighbours(tmp_path / "clip.avi", 1000))) == 11
    assert len(opened) == 3  # each time once


def film(path, shift, fps=25, frames=9):
    """A lossless clip of a textured square that moves over a still textured ground."""
    ffv1 = cv2.VideoWriter_fourcc(*"FFV1")
    writer = cv2.VideoWriter(str(path), ffv1, fps, (160, 120))
    ground, square = textured(120, 160), 255 - textured(40, 40)
    for number in range(frames):
        frame, left = ground.copy(), 60 + shift * (number - frames // 2)
        frame[30:70, left : left + 40] = square
        writer.write(cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR))
    writer.release()
    return path


def test_motion_is_measured_in_seconds_not_in_frames(tmp_path):
    """100 pixels a second, all of them; and nobody believes 1,000 frames a second."""
    clip = film(tmp_path / "fast.avi", 4, fps=25)
    fast = motion.motion_of(clip, 6)
    slow = motion.motion_of(film(tmp_path / "slow.avi", 2, fps=50), 6)
    left = motion.motion_of(film(tmp_path / "left.avi", -4, fps=25), 6)
    assert fast.shape == (6, motion.CELLS**2 * 8 + 1)
    for moved, direction in ((fast, 0), (slow, 0), (left, 4)):
        directions = moved[:, :-1].reshape(-1, 8).sum(axis=0)
        assert directions.argmax() == direction
        assert directions.max() == pytest.approx(fast[:, :-1:8].sum(), rel=0.25)
        assert (moved[:, -1].sum() > 0) == (direction == 0)
    claim_rate(clip, microseconds_per_frame=1000, rate=1000, scale=1)
    assert np.array_equal(motion.motion_of(clip, 6), fast)
    described = motion.described([fast, slow[:1]])
    assert described.shape == (2, 2, motion.CELLS, motion.CELLS, 8)
    assert described[0].any() and not described[1, 1].any()  # one moment: no deviation


def test_a_clip_of_one_frame_does_not_move(tmp_path):
    still = motion.motion_of(film(tmp_path / "still.avi", 0, frames=1), 6)
    assert still.shape == (1, motion.CELLS**2 * 8 + 1) and not still.any()


def test_hidden_clips_are_judged_by_who_met_neither_them_nor_their_group(monkeypatch):
    labels, groups = np.array(["a", "b"] * 6), np.repeat(["g1", "g2", "g3"], 4)
    names = {"labels": labels, "groups": groups, "classes": np.unique(labels)}
    for name, value in names.items():
        monkeypatch.setattr(motion, name, value, raising=False)
    clips, hidden = np.arange(12)[:, None], np.arange(12) % 4 == 0  # all of "a"
    said = motion.without(KNeighborsClassifier(1), clips, hidden)
    assert not said[~hidden].any() and said[hidden].sum() == 3
    near = KNeighborsClassifier(1)
    expected = [clips[~hidden & (groups != group)] for group in groups[hidden]]
    for clip, row, met in zip(clips[hidden], said[hidden], expected, strict=True):
        judge = near.fit(met, labels[met[:, 0]])
        assert names["classes"][row.argmax()] == judge.predict([clip])[0]
