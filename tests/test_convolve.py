"""Notebook 09: stored clips, augmentation, batches, the (2+1)D network, inflated kernels."""

import threading
from itertools import repeat

import keras
import numpy as np
import pytest
from clips import write_clip

from framevote.convolve import (
    ClipBatches,
    Watch,
    augment,
    cut_square,
    inflate,
    predict_clips,
    r2plus1d,
    small_clip,
    square_around,
    store_clips,
    train_on_clips,
)

# Cutting


def test_the_square_around_a_region_by_hand():
    region = np.zeros((100, 200), bool)
    region[40:60, 50:90] = True  # 20 high, 40 wide
    assert square_around(region, margin=0) == (30, 50, 40)
    assert square_around(region, margin=0.1) == (26, 46, 48)


def test_nothing_moves_so_the_square_is_the_middle_of_the_frame():
    assert square_around(np.zeros((60, 80), bool)) == (0, 10, 60)
    assert square_around(np.ones((90, 60), bool)) == (15, 0, 60)


def test_the_square_stays_inside_the_frame():
    region = np.zeros((100, 200), bool)
    region[90:, 190:] = True
    assert square_around(region, margin=0.5) == (80, 180, 20)
    region[:, 100:] = True
    assert square_around(region) == (0, 100, 100)


def test_what_is_in_the_square_is_scaled():
    frame = np.zeros((40, 60, 3), "uint8")
    frame[10:20, 30:40] = 200
    cut = cut_square(frame, 10, 25, 20, 40)
    assert cut.shape == (40, 40, 3)
    assert (cut[:20, 10:30] == 200).all() and cut.sum() == 200 * 20 * 20 * 3


def test_small_clips_are_cut_to_the_motion(tmp_path):
    write_clip(tmp_path / "clip.avi", frames=30)
    clip = small_clip(tmp_path / "clip.avi", 8, 24)
    assert clip.shape == (8, 24, 24, 3) and clip.dtype == np.uint8
    assert len(np.unique(clip.reshape(8, -1), axis=0)) == 8  # the bar is elsewhere in each frame


@pytest.mark.parametrize("frames", [1, 3])
def test_short_clips_repeat_their_frames(tmp_path, frames):
    write_clip(tmp_path / "clip.avi", frames=frames)
    clip = small_clip(tmp_path / "clip.avi", 8, 24)
    assert len(np.unique(clip.reshape(8, -1), axis=0)) == frames
    assert (clip[0] == clip[1]).all()


# Storing


@pytest.fixture
def paths(tmp_path):
    """Six clips of different looks and lengths; the fourth is broken."""
    for number in range(6):
        write_clip(tmp_path / f"{number}.avi", frames=10 + 5 * number, look=number)
    (tmp_path / "3.avi").write_bytes(b"not a video")
    return [tmp_path / f"{number}.avi" for number in range(6)]


def test_stored_clips_are_in_the_order_of_their_paths(tmp_path, paths):
    problems = store_clips(paths, tmp_path / "clips.npy", 6, 16, threads=4)
    stored = np.load(tmp_path / "clips.npy")
    assert stored.shape == (6, 6, 16, 16, 3) and stored.dtype == np.uint8
    for number in (0, 1, 2, 4, 5):
        assert (stored[number] == small_clip(paths[number], 6, 16)).all()
    assert list(problems) == [3] and "OpenCV" in problems[3]
    assert not stored[3].any()


def test_stored_clips_are_kept_and_made_again_when_a_clip_changes(tmp_path, paths, capsys):
    target = tmp_path / "clips.npy"
    first = store_clips(paths, target, 6, 16)
    before = target.stat().st_mtime_ns
    assert store_clips(paths, target, 6, 16) == first
    assert target.stat().st_mtime_ns == before
    assert "complete already" in capsys.readouterr().out
    write_clip(paths[3], frames=20)
    assert store_clips(paths, target, 6, 16) == {}
    assert np.load(target)[3].any()


def test_clips_of_another_size_are_stored_anew(tmp_path, paths):
    for size in (16, 24):
        store_clips(paths, tmp_path / "clips.npy", 6, size)
        assert np.load(tmp_path / "clips.npy", mmap_mode="r").shape == (6, 6, size, size, 3)


