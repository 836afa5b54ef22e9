"""Behind explanations: folds, clips to look at, their pictures."""

from toolbox.clips import batches, frames_shown
from toolbox.parallel import progress

import numpy as np
import pandas as pd


def mixed_folds(labels, groups, folds=3, seed=0):
    """Folds (n,) int that share out each group's clips of each class, to judge clips by classifiers
    that have met their group.

    Were a fold drawn regardless of class, a held-out clip's class would be rarer than others among
    what is learned of its group, and the classifier would learn that this group isn't that class.
    """
    rng, cells = np.random.default_rng(seed), pd.DataFrame({"label": labels, "group": groups})
    order = rng.permutation(len(cells))
    place = cells.iloc[order].groupby(["label", "group"]).cumcount().sort_index().to_numpy()
    return (place + np.unique(groups, return_inverse=True)[1]) % folds


def spread_over(labels, groups, count, seed=0):
    """The places of `count` clips (all, if there are fewer), drawn at random so that groups count
    alike, and classes as far as that allows; sorted by group, then class.
    """
    order = np.random.default_rng(seed).permutation(len(labels))
    table = pd.DataFrame({"label": labels, "group": groups}).iloc[order]
    chosen, used = [], {name: dict.fromkeys(table[name], 0) for name in table}
    while len(chosen) < min(count, len(labels)):
        left = table.drop(index=chosen)
        times = pd.DataFrame({name: left[name].map(used[name]) for name in ("group", "label")})
        place = times.sort_values(["group", "label"], kind="stable").index[0]
        chosen.append(place)
        for name in used:
            used[name][table[name][place]] += 1
    return np.array(sorted(chosen, key=lambda k: (groups[k], labels[k])), int)


def pictures_of(path, prepare, per_second):
    """What a network takes of a clip: RGB uint8 (frames, 224, 224, 3), at 0, 1 / per_second, ...
    seconds. prepare: see `toolbox.pooled.pooled_clips`. Raises ValueError if it can't be read.
    """
    return np.stack([prepare(frame) for frame in frames_shown(path, per_second)])


def see(network, clips, text):
    """The features of clips of pictures, a list of arrays (frames, ...), one for each.

    network: a `toolbox.vgg16.Network`; clips: a list of RGB uint8 (frames, 224, 224, 3), of any
    lengths; text: what the bar calls them. Memory holds 16 frames' maps.
    """
    bar = progress(total=sum(map(len, clips)), desc=text, unit="frame")
    features = []
    for batch in batches((picture for clip in clips for picture in clip), 16):
        features.append(network(np.stack(batch)))
        bar.update(len(batch))
    bar.close()
    return np.split(np.concatenate(features), np.cumsum([len(clip) for clip in clips])[:-1])


def each(function, *parts):
    """What a function returns for every picture of every clip: a list of arrays, one for each clip.

    parts: lists of one array (frames, ...) for each clip; the function gets one item of each.
    """
    clips = zip(*parts, strict=True)
    return [np.stack([function(*one) for one in zip(*clip, strict=True)]) for clip in clips]
