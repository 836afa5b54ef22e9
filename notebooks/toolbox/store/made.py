"""Results that are kept on disk: whole or not there, and noted what they were made of.

Beside a result, a file or a folder, lies its note, `<name>.json`: `of`, the digest of
all that it depends on, and `files`, the names and sizes of what was made.
"""

import hashlib
import json
from contextlib import contextmanager, suppress
from pathlib import Path

from toolbox.store.files import file_of, one_writer, read_json, remove, whole

import numpy as np


def digest_of(*facts):
    """SHA-256, as hexadecimal text, over facts: arrays by their bytes, paths by
    name, size and time of change (if the file is there, see `file_of`), all else as
    JSON knows it.
    """
    digest = hashlib.sha256()
    for fact in facts:
        if isinstance(fact, np.ndarray):
            content = hashlib.sha256(fact.tobytes()).hexdigest()
            fact = [fact.shape, str(fact.dtype), content]
        elif isinstance(fact, Path):
            file = file_of(fact)
            file = file.stat() if file.exists() else None
            fact = [fact.name, file and [file.st_size, file.st_mtime_ns]]
        digest.update(json.dumps(fact, sort_keys=True, default=str).encode() + b"\n")
    return digest.hexdigest()


def fingerprint(path):
    """What tells a file from others, wherever it lies: its size and the SHA-256 of its
    first million bytes, as text. Of a part of a video, the video's.
    """
    path = file_of(path)
    with open(path, "rb") as file:
        start = file.read(1_000_000)
    return f"{path.stat().st_size} {hashlib.sha256(start).hexdigest()[:16]}"


def note_of(path):
    """The path of a result's note."""
    return path.with_name(f"{path.name}.json")


def read_note(path):
    """The note of a result, a dict; empty if there is none that can be read, as while
    the result is being made.
    """
    try:
        return read_json(note_of(path))
    except (ValueError, PermissionError):  # Windows lets nobody read what is locked
        return {}


def files_of(path):
    """The files of a result, a dict from name to path: of a folder all below it but
    hidden ones; of a file, itself; empty where nothing is.
    """
    if path.is_file():
        return {path.name: path}
    found = {file.relative_to(path).as_posix(): file for file in path.rglob("*")}
    shown = (name for name in sorted(found) if "/." not in f"/{name}")
    return {name: found[name] for name in shown if found[name].is_file()}


def sizes_of(path):
    """The sizes of a result's files in bytes, a dict by name, see `files_of`."""
    return {name: file.stat().st_size for name, file in files_of(path).items()}


def is_made(path, *of):
    """Whether a result is there as it was made, and was made of just these facts: all
    that it depends on, see `digest_of`.
    """
    note = read_note(path)
    return note.get("of") == digest_of(*of) and note.get("files") == sizes_of(path)


@contextmanager
def making(path, *of, **more):
    """Yield a temporary path, at which the block makes a file or a folder; if it ends
    well, that becomes `path`, beside its note. What was at `path` goes before.

    of: as in `is_made`; more: facts that `read_note` gives back, as JSON knows them (a
    dict or list may be filled in the block). Raises RuntimeError while another process
    makes the same, and OSError if the disk is full.
    """
    digest = digest_of(*of)  # of what is there now: a video may change meanwhile
    tell_of_older(path)
    note = note_of(path)
    with one_writer(note, path.name) as file:  # a process's number is no note
        try:
            remove(path)
            with whole(path) as temporary:
                yield temporary
            file.truncate(0)
            json.dump({"of": digest, "files": sizes_of(path), **more}, file)
            file.flush()
        except BaseException:
            remove(path)
            with suppress(OSError):  # Windows keeps what is open
                note.unlink()
            raise


def tell_of_older(path):
    """Print a sentence about a result that has no note: it will be made anew."""
    if path.exists() and not note_of(path).exists():
        which = f"{path.parent.name}/{path.name} is of an older version of the course"
        print(f"{which}, which didn't note what it was made of: it is made anew.")