def test_a_kill_between_the_clips_and_their_note_leaves_no_old_note(tmp_path, paths, monkeypatch):
    target = tmp_path / "clips.npy"
    store_clips(paths[:2], target, 6, 16)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("framevote.convolve.write_json", interrupt)
        store_clips(paths, target, 6, 16)
    store_clips(paths[:2], target, 6, 16)
    assert len(np.load(target)) == 2


def interrupt(*_, **__):
    """In place of a function before which the process is killed."""
    raise KeyboardInterrupt


# Augmentation


def ramp_clip(count=12, size=16):
    """A clip in which brightness rises with time and to the right."""
    time, place = np.arange(count)[:, None, None, None], np.arange(size)[None, None, :, None]
    return np.broadcast_to(5 * time + 4 * place, (count, size, size, 3)).astype("uint8")


def test_a_variant_is_one_cut_for_all_frames():
    for seed in range(30):
        frames = augment(ramp_clip(), 8, np.random.default_rng(seed)).astype(float)
        assert frames.shape == (8, 16, 16, 3)
        slopes = np.sign(np.diff(frames[:, 0, :, 0], axis=1).sum(axis=1))
        assert len(set(slopes)) == 1  # all mirrored, or none
        steps = frames[:, 0, :, 0] - frames[:1, 0, :, 0]
        assert np.ptp(steps, axis=1).max() <= 2  # no frame is shifted against another


def test_time_never_runs_backwards_unless_asked():
    for reverse, expected in ((False, {1}), (True, {1, -1})):
        variants = [
            augment(ramp_clip(), 8, np.random.default_rng(seed), reverse_time=reverse)
            for seed in range(40)
        ]
        directions = {int(np.sign(float(v[-1].mean()) - float(v[0].mean()))) for v in variants}
        assert directions == expected


def test_both_mirror_images_occur():
    slopes = {
        int(np.sign(float(v[0, 0, -1, 0]) - float(v[0, 0, 0, 0])))
        for v in (augment(ramp_clip(), 8, np.random.default_rng(seed)) for seed in range(40))
    }
    assert slopes == {1, -1}


# Batches


def labelled_clips(n=10):
    """Stored clips whose brightness is their number, times ten."""
    return np.broadcast_to(
        (10 * np.arange(1, n + 1))[:, None, None, None, None], (n, 12, 16, 16, 3)
    ).astype("uint8")


def test_labels_stay_with_their_clips_and_every_clip_comes_once():
    stored, rows = labelled_clips(), np.arange(10)[::-1].copy()
    batches = ClipBatches(stored, rows, rows * 7, 8, batch_size=4, seed=1)
    seen, sizes = [], []
    for clips, labels in batches.epoch(0):
        sizes.append(len(clips))
        brightness = (clips.mean(axis=(1, 2, 3, 4)) + 1) * 127.5
        for value, label in zip(brightness, labels, strict=True):
            clip = label // 7
            assert 0.69 * 10 * (clip + 1) - 1 <= value <= 1.31 * 10 * (clip + 1) + 1
            seen.append(clip)
    assert sizes == [4, 4, 2]
    assert sorted(seen) == list(range(10))


def test_the_same_seed_gives_the_same_batches_and_epochs_differ():
    def all_of(seed, epoch):
        batches = ClipBatches(ramp_clips, np.arange(6), np.arange(6), 8, 4, seed)
        return [np.concatenate(part) for part in zip(*batches.epoch(epoch), strict=True)]

    ramp_clips = np.stack([ramp_clip()] * 6)
    first, again = all_of(0, 0), all_of(0, 0)
    assert all((one == two).all() for one, two in zip(first, again, strict=True))
    for other in (all_of(0, 1), all_of(1, 0)):
        assert other[1].tolist() != first[1].tolist()  # another order
        assert not (other[0][other[1].argsort()] == first[0][first[1].argsort()]).all()  # variants


def test_clips_that_are_alike_get_variants_of_their_own():
    batches = ClipBatches(np.stack([ramp_clip()] * 6), np.arange(6), np.arange(6), 8, 6)
    [(clips, _)] = batches.epoch(0)
    assert len(np.unique(clips.reshape(6, -1), axis=0)) == 6


