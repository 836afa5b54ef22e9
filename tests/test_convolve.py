"""Notebook 10: augmentation, batches, the (2+1)D network, its schedule."""

import re

import keras
import nbformat
import numpy as np
import pytest
from keras import layers, ops
from lessons_of import NOTEBOOKS

from lessons import convolution
from lessons.convolution import ClipBatches


def ramp_clip(count=12, size=16):
    """A clip in which brightness rises with time and to the right."""
    time, x = np.ogrid[:count, :size]
    ramp = (5 * time + 4 * x)[:, None, :, None]
    return np.broadcast_to(ramp, (count, size, size, 3)).astype("uint8")


def variants(clip, count=8, n=60):
    rngs = map(np.random.default_rng, range(n))
    return [convolution.augment(clip, count, rng).astype(float) for rng in rngs]


def test_a_variant_is_one_cut_for_all_frames_forwards_in_time():
    mirrored = set()
    for frames in variants(ramp_clip()):
        assert frames.shape == (8, 16, 16, 3)
        rows = frames[:, 0, :, 0]
        slopes = np.sign(rows[:, -1] - rows[:, 0])
        assert len(set(slopes)) == 1  # all mirrored, or none
        mirrored.add(slopes[0])
        assert np.ptp(rows - rows[:1], axis=1).max() <= 2  # no frame is shifted
        assert frames[-1].mean() > frames[0].mean()
    assert mirrored == {1, -1}


def test_variants_differ_in_time_brightness_and_shift_within_bounds():
    time = 100 + np.arange(20, dtype="uint8")[:, None, None, None]
    clip = np.broadcast_to(time, (20, 8, 8, 3))
    spans = [(v[-1].mean() / v[0].mean()) for v in variants(clip)]
    assert min(spans) > (100 + 19) / (100 + 6) - 0.02  # 14 of 20 frames or more
    assert len(set(np.round(spans, 2))) > 3
    values = [v.mean() for v in variants(np.full((4, 16, 16, 3), 100, "uint8"), 4)]
    assert 69 <= min(values) < 80 and 120 < max(values) <= 130
    dot = np.zeros((4, 16, 16, 3), "uint8")
    dot[:, 8, 8] = 200
    rows = {int(np.argmax(v[0, :, :, 0].max(axis=1))) for v in variants(dot, 4)}
    assert rows == {6, 7, 8, 9, 10}  # an eighth of the side, up and down


def everything(batches):
    """The clips and labels of an epoch."""
    parts = [batches[k] for k in range(len(batches))]
    return [np.concatenate(part) for part in zip(*parts, strict=True)]


def batches_of(clips, training, seed=0, rows=None, then=None):
    rows = np.arange(len(clips)) if rows is None else rows
    labels = np.eye(len(clips), dtype="float32")[rows]
    return ClipBatches(clips, rows, labels, 8, training, then, seed)


def test_labels_stay_with_their_clips_and_every_clip_comes_once():
    brightness = (5 * np.arange(1, 31, dtype="uint8"))[:, None, None, None, None]
    clips = np.broadcast_to(brightness, (30, 12, 16, 16, 3))
    batches = batches_of(clips, True, rows=np.arange(29, 2, -1))
    assert [len(batches[k][0]) for k in range(len(batches))] == [16, 11]
    clips, labels = everything(batches)
    number = labels.argmax(axis=1)
    assert sorted(number) == list(range(3, 30))
    seen = (clips.mean(axis=(1, 2, 3, 4)) + 1) * 127.5
    assert (np.abs(seen / (5 * (number + 1)) - 1) < 0.4).all()


def test_for_validation_clips_come_in_their_order_and_unchanged():
    rng = np.random.default_rng(0)
    stored = rng.integers(0, 256, (5, 12, 16, 16, 3), dtype="uint8")
    batches = batches_of(stored, training=False)
    for _ in range(2):  # and in each epoch alike
        clips, labels = everything(batches)
        assert labels.argmax(axis=1).tolist() == [0, 1, 2, 3, 4]
        chosen = stored[:, [0, 2, 3, 5, 6, 8, 9, 11]]
        assert np.allclose((clips + 1) * 127.5, chosen, atol=1e-3)
        batches.on_epoch_end()


def test_the_same_seed_gives_the_same_batches_and_epochs_differ():
    def epoch_of(seed, epoch):
        batches = batches_of(np.stack([ramp_clip()] * 6), True, seed)
        for _ in range(epoch):
            batches.on_epoch_end()
        clips, labels = everything(batches)
        return labels.argmax(axis=1), clips

    (order, first), (same, again) = epoch_of(0, 0), epoch_of(0, 0)
    assert (order == same).all() and (first == again).all()
    assert len(np.unique(first.reshape(6, -1), axis=0)) == 6  # a variant for each
    for another, clips in (epoch_of(0, 1), epoch_of(1, 0)):
        assert (another != order).any()
        changed = first[order.argsort()] != clips[another.argsort()]
        assert changed.any(axis=(1, 2, 3, 4)).all()


