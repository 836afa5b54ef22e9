"""What computes a network: Keras, or LiteRT."""

import functools
import os
import tempfile
import threading

from toolbox.page import lazy_keras as keras
from toolbox.page import quiet_start
from toolbox.store import is_made, making, one_writer

import numpy as np

FLOAT32, LITERT = "Keras float32", "LiteRT float32"


def has_gpu():
    """Whether TensorFlow has a GPU."""
    with quiet_start():
        import tensorflow as tf

        return bool(tf.config.list_physical_devices("GPU"))


def has_litert():
    """Whether LiteRT is installed and can be loaded."""
    try:
        import ai_edge_litert.interpreter  # noqa: F401
    except (ImportError, OSError):
        return False
    return True


def cores():
    """How many processor cores this process may use; Ray sets OMP_NUM_THREADS."""
    if os.environ.get("OMP_NUM_THREADS", "").isdigit():
        return max(1, int(os.environ["OMP_NUM_THREADS"]))
    affinity = getattr(os, "sched_getaffinity", lambda _: range(os.cpu_count()))
    return len(affinity(0))


def part_of(model, layers, pooled):
    """A Keras model up to some of its layers: a list of their maps, or when pooled of
    the means over all places.
    """
    maps = [model.get_layer(name).output for name in layers]
    if pooled:
        maps = [keras.layers.GlobalAveragePooling2D()(one) for one in maps]
    return keras.Model(model.inputs, maps)


def keras_engine(model):
    """The function that computes maps of a Keras model by Keras, see `Backbone`."""
    part = functools.cache(functools.partial(part_of, model))

    def compute(pixels, layers, pooled=False):
        found = part(layers, pooled).predict_on_batch(pixels)
        found = found if isinstance(found, list) else [found]  # of one layer
        return [np.asarray(one, "float32") for one in found]

    return compute


def litert_engine(model, path, of):
    """The function that computes maps of a Keras model by LiteRT, see `Backbone`, with
    a thread a core. For each choice of layers a file, `<path>_<layers>.tflite`, is made
    once.

    of: what the model depends on, see `digest_of`. Source: ai.google.dev/edge/litert.
    """

    alone = threading.Lock()  # an interpreter takes one frame at a time

    def make(file, layers, pooled, facts):
        if not is_made(file, *facts):
            with making(file, *facts) as temporary:
                temporary.write_bytes(as_litert(part_of(model, layers, pooled).export))

    @functools.cache
    def runner_of(layers, pooled):
        kind = "pooled" if pooled else "maps"
        file = path.with_name("_".join([path.name, *layers, f"{kind}.tflite"]))
        facts = [of, model.to_json(), keras.__version__, layers, pooled]
        if not is_made(file, *facts):  # a folder that is complete may be read-only
            with one_writer(file.with_suffix(".lock"), file.name, wait=True):
                make(file, layers, pooled, facts)
        return open_litert(file).get_signature_runner()

    def compute(pixels, layers, pooled=False):
        rows, outputs = [], [f"output_{place}" for place in range(len(layers))]
        with alone:
            run = runner_of(layers, pooled)
            [entry] = run.get_input_details()
            for frame in pixels:
                found = run(**{entry: frame[None]})
                rows.append([found[output][0] for output in outputs])
        return [np.stack(maps) for maps in zip(*rows, strict=True)]

    return compute


def as_litert(export, small=False):
    """The content of a LiteRT file, bytes, with the signatures of a Keras model.

    export: writes it into a folder as TensorFlow's SavedModel, such as `model.export`;
    small: weights of 8 bits (dynamic-range quantisation).
    """
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as folder, quiet_start((1, 2)):
        export(folder, verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        converter.optimizations = [tf.lite.Optimize.DEFAULT] if small else []
        return converter.convert()


def open_litert(path, threads=None):
    """A LiteRT interpreter of a file, with a thread a core, or so many."""
    with quiet_start((1, 2)):
        from ai_edge_litert.interpreter import Interpreter

        interpreter = Interpreter(str(path), num_threads=threads or cores())
        interpreter.allocate_tensors()
    return interpreter
