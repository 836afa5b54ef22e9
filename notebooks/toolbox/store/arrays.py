"""An array on disk that grows batch by batch and survives interruption."""

import io
import os
from contextlib import contextmanager

from toolbox.store.files import one_writer, write_json
from toolbox.store.made import digest_of, is_made, note_of, read_note, tell_of_older

import numpy as np


@contextmanager
def growing_array(path, shape, *of, step=1):
    """Append to an array file (n, ...) of float16, which goes on where it stopped.

    with growing_array(path, shape, *of) as (done, append): call `append(rows)`, of any
    float type, from row `done` on. The rows lie in `<path>.unfinished` until all are
    there; then that becomes `path`, noted as by `toolbox.store.making`, and `is_made`.

    path: of the `.npy` file; shape: of the whole array; of: what the rows depend on,
    see `digest_of`; with other facts it begins anew; step: rows of an earlier run count
    in whole multiples of this (the batch size). Raises RuntimeError while another
    process writes the same file, and OSError if the disk is full.
    """
    unfinished, digest = path.with_suffix(".unfinished"), digest_of(shape, *of)
    header, row_bytes = npy_header(shape), 2 * int(np.prod(shape[1:]))
    full = len(header) + shape[0] * row_bytes
    with one_writer(path.with_suffix(".lock"), path.name):
        if is_made(path, shape, *of):
            yield shape[0], None
            return
        tell_of_older(path)
        path.unlink(missing_ok=True)
        size = unfinished.stat().st_size if unfinished.exists() else 0
        if read_note(path).get("of") != digest or size < len(header):
            unfinished.unlink(missing_ok=True)  # before the note is another's
            write_json(note_of(path), of=digest)
            unfinished.write_bytes(header)
            size = len(header)
        done = (size - len(header)) // row_bytes
        done -= done % step if done < shape[0] else 0
        os.truncate(unfinished, len(header) + done * row_bytes)
        with open(unfinished, "ab") as file:

            def append(rows):
                file.write(np.asarray(rows, "float16").tobytes())
                file.flush()

            yield done, append
        if unfinished.stat().st_size == full:
            write_json(note_of(path), of=digest, files={path.name: full})
            os.replace(unfinished, path)


def npy_header(shape):
    """The bytes at the beginning of a `.npy` file of float16."""
    file = io.BytesIO()
    header = {"descr": "<f2", "fortran_order": False, "shape": tuple(shape)}
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue()
