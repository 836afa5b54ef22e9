"""Results that take a while, kept on disk together with what they were made from."""

from toolbox.store.files import whole

import numpy as np


def kept(path, made_from, make):
    """The arrays that `make()` returns, a dict; from the file `path` (.npz) if an
    earlier run left them there, made from the same.

    made_from: a digest of what they depend on, see `toolbox.store.digest_of`; with
    another one, they are made again.
    """
    if path.exists():
        with np.load(path) as file:
            if str(file["made_from"]) == made_from:
                return {name: file[name] for name in file.files if name != "made_from"}
    arrays = make()
    with whole(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, made_from=made_from, **arrays)
    return arrays
