"""Real video files for the tests: small clips, datasets of them, and ways to damage
them.
"""

import os
import shutil
import struct
import subprocess
import sys
import time
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import toolbox  # noqa: F401  before cv2: it keeps the decoder's complaints to itself

import av
import cv2
import numpy as np
import pytest
from PIL import Image

COURSE = Path(__file__).resolve().parent.parent
SHARED = COURSE.parent / "shared"
UCF101_CLIPS = SHARED / "videos" / "ucf101-clips"
UCF101_LISTS = SHARED / "ucf101-splits"
needs_ucf101_clips = pytest.mark.skipif(
    not UCF101_CLIPS.is_dir(), reason="the four clips of UCF101 are not on this machine"
)
needs_ucf101_lists = pytest.mark.skipif(
    not UCF101_LISTS.is_dir(),
    reason="the official lists of UCF101 are not on this machine",
)


def write_clip(path, frames=50, fps=25, size=(64, 48), look=0, codec=None, colour=True):
    """Write a clip in which a bright bar crosses a background; `look` varies colours
    and pace.

    The bar is in another place in every frame of the first 50, so frames can be told
    apart.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    codec = codec or ("MJPG" if path.suffix.lower() == ".avi" else "mp4v")
    plain = path.with_name(f"writing{path.suffix.lower()}")  # %03d would be a pattern
    writer = cv2.VideoWriter(
        str(plain), cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*codec), fps, size, colour
    )
    assert writer.isOpened()
    for frame in bar_frames(frames, size, look):
        writer.write(frame if colour else cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY))
    writer.release()
    return plain.rename(path)


def bar_frames(frames, size=(64, 48), look=0):
    """Yield the frames (BGR uint8) of a bright bar that crosses a background, see
    `write_clip`.
    """
    width, height = size
    rng = np.random.default_rng(look)
    background, bar = rng.integers(0, 100, 3), rng.integers(155, 256, 3)
    for index in range(frames):
        frame = np.empty((height, width, 3), np.uint8)
        frame[:] = background
        left = (index * (1 + look % 3) * max(1, width // 50)) % width
        frame[:, left : left + max(1, width // 8)] = bar
        yield frame


def write_with_pyav(
    path, codec="libx264", size=(64, 48), fps=25, frames=50, look=0, times=None
):
    """Write a clip in a format that OpenCV can't write: "libx265" in an .mp4,
    "libvpx-vp9" in a .webm, "libx264" in a .mkv or a .mov.

    size: width and height, both even; frames: how many, of the bar of `write_clip`, or
    an iterable of them (BGR uint8, height x width x 3), which need not fit in memory;
    times: when each is shown, in seconds (to the millisecond), for a variable frame
    rate.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    options = {
        "libx264": {"preset": "ultrafast"},
        "libx265": {"preset": "ultrafast", "x265-params": "log-level=none"},
        "libvpx-vp9": {"cpu-used": "8"},
    }
    rate = Fraction(fps).limit_denominator(1001)
    tick = 1 / rate if times is None else Fraction(1, 1000)
    pictures = bar_frames(frames, size, look) if isinstance(frames, int) else frames
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, options=options.get(codec, {}))
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = tick
        for index, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            frame.time_base = tick
            frame.pts = index if times is None else round(1000 * times[index])
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def rotate(path, degrees):
    """Have a player turn the pictures of an .mp4, .mov or .mkv file clockwise by 90,
    180 or 270 degrees, as a phone's files do; they are stored as before.
    """
    plain = path.rename(path.with_name(f"plain{path.suffix}"))
    with av.open(str(plain)) as source, av.open(str(path), "w") as container:
        stream = container.add_stream_from_template(source.streams.video[0])
        stream.set_display_rotation(-degrees)
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                container.mux(packet)
    plain.unlink()
    return path


def make_dataset(root, classes=("Run", "Walk"), groups=4, clips=2, **settings):
    """Write root/<class>/v_<class>_g01_c01.avi and so on; returns the root."""
    for look, label in enumerate(classes):
        for group in range(1, groups + 1):
            for clip in range(1, clips + 1):
                name = f"v_{label}_g{group:02}_c{clip:02}.avi"
                write_clip(root / label / name, look=look, **{"frames": 5, **settings})
    return root


