"""What is in a video, and when?  python use_classifier.py clip.mp4 [classifier.tflite]

Needs Python 3.11 or newer and: pip install ai-edge-litert av numpy opencv-python pandas
"""

import json
import sys
import zipfile
from contextlib import suppress
from pathlib import Path

import av
import cv2
import numpy as np
import pandas as pd
from ai_edge_litert.interpreter import Interpreter

NONE = "none of these"


# ruff: noqa: F401, F821  the course's functions are put here


def load(path):
    """The facts of a classifier, and the functions `look` and `judge` in it."""
    with zipfile.ZipFile(path) as file:
        facts = json.loads(file.read("classifier.json"))
    interpreter = Interpreter(str(path))

    def function(name):
        run = interpreter.get_signature_runner(name)
        [entry] = run.get_input_details()
        return lambda array: next(iter(run(**{entry: array[None]}).values()))[0]

    return facts, function("look"), function("judge")


def seen_in(path, per_second, look):
    """The features (n, d) of what a video shows at 0, 1 / per_second, ... seconds, and
    where it ends, in seconds.
    """
    features, before, starts = [], None, []
    with av.open(f"file:{path}") as video:
        stream = video.streams.video[0]
        for frame in frames_of(video, stream):
            starts.append(frame.time)
            # what is shown at each moment; times may be rounded
            while before and len(features) / per_second < frame.time - starts[0] - 6e-4:
                features.append(look(squeezed(before)))
            before = frame
        end = starts[-1] - starts[0] + 1 / float(stream.average_rate or 25)
        while len(features) / per_second < end - 6e-4:
            features.append(look(squeezed(before)))
    return np.stack(features), end


def frames_of(video, stream):
    """Yield the frames that can be decoded."""
    for packet in video.demux(stream):
        with suppress(av.FFmpegError):
            yield from packet.decode()


def squeezed(frame):
    """A frame, upright, as an RGB uint8 array (224, 224, 3)."""
    picture = np.rot90(frame.to_ndarray(format="rgb24"), frame.rotation // 90)
    way = cv2.INTER_AREA if min(picture.shape[:2]) >= 224 else cv2.INTER_LINEAR
    return cv2.resize(picture, (224, 224), interpolation=way)


def main(video, classifier=None):
    """Print what happens when in a video."""
    classifier = classifier or Path(__file__).with_name("classifier.tflite")
    for path, what in ((classifier, "classifier"), (video, "video")):
        if not Path(path).is_file():
            sys.exit(f"There is no {what} {path}.")
    try:
        facts, look, judge = load(classifier)
    except (KeyError, RuntimeError, ValueError, zipfile.BadZipFile):
        sys.exit(f"{classifier} is not a classifier of the course, or is damaged.")
    rate, size = facts["per_second"], facts["size"]
    try:
        features, end = seen_in(video, rate, look)
    except (av.FFmpegError, IndexError, TypeError):
        sys.exit(f"{video} is not a video that can be read.")
    said = np.stack(list(map(judge, windows_of(features, size))))
    moments = moments_of(said, size, len(features))
    found = segments_of(moments, facts["classes"], rate, facts["threshold"], end)
    print(found.round(2).to_string(index=False))


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(*sys.argv[1:])
