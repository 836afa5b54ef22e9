"""Work over many clips that goes on where it stopped: the journal of extracted frames.

Beside a folder of frames lies a journal, `<folder>.jsonl`, of one JSON line for each
finished clip: its `clip`, the `stamp` of the video and rate that it was made from, how
many `frames`, `problem`.
"""

import json

from toolbox.clips.read import result_or_problem
from toolbox.page import in_threads, progress
from toolbox.store import is_whole_jpeg, whole

import pandas as pd

ENTRY = ("clip", "stamp", "frames", "problem")


def stamp(video, per_second):
    """What the frames of a video depend on: its size in bytes, its time of change
    and the sampling rate; None if the file is gone.
    """
    try:
        facts = video.stat()
    except OSError:
        return None
    return f"{facts.st_size} {facts.st_mtime_ns} {per_second:g}"


def read_journal(path):
    """The entries of a journal, by clip; lines that are damaged, such as the last
    one of a run that was killed, are skipped (their clips are extracted again).
    """
    entries = {}
    for line in path.read_bytes().splitlines() if path.exists() else ():
        try:
            entry = json.loads(line)
            entries[entry["clip"]] = {key: entry[key] for key in ENTRY}
        except (ValueError, TypeError, KeyError):
            continue
    return entries


def write_journal(entries, path):
    """Write a journal anew, whole or not at all. In the end its order is that of the
    clips, so that runs with interruptions and without leave the same file.
    """
    with whole(path) as temporary:
        lines = (json.dumps(entry) + "\n" for entry in entries)
        temporary.write_text("".join(lines), encoding="utf-8")


def frame_name(clip, k):
    """The file name of a clip's k-th frame."""
    return f"{clip}_frame{k}.jpg"


def still_valid(entry, stamp_now, folder):
    """Whether an entry describes this version of the video, and all its frames are
    there.
    """
    frames = range(entry["frames"]) if entry["stamp"] == stamp_now else ()
    return len(frames) > 0 and all(
        is_whole_jpeg(folder / frame_name(entry["clip"], k)) for k in frames
    )


def extract_frames(extract_clip, videos, source, folder, per_second=1, threads=None):
    """Extract the frames of many clips in threads, going on where an earlier run
    stopped.

    extract_clip: extract_clip(path, clip, folder, per_second) writes one clip's frames
    as `<clip>_frame<k>.jpg` and returns (how many, what was odd); a ValueError of its
    becomes the clip's problem. videos: DataFrame with `clip` and `video` (a path below
    `source`); folder: where the frames go, beside the journal `<folder>.jsonl`; other
    JPEG files there are removed; threads: how many, one for each processor if None.
    Returns a DataFrame of clip, frames and problem, a row for each clip. Raises OSError
    if the disk fails.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = dict(
        zip(videos["clip"], (source / video for video in videos["video"]), strict=True)
    )
    stamps = {clip: stamp(path, per_second) for clip, path in paths.items()}
    journal = folder.with_name(f"{folder.name}.jsonl")
    done = {
        clip: entry
        for clip, entry in read_journal(journal).items()
        if clip in paths and still_valid(entry, stamps[clip], folder)
    }
    keep_only(
        folder,
        {
            frame_name(clip, k)
            for clip, entry in done.items()
            for k in range(entry["frames"])
        },
    )
    write_journal(done.values(), journal)

    def extract(clip):
        report, reason = result_or_problem(
            extract_clip, paths[clip], clip, folder, per_second
        )
        return report or (written(clip, folder), reason)

    todo = [clip for clip in paths if clip not in done]
    bar = {
        "total": len(paths),
        "initial": len(done),
        "desc": "extract frames",
        "unit": "clip",
    }
    reports = progress(in_threads(extract, todo, threads), **bar)
    with open(journal, "a", encoding="utf-8") as file:
        for clip, (frames, problem) in zip(todo, reports, strict=True):
            entry = {
                "clip": clip,
                "stamp": stamps[clip],
                "frames": frames,
                "problem": problem,
            }
            done[clip] = entry
            print(json.dumps(entry), file=file, flush=True)
    write_journal((done[clip] for clip in paths), journal)
    return pd.DataFrame(
        [done[clip] for clip in paths], columns=["clip", "frames", "problem"]
    )


def written(clip, folder):
    """How many frames of a clip are in a folder."""
    count = 0
    while (folder / frame_name(clip, count)).exists():
        count += 1
    return count


def keep_only(folder, names):
    """Remove the JPEG files of a folder that are not among the names: leftovers of
    clips or runs that are no more.
    """
    for path in folder.glob("*.jpg"):
        if path.name not in names:
            path.unlink()
