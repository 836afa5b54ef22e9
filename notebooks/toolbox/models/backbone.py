"""Pretrained networks behind one interface, whatever computes them."""

import random
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from toolbox.clips import load_frame
from toolbox.store import digest_of, write_jpeg

import numpy as np


@dataclass(frozen=True)
class Backbone:
    """A pretrained network without its last layers, and the preprocessing before it:
    RGB uint8 frames (n, size, size, 3) to the maps of a layer, float32 (n, height,
    width, channels); or, when pooled, to the means over all places of one layer or
    several, side by side, float32 (n, d).

    name: of the network and its weights; engine: what computes it; load: returns, when
    they are needed, compute(pixels, layers, pooled), a list of some layers' maps or
    means, and a dict from a layer to its maps' shape; preprocess: function of RGB uint8
    frames.
    """

    name: str
    engine: str
    load: Callable
    preprocess: Callable
    layers: tuple
    pooled: bool = False
    size: int = 224

    def __call__(self, frames):
        if len(self.layers) > 1 and not self.pooled:
            raise ValueError("Maps of several layers don't fit together: take one.")
        pixels = np.asarray(self.preprocess(frames), "float32")
        try:
            compute, _ = self.load()
            maps = compute(pixels, self.layers, self.pooled)
        except ValueError as error:  # which would pass for a fault of the clip
            raise RuntimeError(f"{self.name} by {self.engine}: {error}") from error
        return np.concatenate(maps, axis=1) if self.pooled else maps[0]

    def using(self, **changes):
        """The same network with another preprocessing, other layers, pooled or not."""
        return replace(self, **changes)

    @property
    def shape(self):
        """The shape of one frame's features."""
        shapes = [self.load()[1][layer] for layer in self.layers]
        return (sum(shape[-1] for shape in shapes),) if self.pooled else shapes[0]

    @property
    def facts(self):
        """What the features depend on beside the frames, as JSON knows it: network,
        layers, and what reading, resizing and preprocessing *do*, to a thousandth, to
        two frames. The engine is rounding and not in it.
        """
        pixels = np.asarray(self.preprocess(probes(self.size)), "float64")
        done = digest_of(np.rint(1000 * pixels).astype("int64"))
        return [self.name, list(self.layers), self.pooled, self.size, done]


def probes(size):
    """Two frames of noise that were JPEG files, one enlarged to `size`, one shrunk: RGB
    uint8 (2, size, size, 3).
    """
    noise, frames = random.Random(0), []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "probe.jpg"
        for height, width in ((size // 2, size), (2 * size, 3 * size)):
            pixels = np.frombuffer(noise.randbytes(3 * height * width), np.uint8)
            write_jpeg(pixels.reshape(height, width, 3), path)
            frames.append(load_frame(path, size))
    return np.stack(frames)
