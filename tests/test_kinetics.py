"""A Kinetics network as an extra: its data path, with random weights where PyTorch
is installed.
"""

import builtins
from types import SimpleNamespace

from toolbox.models import kinetics

import cv2
import numpy as np
import pandas as pd
import pytest
from clips import write_clip


def test_a_frame_is_prepared_as_the_network_was_trained():
    frame = np.zeros((240, 320, 3), "uint8")
    frame[:, :, 2] = 255  # red, as OpenCV has it
    prepared = kinetics.prepare(frame)
    assert prepared.shape == (112, 112, 3) and prepared.dtype == np.float32
    expected = (np.array([1, 0, 0]) - kinetics.MEAN) / kinetics.DEVIATION
    assert np.allclose(prepared, expected, atol=1e-5)


def test_the_middle_of_the_frame_is_what_remains():
    frame = np.zeros((128, 171, 3), "uint8")
    frame[8:120, 30:142] = 255
    assert np.allclose(
        kinetics.prepare(frame) * kinetics.DEVIATION + kinetics.MEAN, 1, atol=1e-5
    )


def test_windows_follow_the_clock_and_cover_the_clip(tmp_path, monkeypatch):
    monkeypatch.setattr(
        kinetics, "prepare", lambda frame: frame.mean((0, 1), keepdims=True)
    )
    write_clip(tmp_path / "clip.avi", frames=100, fps=30)  # 50 at 15 a second
    windows = kinetics.windows_of_frames(tmp_path / "clip.avi")
    assert windows.shape == (4, 3, 16, 1, 1)
    seen = np.stack(
        [f.mean((0, 1)) for f in kinetics.frames_shown(tmp_path / "clip.avi", 15)]
    )
    assert len(seen) == 50
    for window, start in zip(windows, (0, 11, 23, 34), strict=True):
        assert np.allclose(window[:, :, 0, 0].T, seen[start : start + 16])


def test_a_short_clip_stands_still_at_its_end(tmp_path):
    write_clip(tmp_path / "clip.avi", frames=8, fps=15)
    [window] = kinetics.windows_of_frames(tmp_path / "clip.avi")
    assert window.shape == (3, 16, 112, 112)
    assert (window[:, 8:] == window[:, 7:8]).all()
    assert not (window[:, 6] == window[:, 7]).all()


@pytest.fixture
def pocket(tmp_path):
    """Two clips in a dataset's folder, and their table."""
    for name in "ab":
        write_clip(tmp_path / f"{name}.avi", frames=40, look=ord(name))
    videos = pd.DataFrame({"clip": ["a", "b"], "video": ["a.avi", "b.avi"]})
    return SimpleNamespace(data=tmp_path / "data", folder=tmp_path), videos


def test_random_weights_give_features_that_are_kept(pocket, monkeypatch):
    torch = pytest.importorskip("torch", reason="PyTorch is an extra")
    pytest.importorskip("torchvision", reason="torchvision is an extra")
    torch.manual_seed(0)
    clips = kinetics.kinetics_clips(*pocket, weights=None)
    assert [clip.shape for clip in clips] == [(2, 512)] * 2
    assert all(np.isfinite(clip).all() for clip in clips)
    assert not np.allclose(clips[0], clips[1])
    monkeypatch.setattr(kinetics, "look_with", None)  # not asked again
    again = kinetics.kinetics_clips(*pocket, weights=None)
    assert all((one == two).all() for one, two in zip(clips, again, strict=True))


def test_our_preparation_is_torchvisions():
    torch = pytest.importorskip("torch", reason="PyTorch is an extra")
    models = pytest.importorskip("torchvision.models", reason="torchvision is an extra")
    transform = models.get_weight(kinetics.WEIGHTS).transforms()
    frame = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype="uint8")
    frame = cv2.resize(frame, (320, 240), interpolation=cv2.INTER_CUBIC)
    theirs = transform(
        torch.from_numpy(frame[None, :, :, ::-1].copy()).permute(0, 3, 1, 2)
    )
    ours = kinetics.prepare(frame).transpose(2, 0, 1)
    assert theirs.shape == (3, 1, 112, 112)
    assert (
        np.abs(theirs[:, 0].numpy() - ours).mean() < 0.02
    )  # they round to whole grey levels


@pytest.mark.parametrize("missing", ["torch", "torchvision.models"])
def test_without_pytorch_one_line_says_so(pocket, missing, monkeypatch, capsys):
    if missing != "torch":
        pytest.importorskip("torch", reason="PyTorch is an extra")
    real = builtins.__import__

    def without(name, *arguments):
        if name == missing:
            raise ImportError(f"No module named {missing!r}")
        return real(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", without)
    assert kinetics.kinetics_clips(*pocket) is None
    said = capsys.readouterr().out
    assert said.count("\n") == 1 and "pip install torch torchvision" in said


def test_without_the_weights_one_line_says_so(pocket, monkeypatch, capsys):
    def unreachable(weights):
        raise OSError("no route to host")

    monkeypatch.setattr(kinetics, "video_network", unreachable)
    assert kinetics.kinetics_clips(*pocket) is None
    assert (
        capsys.readouterr().out
        == "skipped: the weights can't be fetched (no route to host)\n"
    )


def test_a_clip_that_cannot_be_read_is_named(pocket, monkeypatch):
    dataset, videos = pocket
    (dataset.folder / "b.avi").write_bytes(b"not a video")
    monkeypatch.setattr(kinetics, "video_network", lambda weights: None)
    monkeypatch.setattr(
        kinetics, "look_with", lambda network, path: kinetics.windows_of_frames(path)
    )
    with pytest.raises(ValueError, match=r"can't be read.*'b'"):
        kinetics.kinetics_clips(dataset, videos)
