"""Real video files for the tests: small clips, datasets, and ways to damage them."""

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
from av.stream import Disposition

COURSE = Path(__file__).resolve().parent.parent
UCF101_LISTS = COURSE.parent / "shared" / "ucf101-splits"
needs_ucf101_lists = pytest.mark.skipif(
    not UCF101_LISTS.is_dir(), reason="the lists of UCF101 are not on this machine"
)


def write_clip(path, frames=50, fps=25, size=(64, 48), look=0, codec=None, colour=True):
    """Write a clip of a bright bar that crosses a background, in another place in each
    of the first 50 frames; `look` varies colours and pace.
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
    """Yield the frames (BGR uint8) of `write_clip`."""
    width, height = size
    rng = np.random.default_rng(look)
    background, bar = rng.integers(0, 100, 3), rng.integers(155, 256, 3)
    for index in range(frames):
        frame = np.full((height, width, 3), background, np.uint8)
        left = (index * (1 + look % 3) * max(1, width // 50)) % width
        frame[:, left : left + max(1, width // 8)] = bar
        yield frame


def write_with_pyav(
    path,
    codec="libx264",
    size=(64, 48),
    fps=25,
    frames=50,
    look=0,
    times=None,
    sound=0,
    options=None,
    pixel_aspect=1,
    title="",
):
    """Write a clip in a format that OpenCV can't write, of an even width and height.

    frames: how many, of the bar of `write_clip`, or an iterable of them (BGR uint8);
    times: when each is shown, in seconds, for a variable frame rate; sound: seconds of
    silence beside it; options: of the codec; pixel_aspect: width of a pixel by height;
    title: of the file.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    usual = {
        "libx264": {"preset": "ultrafast"},
        "libx265": {"preset": "ultrafast", "x265-params": "log-level=none"},
        "libvpx-vp9": {"cpu-used": "8"},
    }
    rate = Fraction(fps).limit_denominator(1001)
    tick = 1 / rate if times is None else Fraction(1, 1000)
    pictures = bar_frames(frames, size, look) if isinstance(frames, int) else frames
    with av.open(str(path), "w") as container:
        container.metadata["title"] = title
        options = options or usual.get(codec, {})
        stream = container.add_stream(codec, rate=rate, options=options)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(pixel_aspect)
        stream.codec_context.time_base = tick
        if sound:
            add_silence(container, sound)
        for index, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            frame.time_base = tick
            frame.pts = index if times is None else round(1000 * times[index])
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def add_silence(container, seconds, rate=16_000):
    """Add a stream of sound to a file that is being written."""
    stream = container.add_stream("aac", rate=rate)
    for start in range(0, int(seconds * rate), 1024):
        silence = np.zeros((1, 1024), np.float32)
        frame = av.AudioFrame.from_ndarray(silence, "fltp", "mono")
        frame.sample_rate, frame.pts = rate, start
        container.mux(stream.encode(frame))
    container.mux(stream.encode())


def write_sound(path, cover=False):
    """Write two seconds of silence as an MP4 file, perhaps with a cover."""
    with av.open(str(path), "w", format="mp4") as container:
        if cover:
            stream = container.add_stream("mjpeg", rate=1)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
            stream.disposition = Disposition.attached_pic
        add_silence(container, 2)
        if cover:
            picture = next(bar_frames(1))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "bgr24")))
            container.mux(stream.encode())


def rotate(path, degrees):
    """Have a player turn the pictures of an .mp4, .mov or .mkv file clockwise."""
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
    """Patch the frame rate in both headers of an AVI file (rate / scale in strh)."""
    content = bytearray(path.read_bytes())
    main, stream = content.index(b"avih") + 8, content.index(b"strh") + 8
    struct.pack_into("<I", content, main, microseconds_per_frame)
    struct.pack_into("<II", content, stream + 20, scale, rate)
    path.write_bytes(content)
    return path


def slowing(path, frames, after):
    """Write a clip whose frames last 40 ms each, and from `after` on 120 ms."""
    lasts = np.where(np.arange(frames) < after, 0.04, 0.12)
    return write_with_pyav(path, frames=frames, times=np.cumsum(lasts) - lasts)


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
    """Kill a process with SIGKILL once the condition holds; it must still run."""
    deadline = time.monotonic() + patience
    while not condition():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline, "the moment to kill it never came"
        time.sleep(0.002)
    process.kill()
    process.communicate()
    assert process.returncode != 0, "the kill came too late"


def files_of(folder):
    """The content of each file of a folder, by name."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@contextmanager
def disk_of(size, folder):
    """Mount a disk of a size, such as "600k", at a folder, for the block; yields a
    function that gives it more room. Skips the test where that isn't possible.
    """
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    here = shutil.which("mount")
    if not here or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a small disk can't be mounted here")
    enlarge = ["mount", "-o", "remount,size=20m", str(folder)]
    try:
        yield lambda: subprocess.run(enlarge, check=True)
    finally:
        subprocess.run(["umount", str(folder)], check=True)