def cut(path, share):
    """Cut a file off behind a share of its bytes."""
    content = Path(path).read_bytes()
    Path(path).write_bytes(content[: int(len(content) * share)])
    return path


def cut_before_frames(path):
    """Cut an AVI file off where its first frame would begin."""
    content = path.read_bytes()
    path.write_bytes(content[: content.index(b"movi") + 4])
    return path


def claim_rate(path, microseconds_per_frame, rate, scale):
    """Patch the frame rate in both headers of an AVI file: avih, and rate / scale in
    strh.
    """
    content = bytearray(path.read_bytes())
    main, stream = content.index(b"avih") + 8, content.index(b"strh") + 8
    struct.pack_into("<I", content, main, microseconds_per_frame)
    struct.pack_into("<II", content, stream + 20, scale, rate)
    path.write_bytes(content)
    return path


def write_av1(path):
    """Write a video of three frames in AV1, which OpenCV can open but not decode."""
    frames = [Image.new("RGB", (64, 48), (shade, 0, 0)) for shade in (0, 100, 200)]
    frames[0].save(path, "AVIF", save_all=True, append_images=frames[1:], duration=40)
    return path


def slow_down(path, after, factor):
    """Patch the time table of an MP4 file (from `write_clip`): the frames behind the
    first `after` are shown `factor` times as long.
    """
    content = bytearray(path.read_bytes())
    start = content.index(b"edts")
    content[start : start + 4] = b"free"  # an edit list would cut the clip
    table = content.index(b"stts")
    entries, frames, ticks = struct.unpack_from(">III", content, table + 8)
    assert entries == 1
    two = struct.pack(">IIIII", 2, after, ticks, frames - after, ticks * factor)
    content[table + 8 : table + 20] = two
    for box in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stts"):
        at = content.index(box) - 4  # where its size is; each box holds the next
        [size] = struct.unpack_from(">I", content, at)
        struct.pack_into(">I", content, at, size + 8)
    path.write_bytes(content)
    return path


def read_all(path):
    """Every frame of a clip, decoded in order (BGR), by OpenCV alone."""
    capture, frames = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG), []
    while (step := capture.read())[0]:
        frames.append(step[1])
    capture.release()
    return frames


def start_python(script, *arguments, **environment):
    """Start a Python process that can import the course's package and these helpers."""
    places = os.pathsep.join([str(COURSE / "notebooks"), str(COURSE / "tests")])
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": places} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run_python(script, *arguments, **environment):
    """Run a script to its end; returns its output."""
    process = start_python(script, *arguments, **environment)
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return output


def kill_when(process, condition, patience=300):
    """Kill a process with SIGKILL as soon as the condition holds; fails if it ended
    before.
    """
    deadline = time.monotonic() + patience
    while not condition():
        assert process.poll() is None, (
            f"it ended before the kill: {process.communicate()[1]}"
        )
        assert time.monotonic() < deadline, "the moment to kill it never came"
        time.sleep(0.002)
    process.kill()
    process.communicate()
    assert process.returncode != 0, "the kill came too late"


def files_of(folder):
    """The content of each file of a folder, by name."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@contextmanager
def as_another_user():
    """In the block, file permissions hold even where the tests run as root."""
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    if root:
        os.seteuid(65534)  # nobody
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@contextmanager
def disk_of(size, folder):
    """Mount a disk of a size, such as "600k", at a folder, for the block; yields a
    function that gives it more room. Skips the test where that isn't possible.
    """
    mount = shutil.which("mount")
    options = ["-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if (
        mount is None
        or subprocess.run([mount, *options], capture_output=True).returncode
    ):
        pytest.skip("a small disk can't be mounted here")
    try:
        yield lambda: subprocess.run(
            [mount, "-o", "remount,size=20m", str(folder)], check=True
        )
    finally:
        subprocess.run(["umount", str(folder)], check=True)
