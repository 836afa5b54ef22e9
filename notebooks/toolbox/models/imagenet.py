"""The thousand classes of ImageNet, and what a small network with all its layers takes
a picture for.
"""

from pathlib import Path

from toolbox.models.efficientnet import (
    efficientnet_weights,
    load_efficientnet,
    preprocess_input,
)

import numpy as np

# in ImageNet's order, as torchvision names them (BSD 3-Clause)
NAMES_FILE = Path(__file__).with_name("imagenet_classes.txt")


def imagenet_classes():
    """The names of ImageNet's thousand classes, an array in their order."""
    return np.array(NAMES_FILE.read_text(encoding="utf-8").splitlines())


def named_by_imagenet(folder, pictures):
    """What EfficientNet-Lite0 takes RGB uint8 pictures (n, 224, 224, 3) for, out of
    ImageNet's thousand classes: a text for each, such as "Egyptian cat, 78%".

    folder: see `efficientnet_weights`, whose errors are raised, too.
    """
    model = load_efficientnet(efficientnet_weights(folder))
    said = model.predict(preprocess_input(np.stack(pictures)), verbose=0)
    names = imagenet_classes()[said.argmax(axis=1)]
    return [
        f"{name}, {sure:.0%}" for name, sure in zip(names, said.max(1), strict=True)
    ]
