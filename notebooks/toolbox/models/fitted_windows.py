"""A fitted classifier of windows, with all that it has to remember, as files."""

from datetime import datetime

from toolbox.models.answers import segments_of, still_below
from toolbox.models.clip_features import pooled_network
from toolbox.models.engine import LITERT
from toolbox.models.saved_model import FORMAT, head_of, one_model, save_classifier
from toolbox.store import fingerprint


def sees(dataset):
    """What looks at videos, as JSON knows it."""
    return pooled_network(dataset, LITERT).facts


def made_of(dataset):
    """What a dataset's classifier depends on: its table of clips, and what looks."""
    table = (dataset.data / "videos.csv").read_text(encoding="utf-8")
    return table, sees(dataset), FORMAT


def model_of(dataset, fitted, threshold):
    """A fitted classifier of windows (notebook 11) as one Keras model, from pixels to
    names, see `one_model`.
    """
    classes, rows = fitted.classes_, fitted.scaler_.n_features_in_
    head = head_of(fitted, fitted.describe, (fitted.size, rows // 4), classes)
    return one_model(dataset.weights.parent, head, classes, threshold)


def facts_of(dataset, fitted, clips, names, windows_of, threshold, per_second, **facts):
    """What a classifier has to remember, as JSON knows it: a dict.

    clips, names: the features and the paths, below the dataset's folder, of the clips
    that it learned from; windows_of: function of a clip and the frames in a window;
    threshold: of "none of these"; per_second: frames looked at; facts: what else.
    """
    learned = {fingerprint(dataset.folder / name) for name in names}
    windows = (windows_of(clip, fitted.size) for clip in clips)
    return {
        "name": dataset.name,
        "made": f"{datetime.now():%Y-%m-%d %H:%M}",
        "classes": fitted.classes_.tolist(),
        "threshold": threshold,
        "per_second": per_second,
        "size": fitted.size,
        "sees": sees(dataset),
        "learned": sorted(learned),
        "still_below": still_below(windows),
        **facts,
    }


def save_fitted(folder, dataset, fitted, clips, names, functions, **facts):
    """Save a fitted classifier of windows in a folder, three ways, see
    `save_classifier`.

    functions: `windows_of` and `moments_of` of notebook 11, which the script copies;
    clips, names, facts: as in `facts_of`, with threshold and per_second.
    """
    windows_of, _ = functions
    facts = facts_of(dataset, fitted, clips, names, windows_of, **facts)
    model = model_of(dataset, fitted, facts["threshold"])
    functions = *functions, segments_of
    save_classifier(folder, model, facts, made_of(dataset), functions)
