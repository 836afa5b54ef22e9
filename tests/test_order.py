"""Notebook 08: sequences with a mask, models of order, optical flow."""

import cv2
import keras
import numpy as np
import pytest
from clips import claim_rate, write_clip

from framevote.order import (
    CELLS,
    DIRECTIONS,
    change_of_halves,
    convolution,
    evenly_spaced,
    flow_colours,
    flow_histogram,
    grey_frames,
    mean_of,
    mean_pooling,
    mean_step,
    motion_of,
    optical_flow,
    recurrent,
    sequences,
    transformer,
    within_pair,
)

MODELS = [mean_pooling, convolution, recurrent, transformer]
USE_ORDER = [convolution, recurrent, transformer]

# Sequences


@pytest.mark.parametrize(
    ("count", "wanted", "chosen"),
    [
        (9, 3, [0, 4, 8]),
        (10, 4, [0, 3, 6, 9]),
        (7, 3, [0, 3, 6]),
        (8, 3, [0, 4, 7]),  # the middle of 0 to 7 is 3.5, half goes up
        (4, 4, [0, 1, 2, 3]),
        (3, 8, [0, 1, 2]),  # shorter than wanted: all of them
        (1, 8, [0]),
        (1, 1, [0]),
        (5, 1, [2]),
        (0, 4, []),
    ],
)
def test_evenly_spaced_by_hand(count, wanted, chosen):
    assert evenly_spaced(count, wanted).tolist() == chosen


@pytest.mark.parametrize(
    ("count", "wanted", "chosen"),
    [(9, 3, [0, 4, 8]), (4, 4, [0, 1, 2, 3]), (1, 3, [0, 0, 0]), (2, 4, [0, 0, 1, 1])],
)
def test_few_frames_may_be_repeated(count, wanted, chosen):
    assert evenly_spaced(count, wanted, repeat=True).tolist() == chosen


@pytest.mark.parametrize("wanted", [2, 3, 8, 16])
def test_evenly_spaced_rises_from_the_first_frame_to_the_last(wanted):
    for count in range(wanted, 200):
        chosen = evenly_spaced(count, wanted)
        assert len(chosen) == wanted and chosen[0] == 0 and chosen[-1] == count - 1
        assert np.ptp(np.diff(chosen)) <= 1


def test_sequences_are_in_the_order_of_time_and_filled_with_zeros():
    features = np.arange(1, 7)[:, None] * np.ones((1, 2))
    owners = np.array([2, 0, 2, 2, 0, 2])  # clip 1 has no frame
    arranged, mask = sequences(features, owners, clips=3, length=3)
    assert arranged.shape == (3, 3, 2) and arranged.dtype == np.float32
    assert arranged[..., 0].tolist() == [[2, 5, 0], [0, 0, 0], [1, 4, 6]]
    assert mask.tolist() == [[True, True, False], [False] * 3, [True] * 3]


@pytest.fixture
def four_clips():
    """The same five frames, of which five, two, one and none are real."""
    clip = np.array([[1.0], [3.0], [100.0], [5.0], [9.0]])
    return np.stack([clip] * 4), np.arange(5) < np.array([5, 2, 1, 0])[:, None]


def test_descriptions_of_a_clip_by_hand(four_clips):
    assert mean_of(*four_clips).ravel().tolist() == pytest.approx([118 / 5, 2, 1, 0])
    assert change_of_halves(*four_clips).ravel().tolist() == [7 - 2, 2, 0, 0]
    assert mean_step(*four_clips).ravel().tolist() == [(2 + 97 + 95 + 4) / 4, 2, 0, 0]


def test_a_reversed_clip_turns_its_change_round_and_keeps_its_steps():
    clips, mask = random_clips(3, 7), np.ones((3, 7), bool)
    backwards = clips[:, ::-1]
    assert np.allclose(change_of_halves(backwards, mask), -change_of_halves(clips, mask))
    assert np.allclose(mean_step(backwards, mask), mean_step(clips, mask))
    assert np.allclose(mean_of(backwards, mask), mean_of(clips, mask))


def test_within_a_pair_only_its_two_answers_count():
    said = np.array([[0.5, 0.3, 0.2], [0.1, 0.7, 0.2], [0.6, 0.3, 0.1], [0.9, 0.0, 0.1]])
    truth = np.array([2, 1, 1, 0])  # classes 1 and 2 are the pair; the last clip is of neither
    assert within_pair(said, truth, [1, 2]) == pytest.approx(2 / 3)


# Models


def random_clips(n, length, width=6, seed=0):
    """Clips of random features."""
    return np.random.default_rng(seed).normal(size=(n, length, width)).astype("float32")


