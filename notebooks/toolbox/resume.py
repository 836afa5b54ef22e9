"""Work over many clips that goes on where it stopped: the journal of extracted frames."""

import json

from toolbox.files import is_whole_jpeg, whole_file
from toolbox.parallel import in_threads, progress

import pandas as pd


def stamp(video, per_second):
    """What the frames of a video depend on: its size in bytes, its time of change and the sampling
    rate; None if the file is gone.
    """
    try:
        facts = video.stat()
    except OSError:
        return None
    return f"{facts.st_size} {facts.st_mtime_ns} {per_second:g}"


def read_journal(path):
    """The entries of a journal of JSON lines, by clip; a last line that was cut off is skipped."""
    entries = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        entries[entry["clip"]] = entry
    return entries


def still_valid(entry, stamp_now, folder):
    """Whether an entry describes this version of the video, and all its frames are there."""
    frames = range(entry["frames"]) if entry and entry["stamp"] == stamp_now else ()
    return len(frames) > 0 and all(
        is_whole_jpeg(folder / f"{entry['clip']}_frame{k}.jpg") for k in frames
    )


def extract_frames(videos, source, folder, per_second=1, threads=None):
    """Extract the frames of many clips in threads, going on where an earlier run stopped.

    videos: DataFrame with `clip` and `video` (a path below `source`); folder: where
    `<clip>_frame<k>.jpg` go, beside a journal `<folder>.jsonl`. Returns a DataFrame of clip,
    frames and problem, a row for each clip. Raises OSError if the disk fails.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = dict(zip(videos["clip"], (source / video for video in videos["video"]), strict=True))
    stamps = {clip: stamp(path, per_second) for clip, path in paths.items()}
    journal = folder.with_name(f"{folder.name}.jsonl")
    done = {
        clip: entry
        for clip, entry in read_journal(journal).items()
        if still_valid(entry, stamps.get(clip), folder)
    }
    keep_only(
        folder,
        {f"{clip}_frame{k}.jpg" for clip, entry in done.items() for k in range(entry["frames"])},
    )
    with whole_file(journal) as temporary:
        temporary.write_text(
            "".join(json.dumps(entry) + "\n" for entry in done.values()), encoding="utf-8"
        )
    todo = [clip for clip in paths if clip not in done]
    reports = in_threads(lambda c: extract_clip(paths[c], c, folder, per_second), todo, threads)
    bar = {"total": len(paths), "initial": len(done), "desc": "extract frames", "unit": "clip"}
    with open(journal, "a", encoding="utf-8") as file:
        for clip, report in zip(todo, progress(reports, **bar), strict=True):
            done[clip] = {"clip": clip, "stamp": stamps[clip], **report}
            print(json.dumps(done[clip]), file=file, flush=True)
    return pd.DataFrame([done[clip] for clip in paths], columns=["clip", "frames", "problem"])


def keep_only(folder, names):
    """Remove the JPEG files of a folder that are not among the names: leftovers of clips or runs
    that are no more.
    """
    for path in folder.glob("*.jpg"):
        if path.name not in names:
            path.unlink()
