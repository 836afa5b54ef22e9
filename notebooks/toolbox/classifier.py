"""The classifier of a dataset on disk: a model, and beside it a file that says what it is."""

from hashlib import sha256

from toolbox.files import read_json, write_json

MODEL, FACTS = "classifier.keras", "classifier.json"
NONE = "none of these"  # what is said where no class is likely enough


def save_classifier(dataset, model, **facts):
    """Save a model from `toolbox.one_model`, and the facts that its use needs: classes, per_second
    (frames looked at), size (frames in a window), threshold. Each file is whole or not there,
    the facts never without their model. Returns the path of the model.
    """
    from toolbox.one_model import save_model  # loads Keras; asking for the facts doesn't

    (dataset.weights / FACTS).unlink(missing_ok=True)
    dataset.weights.mkdir(parents=True, exist_ok=True)
    save_model(model, dataset.weights / MODEL)
    write_json(dataset.weights / FACTS, made_from=digest_of_table(dataset), **facts)
    return dataset.weights / MODEL


def read_classifier(dataset):
    """The facts of a dataset's classifier; an empty dict if there is none, or if it was made from
    another table of clips.
    """
    facts = read_json(dataset.weights / FACTS)
    fits = facts.get("made_from") == digest_of_table(dataset)
    return facts if fits and (dataset.weights / MODEL).exists() else {}


def digest_of_table(dataset):
    """SHA-256 of a dataset's table of clips, as hexadecimal text."""
    return sha256((dataset.data / "videos.csv").read_bytes()).hexdigest()
