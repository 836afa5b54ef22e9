"""A Kinetics network as an extra: what it sees, and what is said without PyTorch."""

from types import SimpleNamespace

from toolbox.models import kinetics

import numpy as np
from clips import write_clip


def test_the_middle_of_a_frame_is_prepared_as_in_training():
    frame = np.zeros((128, 171, 3), "uint8")
    frame[8:120, 30:142, 2] = 255  # red, as OpenCV has it
    expected = (np.array([1, 0, 0]) - kinetics.MEAN) / kinetics.DEVIATION
    prepared = kinetics.prepare(frame)
    assert prepared.shape == (112, 112, 3)
    assert np.allclose(prepared, expected, atol=1e-5)


def test_windows_follow_the_clock_and_cover_the_clip(tmp_path):
    clip = write_clip(tmp_path / "clip.avi", frames=100, fps=30)  # 50 at 15 a second
    seen = np.stack([*map(kinetics.prepare, kinetics.frames_shown(clip, 15))])
    windows = kinetics.windows_of_frames(clip).transpose(0, 2, 3, 4, 1)
    expected = [seen[start : start + 16] for start in (0, 11, 23, 34)]
    assert len(seen) == 50 and np.array_equal(windows, expected)


def test_without_the_network_one_line_says_so(monkeypatch, capsys):
    def missing(weights):
        raise ImportError("No module named 'torch'")

    monkeypatch.setattr(kinetics, "video_network", missing)
    assert kinetics.kinetics_clips(SimpleNamespace(), None) is None
    assert "pip install torch" in capsys.readouterr().out
