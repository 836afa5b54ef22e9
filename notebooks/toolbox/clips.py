"""The frames of a video by the clock, and the features of many clips, each kept as it is made."""

from contextlib import ExitStack, suppress

from toolbox.files import whole_file
from toolbox.kept import kept
from toolbox.parallel import in_threads, progress
from toolbox.record import digest_of
from toolbox.videos import open_video, result_or_problem, shown_frame

import cv2
import numpy as np

ROUNDING = 0.001  # seconds; some files round the times of their frames to it


def frames_shown(path, per_second, problems=None):
    """Yield what a video shows at 0, 1 / per_second, 2 / per_second, ... seconds, as BGR uint8
    arrays (height, width, 3), one at a time: the k-th belongs to second k / per_second, at any
    frame rate. A picture that stands still is yielded again.

    problems: a list; what was odd about the clip is appended to it in the end, as text. Raises
    ValueError with the reason if the clip can't be opened.
    """
    with open_video(path) as video:
        k, frame = 0, None
        while video.grab():
            while k / per_second < video.elapsed / 1000 - ROUNDING:
                yield frame
                k += 1
            with suppress(ValueError):  # one that can't be decoded: the one before stands on
                frame = video.retrieve()
        while k / per_second < video.elapsed / 1000 + 1 / video.fps - ROUNDING:
            yield frame
            k += 1
        if video.problem and problems is not None:
            problems.append(video.problem)


def strip_of(path, seconds, count=9, width=320):
    """Frames from the middles of `count` equal parts of a video that lasts so many seconds, as RGB
    uint8 arrays of at most `width` pixels. They are sought, so that a long video takes no longer;
    where that fails, the one before is shown again. Raises ValueError if the video can't be read.
    """
    strip = []
    with open_video(path) as video:
        frame = video.retrieve()
        for place in range(count):
            video.capture.set(cv2.CAP_PROP_POS_MSEC, 1000 * seconds * (place + 0.5) / count)
            found, sought = video.capture.read()
            frame = sought if found else frame
            strip.append(shown_frame(frame, width))
    return strip


def join_clips(paths, target, per_second=25):
    """Write several clips one after the other into one film, an AVI file (Motion JPEG) with frames
    of the first clip's size; returns its cuts in seconds, from 0 to its end.

    Raises ValueError if a clip can't be read, OSError if the film can't be written.
    """
    with open_video(paths[0]) as first:
        size = first.width, first.height
    with whole_file(target) as temporary, ExitStack() as stack:
        codec = cv2.VideoWriter.fourcc(*"MJPG")
        writer = cv2.VideoWriter(str(temporary), codec, per_second, size)
        stack.callback(writer.release)
        if not writer.isOpened():
            raise OSError(f"{target} can't be written")
        cuts = [0]
        for path in paths:
            frames = 0
            for frame in frames_shown(path, per_second):
                writer.write(cv2.resize(frame, size, interpolation=cv2.INTER_AREA))
                frames += 1
            cuts.append(cuts[-1] + frames / per_second)
    return cuts


def batches(items, size):
    """Yield the items in lists of `size`, the last one perhaps shorter."""
    batch = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def look_at(path, prepare, network, per_second, problems=None, bar=None):
    """The features (n, ...) float32 of what a video shows at 0, 1 / per_second, ... seconds. Memory
    holds a batch of frames.

    prepare: function of a BGR frame that returns what the network takes, RGB uint8 (224, 224, 3);
    network: a `toolbox.vgg16.Network`; problems: as in `frames_shown`; bar: is updated by the
    seconds of video that were looked at. Raises ValueError if the video can't be read.
    """
    features = []
    for batch in batches(map(prepare, frames_shown(path, per_second, problems)), 16):
        features.append(network(np.stack(batch)))
        if bar is not None:
            bar.update(len(batch) / per_second)
    return np.concatenate(features)


def features_of_clips(look, videos, source, folder, made_from, threads=None, desc="look at clips"):
    """The features of many clips, each kept in a file as it is made.

    look: look(path, problems) returns the features (n, ...) of a video's frames; a ValueError
    of its becomes the clip's problem. videos: DataFrame with `clip` and `video` (a path below
    `source`); folder: keeps `<clip>.npz`, so that a run goes on where an earlier one stopped;
    made_from: what the features depend on beside the video, see `digest_of`; threads: that look at
    clips at once, or None for this one alone; desc: what the bar says.

    Returns (features, problems): a dict from clip to a float32 array (n, ...) for those that can be
    used, and a dict from clip to text for what was odd or broken. They are kept as float16.
    """

    def arrays(path):
        odd = []
        features = np.asarray(look(path, odd), "float16")
        return {"features": features, "odd": np.array("; ".join(odd))}

    def read(clip, path):
        if not path.is_file():
            raise ValueError("the file is missing")
        return kept(folder / f"{clip}.npz", digest_of(path, made_from), lambda: arrays(path))

    def found(row):
        return result_or_problem(read, row["clip"], source / row["video"])

    folder.mkdir(parents=True, exist_ok=True)
    rows, features, problems = videos.to_dict("records"), {}, {}
    answers = in_threads(found, rows, threads) if threads else map(found, rows)
    answers = progress(answers, total=len(rows), desc=desc, unit="clip")
    for row, (arrays_of_clip, problem) in zip(rows, answers, strict=True):
        if arrays_of_clip:
            features[row["clip"]] = arrays_of_clip["features"].astype("float32")
            problem = str(arrays_of_clip["odd"])
        if problem:
            problems[row["clip"]] = problem
    return features, problems