def test_then_comes_last_and_depends_on_the_clip():
    def seen(then):
        return everything(batches_of(np.stack([ramp_clip()] * 2), False, then=then))[0]

    plain, behind, mixed = map(seen, (None, convolution.backwards, convolution.shuffle))
    assert (behind == plain[:, ::-1]).all() and (mixed[0] != mixed[1]).any()
    assert (np.sort(mixed, axis=1) == plain).all()
    rng = np.random.default_rng(0)
    halves = [int(convolution.reverse_half(np.arange(12), rng)[0]) for _ in range(200)]
    assert set(halves) == {0, 11} and 70 < halves.count(0) < 130


def moving_bars(n, seed):
    """Clips in which a bar moves down (class 0) or up (class 1), on noise."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(2, size=n)
    clips = rng.integers(0, 60, (n, 12, 32, 32, 3), dtype="uint8")
    for clip, label, start in zip(clips, labels, rng.integers(32, size=n), strict=True):
        for time, frame in enumerate(clip):
            frame[(start + (2 * time if label == 0 else -2 * time)) % 32] = 220
    return clips, np.eye(2, dtype="float32")[labels]


def test_the_network_learns_which_way_a_bar_moves():
    keras.utils.set_random_seed(0)
    clips, labels = moving_bars(96, seed=0)
    unseen, expected = moving_bars(60, seed=1)
    model = convolution.r2plus1d(8, 32, 2, widths=(8, 16))
    training = ClipBatches(clips, np.arange(96), labels, 8, True)
    convolution.compile_network(model, 10 * len(training), 0.01)
    model.fit(training, epochs=10, shuffle=False, verbose=0)
    tested = ClipBatches(unseen, np.arange(60), expected, 8, False)
    right = model.predict(tested, verbose=0).argmax(axis=1) == expected.argmax(axis=1)
    assert right.mean() > 0.8  # 60 coin throws stay below 0.7
    assert float(model.optimizer.learning_rate) < 0.01 / 1000  # it has fallen to zero


def test_the_schedule_and_label_smoothing_by_hand():
    model = convolution.r2plus1d(4, 32, 4, widths=(4, 4))
    convolution.compile_network(model, 100, 0.01)
    rates = [float(model.optimizer._learning_rate(step)) for step in (0, 10, 55, 100)]
    assert rates == pytest.approx([0.001, 0.01, 0.005, 0], abs=1e-8)
    said = np.array([[0.7, 0.1, 0.1, 0.1]], "float32")
    wanted = np.array([0.925, 0.025, 0.025, 0.025])  # 0.1 shared among the four
    loss = float(model.loss(np.eye(4, dtype="float32")[:1], said))
    assert loss == pytest.approx(-(wanted * np.log(said[0])).sum(), rel=1e-5)


def test_frame_differences_by_hand():
    clip = np.zeros((1, 3, 2, 2, 3), "float32")
    clip[0, 1] = [0.3, 0, 0.3]  # grey 0.2
    clip[0, 2] = 0.7
    changes = ops.convert_to_numpy(convolution.frame_differences(clip))
    assert changes.shape == (1, 2, 2, 2, 1)
    assert np.allclose(changes[0, :, 0, 0, 0], [0.4, 1.0])


@pytest.mark.parametrize("kernel, axes", [((1, 3, 3), (2, 3)), ((3, 1, 1), (1,))])
def test_each_convolution_reaches_along_its_own_axes(kernel, axes):
    clip = keras.Input((5, 7, 7, 2))
    model = keras.Model(clip, convolution.convolve(clip, 3, kernel))
    point = np.zeros((1, 5, 7, 7, 2), "float32")
    point[0, 2, 3, 3] = 1
    touched = np.argwhere(np.abs(model.predict_on_batch(point)).max(axis=-1) > 1e-7)
    for axis, middle in ((1, 2), (2, 3), (3, 3)):
        reached = [middle - 1, middle, middle + 1] if axis in axes else [middle]
        assert sorted(set(touched[:, axis])) == reached


def test_the_recipe_for_a_gpu_fits_together(monkeypatch):
    """Its lines, with few small frames, one epoch a rate, and a small eye: the page's
    own takes minutes to train on a processor.
    """

    def eye(include_top, pooling):
        frame = keras.Input((None, None, 3))
        x = layers.BatchNormalization()(layers.Conv2D(4, 3)(frame))
        return keras.Model(frame, layers.GlobalAveragePooling2D()(x))

    monkeypatch.setattr(keras.applications, "EfficientNetV2B0", eye)
    [path] = NOTEBOOKS.glob("10_*.ipynb")
    text = "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells)
    recipe = re.search(r"```python\n(keras\.mixed_precision.*?)```", text, re.S)[1]
    smaller = {"16, 224, 224": "2, 32, 32", "learn], 16,": "learn], 2,"}
    smaller |= {"1e-3, 5": "1e-3, 1", "1e-5, 20": "1e-5, 1"}
    for large, small in smaller.items():
        assert large in recipe
        recipe = recipe.replace(large, small)
    clips = np.random.default_rng(0).integers(0, 256, (4, 4, 32, 32, 3), "uint8")
    names = vars(convolution) | {"classes": "ab", "learn": np.arange(4), "paths": []}
    names |= {"one_hot": np.eye(2, dtype="float32")[[0, 1, 0, 1]], "stored": clips}
    recipe = re.sub(r"(?m)^stored, _ = .*$", "", recipe)
    policy = keras.mixed_precision.global_policy()
    try:
        exec(recipe, names)
    finally:
        keras.mixed_precision.set_global_policy(policy)
    assert names["tuned"].output_shape == (None, 2)
