"""Results that are kept on disk: whole or not there, and noted what they were made of.

Beside a result, a file or a folder, lies its note, `<name>.json`: `of`, the digest of
all that it depends on, and `files`, the names and sizes of what was made. Whoever would
make the result asks `is_made` first, so nothing stale is taken for fresh, and what was
deleted or cut off by hand is noticed.
"""

import hashlib
import json
from contextlib import contextmanager
from pathlib import Path

from toolbox.store.files import read_json, whole, write_json

import numpy as np


def digest_of(*facts):
    """SHA-256, as hexadecimal text, over facts: arrays by their bytes, paths by
    name, size and time of change, all else as JSON knows it.
    """
    digest = hashlib.sha256()
    for fact in facts:
        if isinstance(fact, np.ndarray):
            content = hashlib.sha256(fact.tobytes()).hexdigest()
            fact = [fact.shape, str(fact.dtype), content]
        elif isinstance(fact, Path):
            fact = [fact.name, fact.stat().st_size, fact.stat().st_mtime_ns]
        digest.update(json.dumps(fact, sort_keys=True, default=str).encode())
    return digest.hexdigest()


def note_of(path):
    """The path of a result's note."""
    return path.with_name(f"{path.name}.json")


def sizes_of(path):
    """The files of a result, a dict from name to size in bytes: of a folder all
    files in it, by their path below it; of a file, itself; empty where nothing is.
    """
    if path.is_file():
        return {path.name: path.stat().st_size}
    files = sorted(file for file in path.rglob("*") if file.is_file())
    return {file.relative_to(path).as_posix(): file.stat().st_size for file in files}


def is_made(path, *of):
    """Whether a result is there as it was made, and was made of just these facts.

    path: of a file or a folder; of: all that it depends on, see `digest_of`.
    """
    note = read_json(note_of(path))
    return note.get("of") == digest_of(*of) and note["files"] == sizes_of(path)


@contextmanager
def making(path, *of, **more):
    """Yield a temporary path, at which the block makes a file or a folder; if it ends
    well, that becomes `path`, beside its note.

    of: as in `is_made`; more: facts that `read_json(note_of(path))` gives back, as JSON
    knows them (a dict or list may be filled in the block). Stopped anywhere, there is
    no note, and `is_made` says no.
    """
    digest = digest_of(*of)  # of what is there now: a video may change meanwhile
    note_of(path).unlink(missing_ok=True)  # never a new result beside an old note
    with whole(path) as temporary:
        yield temporary
    write_json(note_of(path), of=digest, files=sizes_of(path), **more)
