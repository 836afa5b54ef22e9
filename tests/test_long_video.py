"""Memory stays flat: 45 minutes of video need no more of it than two."""

import sys

import pytest
from clips import run_python, write_with_pyav

PEAK_AFTER_EACH = """
import sys
from pathlib import Path

from toolbox.clips.write import annotate
from toolbox.models.clip_features import look_at


class MeanColour:
    size = 224

    def __call__(self, frames):
        return frames.mean(axis=(1, 2), dtype="float32")


def peak():  # ru_maxrss would begin with what the process had that started this one
    [line] = [line for line in open("/proc/self/status") if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1024


for path in map(Path, sys.argv[1:]):
    colours = look_at(path, MeanColour(), per_second=4)
    target = path.with_name("annotated.mp4")
    annotate(path, target, lambda seconds: f"{colours[int(4 * seconds)].mean():.0f}")
    print(len(colours), target.stat().st_size > 1000, peak())
"""


@pytest.mark.skipif(
    sys.platform != "linux", reason="other systems don't tell the peak this way"
)
@pytest.mark.slow
def test_memory_is_flat_on_a_long_video(tmp_path):
    short, long = (
        write_with_pyav(tmp_path / f"{seconds}.mp4", fps=4, frames=4 * seconds)
        for seconds in (135, 2700)
    )
    rows = [
        line.split() for line in run_python(PEAK_AFTER_EACH, short, long).splitlines()
    ]
    assert [row[:2] for row in rows] == [["540", "True"], ["10800", "True"]]
    after_short, after_long = (float(row[2]) for row in rows)
    assert (
        after_long - after_short < 60
    )  # MB; its frames alone, as they are stored, have 90
