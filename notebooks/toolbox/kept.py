"""Results that take a while, kept on disk together with what they were made from."""

import json
from hashlib import sha256

from toolbox.files import whole_file

import numpy as np


def digest_of(*facts, files=()):
    """SHA-256, as hex text, of what a result depends on.

    facts: arrays, which count by type, shape and content, and whatever JSON knows; files: paths,
    which count by name, size and time of change. Raises OSError if a file is not there.
    """
    digest = sha256()
    for fact in facts:
        if isinstance(fact, np.ndarray):
            digest.update(f"{fact.dtype} {fact.shape}".encode())
            digest.update(np.ascontiguousarray(fact).tobytes())
        else:
            digest.update(json.dumps(fact, sort_keys=True).encode())
    for path in files:
        facts_of_file = path.stat()
        digest.update(f"{path.name} {facts_of_file.st_size} {facts_of_file.st_mtime_ns}".encode())
    return digest.hexdigest()


def kept(path, made_from, make):
    """The arrays that `make()` returns, a dict; from the file `path` (.npz) if an earlier run left
    them there, made from the same.

    made_from: text, such as a `digest_of`; what was made from anything else is made again.
    """
    if path.exists():
        with np.load(path) as file:
            if str(file["made_from"]) == made_from:
                return {name: file[name] for name in file.files if name != "made_from"}
    arrays = make()
    with whole_file(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, made_from=made_from, **arrays)
    return arrays
