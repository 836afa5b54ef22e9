"""Libraries start without their notes in the page.

`from toolbox.page import keras` is Keras, imported so.
"""

import os
import sys
from contextlib import contextmanager


@contextmanager
def quiet_start(streams=(2,)):
    """Silence what compiled libraries say below Python, as TensorFlow does when it is
    imported.

    streams: the numbers of those that are silenced, 1 for output and 2 for errors.
    """
    sys.stdout.flush()
    kept, nowhere = (
        {stream: os.dup(stream) for stream in streams},
        os.open(os.devnull, os.O_WRONLY),
    )
    for stream in streams:
        os.dup2(nowhere, stream)
    try:
        yield
    finally:
        sys.stdout.flush()
        for stream, before in kept.items():
            os.dup2(before, stream)
            os.close(before)
        os.close(nowhere)


def __getattr__(name):
    if name != "keras":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    with quiet_start():
        import absl.logging
        import keras
        import tensorflow as tf
    absl.logging.set_verbosity(absl.logging.ERROR)  # .hdf5 is "legacy" to Keras
    tf.get_logger().setLevel("ERROR")  # in a notebook it tells of each file
    return keras


class KerasWhenUsed:
    """Keras, imported when something of it is first used: who labels a video needs
    neither Keras nor TensorFlow.
    """

    def __getattr__(self, name):
        found = getattr(__getattr__("keras"), name)
        setattr(self, name, found)  # not asked here again
        return found


lazy_keras = KerasWhenUsed()