def test_a_watch_adds_up_what_a_loop_waits_for():
    watch = Watch()
    assert list(watch.over(iter("abc"))) == ["a", "b", "c"]
    before = watch.seconds
    assert before > 0
    steps = watch.over(repeat("a"))
    next(steps)
    assert watch.seconds > before


def test_batches_left_in_the_middle_leave_no_thread():
    before = threading.active_count()
    steps = ClipBatches(labelled_clips(), np.arange(10), np.arange(10), 8, 2).epoch(0)
    next(steps)
    steps.close()
    assert threading.active_count() == before


# Networks


def moving_bars(n, seed):
    """Clips in which a bar moves down (class 0) or up (class 1), from any place, on noise."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(2, size=n)
    clips = rng.integers(0, 60, (n, 12, 32, 32, 3), dtype="uint8")
    for clip, label, start in zip(clips, labels, rng.integers(32, size=n), strict=True):
        for time, frame in enumerate(clip):
            frame[(start + (2 * time if label == 0 else -2 * time)) % 32] = 220
    return clips, labels


def test_the_network_learns_which_way_a_bar_moves():
    keras.utils.set_random_seed(0)
    clips, labels = moving_bars(96, seed=0)
    unseen, expected = moving_bars(60, seed=1)
    model = r2plus1d(8, 32, 2, widths=(8, 16))
    batches = ClipBatches(clips, np.arange(96), labels, 8, 16)
    history, waiting = train_on_clips(model, batches, 10, learning_rate=0.01)
    assert len(history) == 10 and 0 <= waiting < 1
    right = predict_clips(model, unseen, np.arange(60), 8).argmax(axis=1) == expected
    assert right.mean() > 0.8  # 60 coin throws stay below 0.7
    assert history["loss"].min() < 0.5  # with labels of 95 and 5 %; of 55 and 45 % it is over 0.68
    assert float(model.optimizer.learning_rate) < 0.01 / 1000  # it has fallen to zero


def test_about_a_million_weights():
    assert 0.5e6 < r2plus1d(16, 64, 14).count_params() < 2e6


def test_a_still_clip_looks_like_any_other():
    """The network sees differences of frames: where nothing moves, nothing is there to see."""
    model, rng = r2plus1d(8, 32, 3, widths=(8, 16)), np.random.default_rng(0)
    still = np.repeat(rng.uniform(-1, 1, (2, 1, 32, 32, 3)), 8, axis=1).astype("float32")
    first, second = model.predict_on_batch(still)
    assert np.allclose(first, second, atol=1e-6)
    moving = rng.uniform(-1, 1, (2, 8, 32, 32, 3)).astype("float32")
    first, second = model.predict_on_batch(moving)
    assert not np.allclose(first, second, atol=1e-3)


def test_a_still_clip_gives_the_2d_answer_at_every_moment(base):
    picture = np.random.default_rng(0).uniform(-120, 120, (1, 224, 224, 3)).astype("float32")
    flat = keras.Model(base.input, base.get_layer("block1_pool").output).predict_on_batch(picture)
    inflated = inflate(base, last="block1_pool", count=6)
    answer = inflated.predict_on_batch(np.repeat(picture[:, None], 6, axis=1))
    assert answer.shape == (1, 2, 112, 112, 64)  # two convolutions took two moments each
    assert np.abs(answer - flat[:, None]).max() < 1e-4 * np.abs(flat).max()
    moving = np.random.default_rng(1).uniform(-120, 120, (1, 6, 224, 224, 3)).astype("float32")
    assert np.abs(inflated.predict_on_batch(moving)[:, 0] - flat).max() > np.abs(flat).max() / 100


def test_only_convolutions_and_max_pooling_can_be_inflated():
    picture = keras.Input((8, 8, 3))
    base = keras.Model(picture, keras.layers.BatchNormalization(name="norm")(picture))
    with pytest.raises(TypeError, match=r"norm is a BatchNormalization; only Conv2D"):
        inflate(base, last="norm")
