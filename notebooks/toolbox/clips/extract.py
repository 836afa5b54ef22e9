"""The frames of many clips, extracted once into a folder and kept there."""

from collections import Counter
from contextlib import closing

from toolbox.clips.read import result_or_problem
from toolbox.page import in_threads, progress
from toolbox.store import is_made, making, read_note

import pandas as pd


def extract_frames(extract_clip, videos, source, folder, per_second=1, threads=None):
    """Extract the frames of many clips in threads into a folder, a kept result of the
    clips and the rate, see `toolbox.store.making`, also for errors. Returns a DataFrame
    of clip, frames and problem, a row for each clip.

    extract_clip: extract_clip(path, clip, folder, per_second) writes one clip's frames
    as `<clip>_frame<k>.jpg` and returns (how many, what was odd); a ValueError of its
    becomes the clip's problem. videos: DataFrame with `clip` and `video` (a path below
    `source`); threads: how many, one for each processor if None.
    """
    clips = videos["clip"].tolist()
    paths = [source / video for video in videos["video"]]
    of, report = (per_second, clips, *paths), []
    if not is_made(folder, *of):
        with making(folder, *of, report=report) as temporary:
            temporary.mkdir()

            def problem_of(clip_and_path):
                to_extract = (*clip_and_path[::-1], temporary, per_second)
                found, reason = result_or_problem(extract_clip, *to_extract)
                return reason or found[1]

            pairs = zip(clips, paths, strict=True)
            bar = {"total": len(clips), "desc": "extract frames", "unit": "clip"}
            with closing(in_threads(problem_of, pairs, threads)) as found:
                problems = list(progress(found, **bar))
            files = (file.name for file in temporary.iterdir())
            frames = Counter(name.rpartition("_frame")[0] for name in files)
            for clip, problem in zip(clips, problems, strict=True):
                report.append([clip, frames[clip], problem])
    report = read_note(folder)["report"]
    return pd.DataFrame(report, columns=["clip", "frames", "problem"])