@pytest.mark.parametrize("build", MODELS)
@pytest.mark.parametrize("real", [1, 2, 5])
def test_what_stands_in_the_filling_changes_no_prediction(build, real):
    keras.utils.set_random_seed(1)
    model = build(8, 6, 3, units=16)
    clips, mask = random_clips(4, 8), np.arange(8) < real
    mask = np.broadcast_to(mask, (4, 8))
    clean = model.predict_on_batch([clips * mask[..., None], mask])
    if build is not convolution:  # there, the filling has to be zero, as `sequences` makes it
        dirty = np.where(mask[..., None], clips, 50 * random_clips(4, 8, seed=1))
        assert np.allclose(model.predict_on_batch([dirty, mask]), clean, atol=1e-5)
    assert np.allclose(clean.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("build", [mean_pooling, convolution, recurrent])
def test_more_filling_changes_no_prediction(build):
    short, long = build(4, 6, 3, units=16), build(11, 6, 3, units=16)
    long.set_weights(short.get_weights())
    clips, mask = random_clips(4, 4), np.ones((4, 4), bool)
    padded = np.pad(clips, ((0, 0), (0, 7), (0, 0))), np.pad(mask, ((0, 0), (0, 7)))
    expected = short.predict_on_batch([clips, mask])
    assert np.allclose(long.predict_on_batch(list(padded)), expected, atol=1e-5)


@pytest.mark.parametrize("build", MODELS)
def test_only_models_of_order_notice_a_reversal(build):
    keras.utils.set_random_seed(1)
    model, clips, mask = build(8, 6, 3, units=16), random_clips(4, 8), np.ones((4, 8), bool)
    forwards = model.predict_on_batch([clips, mask])
    backwards = model.predict_on_batch([clips[:, ::-1].copy(), mask])
    assert np.allclose(forwards, backwards, atol=1e-5) == (build is mean_pooling)


def rising_or_falling(n, seed):
    """Clips in which one feature rises (class 1) or falls (class 0): same frames, other order."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(2, size=n)
    ramp = np.linspace(-1, 1, 8) * np.where(labels, 1, -1)[:, None]
    clips = 0.3 * rng.normal(size=(n, 8, 6))
    clips[..., 0] += ramp
    return clips.astype("float32"), np.ones((n, 8), bool), labels


@pytest.mark.parametrize("build", USE_ORDER)
def test_models_of_order_learn_a_direction_in_time(build):
    keras.utils.set_random_seed(0)
    *known, labels = rising_or_falling(200, seed=0)
    *unseen, expected = rising_or_falling(200, seed=1)
    model = build(8, 6, 2, units=16, dropout=0.1)
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    model.fit(known, labels, epochs=15, verbose=0)
    right = model.predict(unseen, verbose=0).argmax(axis=1) == expected
    assert right.mean() > 0.85  # 200 coin throws stay below 0.65


def test_attention_is_spread_over_real_frames():
    model = transformer(8, 6, 3, units=16)
    mask = np.broadcast_to(np.arange(8) < 5, (4, 8))
    attention = model.attention.predict_on_batch([random_clips(4, 8), mask])
    assert attention.shape == (4, 8)
    assert np.allclose(attention[:, 5:], 0)
    assert (attention[:, :5] > 0).all() and (attention.sum(axis=1) < 1).all()


def test_a_transformer_can_be_saved_and_loaded(tmp_path):
    model = transformer(8, 6, 3, units=16)
    model.save(tmp_path / "model.keras")
    inputs = [random_clips(4, 8), np.ones((4, 8), bool)]
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert np.allclose(loaded.predict_on_batch(inputs), model.predict_on_batch(inputs), atol=1e-6)


# Flow


def textured(shift=(0, 0), size=(96, 128)):
    """A smooth random texture, moved right and down by whole pixels."""
    noise = np.random.default_rng(0).uniform(0, 255, (size[0] + 40, size[1] + 40)).astype("float32")
    smooth = cv2.GaussianBlur(noise, (0, 0), 3)
    smooth = (255 * (smooth - smooth.min()) / np.ptp(smooth)).astype("uint8")
    right, down = shift
    return smooth[20 - down : 20 - down + size[0], 20 - right : 20 - right + size[1]]


@pytest.mark.parametrize("shift", [(3, 0), (0, 2), (-2, 1), (0, 0)])
def test_flow_finds_a_known_shift(shift):
    flow = optical_flow(textured(), textured(shift))
    assert flow.shape == (96, 128, 2)
    assert np.allclose(np.median(flow[10:-10, 10:-10], axis=(0, 1)), shift, atol=0.25)


def test_a_moving_patch_is_counted_in_its_cell_and_direction():
    flow = np.zeros((90, 120, 2), "float32")
    flow[:30, 80:, 0] = 4.0  # the top right cell moves to the right
    histogram = flow_histogram(flow, cells=3).reshape(3, 3, 8)
    assert histogram[0, 2, 0] == pytest.approx(2.0)  # the root of four pixels a frame
    assert histogram.sum() == pytest.approx(2.0)
    down = np.zeros_like(flow)
    down[60:, :40, 1] = 1.0
    assert flow_histogram(down, cells=3).reshape(3, 3, 8)[2, 0].argmax() == 2


def test_a_panning_camera_is_no_motion():
    assert not flow_histogram(np.full((60, 80, 2), 5.0, "float32")).any()


def test_mirrored_motion_mirrors_the_histogram():
    flow = np.random.default_rng(0).normal(size=(60, 90, 2)).astype("float32")
    mirrored = flow[:, ::-1] * np.array([-1, 1], "float32")
    order = [4, 3, 2, 1, 0, 7, 6, 5]  # right becomes left, down stays down
    expected = flow_histogram(flow, cells=3).reshape(3, 3, 8)[:, ::-1][..., order]
    assert np.allclose(flow_histogram(mirrored, cells=3).reshape(3, 3, 8), expected, atol=0.02)


def test_the_direction_of_motion_is_seen_in_colour():
    flow = np.zeros((20, 20, 2), "float32")
    flow[:10, :, 0], flow[10:, :, 0] = 2, -2
    picture = flow_colours(flow)
    assert picture.dtype == np.uint8 and picture.shape == (20, 20, 3)
    assert picture[0, 0].tolist() == [255, 0, 0]  # to the right: hue 0, red
    assert picture[-1, 0].tolist() == [0, 255, 255]  # to the left: its opposite


def test_grey_frames_are_those_asked_for(tmp_path):
    write_clip(tmp_path / "clip.avi", frames=12)
    grey = grey_frames(tmp_path / "clip.avi", {0, 7, 11, 12, 500}, width=32)
    assert sorted(grey) == [0, 7, 11]  # there is no frame 12
    assert all(frame.shape == (24, 32) and frame.dtype == np.uint8 for frame in grey.values())
    assert (grey[0] != grey[7]).any()


WIDTH = CELLS**2 * DIRECTIONS


def test_motion_of_short_and_broken_clips(tmp_path):
    for frames in (1, 2, 20):
        write_clip(tmp_path / f"{frames}.avi", frames=frames)
    (tmp_path / "broken.avi").write_bytes(b"not a video")
    assert motion_of(tmp_path / "1.avi", 8).shape == (0, WIDTH)
    assert motion_of(tmp_path / "2.avi", 8).shape == (1, WIDTH)
    moving = motion_of(tmp_path / "20.avi", 8)
    assert moving.shape == (8, WIDTH)
    assert moving.any(axis=1).all()
    with pytest.raises(ValueError, match="not a video"):
        motion_of(tmp_path / "broken.avi", 8)


def film(path, shift, fps=25, frames=9, mirrored=False):
    """A lossless clip of a textured square that moves over a still textured ground."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"FFV1"), fps, (160, 120))
    assert writer.isOpened()
    ground, square = textured(size=(120, 160)), 255 - textured(size=(40, 40))
    for number in range(frames):
        frame, left = ground.copy(), 60 + shift * (number - frames // 2)
        frame[30:70, left : left + 40] = square
        frame = frame[:, ::-1] if mirrored else frame
        writer.write(cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_GRAY2BGR))
    writer.release()
    return path


def directions(moments):
    """How much moves in each of the eight directions."""
    return (moments.reshape(-1, CELLS**2, DIRECTIONS) ** 2).sum(axis=(0, 1))


@pytest.mark.parametrize("shift", [4, -4])
def test_everybody_travels_to_the_left(tmp_path, shift):
    moments = motion_of(film(tmp_path / "clip.avi", shift), 6)
    assert directions(moments).argmax() == 4  # the half turn
    other = motion_of(film(tmp_path / "mirrored.avi", shift, mirrored=True), 6)
    assert np.abs(moments - other).mean() < 0.15 * moments.mean()


def test_motion_is_counted_in_seconds_not_in_frames(tmp_path):
    slow = directions(motion_of(film(tmp_path / "slow.avi", 2, fps=50), 6))[4]
    fast = directions(motion_of(film(tmp_path / "fast.avi", 4, fps=25), 6))[4]
    assert slow == pytest.approx(fast, rel=0.25)  # 100 pixels a second, both of them


def test_a_rate_that_nobody_believes_is_taken_as_25(tmp_path):
    clip = film(tmp_path / "clip.avi", 3)
    moments = motion_of(clip, 6)
    claim_rate(clip, microseconds_per_frame=1000, rate=1000, scale=1)
    assert np.allclose(motion_of(clip, 6), moments)


def test_shuffled_frames_move_otherwise_and_always_alike(tmp_path):
    clip = film(tmp_path / "clip.avi", 3, frames=15)
    mixed = motion_of(clip, 6, shuffle=0)
    assert np.array_equal(mixed, motion_of(clip, 6, shuffle=0))
    assert directions(mixed)[4] / directions(mixed).sum() < 0.8
    assert directions(motion_of(clip, 6))[4] / directions(motion_of(clip, 6)).sum() > 0.8
