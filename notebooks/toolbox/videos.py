"""Opening video files: what can be read, what can't and why."""

from pathlib import Path

import cv2

USUAL_FPS = 25


def usable_fps(fps):
    """The frame rate in frames a second if it is believable (1 to 240), else 25, the rate of
    UCF101.
    """
    return fps if math.isfinite(fps) and 1 <= fps <= 240 else USUAL_FPS


def open_video(path):
    """Open a video for reading with one decoding thread (we run one clip per thread). Raises
    ValueError with the reason if it can't be.
    """
    path = Path(path)
    if not path.exists():
        raise ValueError("the file is missing")
    if path.stat().st_size == 0:
        raise ValueError("the file is empty")
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    if not capture.isOpened():
        raise ValueError("not a video that OpenCV can open")
    return capture


def probe(path):
    """Open a video and decode its first frame: a dict of frames (as the header counts them), fps,
    width and height, in pixels.

    Raises ValueError with the reason if the clip can't be read.
    """
    capture = open_video(path)
    try:
        readable, frame = capture.read()
        if not readable:
            raise ValueError("no frame can be decoded")
        height, width = frame.shape[:2]
        frames = max(int(capture.get(cv2.CAP_PROP_FRAME_COUNT)), 1)
        return {
            "frames": frames,
            "fps": capture.get(cv2.CAP_PROP_FPS),
            "width": width,
            "height": height,
        }
    finally:
        capture.release()
