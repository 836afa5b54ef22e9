"""Libraries start without their notes in the page."""

import os
from contextlib import contextmanager


@contextmanager
def quiet_start():
    """Silence what compiled libraries say below Python, as TensorFlow does when it is imported."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
