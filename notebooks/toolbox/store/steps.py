"""What each notebook of a dataset was made from, so that later ones can tell whether it
still fits.

`data/<dataset>/record.json` has an entry for each of 00 to 05: its `id`, a digest of
what the notebook left, the sizes of its files, the ids of what it was made from (`of`),
and facts that later ones need.
"""

import hashlib
import os
from contextlib import contextmanager

from toolbox.store.files import one_writer, read_json, write_json
from toolbox.store.made import digest_of

MADE_FROM = {
    "00": [],
    "01": ["00"],
    "02": ["01"],
    "03": ["02"],
    "04": ["03"],
    "05": ["00", "04"],
}


LEAVES = {
    "00": "the table of clips",
    "01": "the frames",
    "02": "the table of frames",
    "03": "the split",
    "04": "the features and the trained head",
    "05": "the predictions",
}


@contextmanager
def step(dataset, notebook, files, **facts):
    """While the block runs, the notebook counts as unfinished; when it ends well, as
    finished.

    dataset: a Dataset; notebook: such as "03"; files: the paths that the block writes,
    whose content later notebooks build on; facts: what these need to know, as JSON
    knows it. Raises RuntimeError while another process runs a step of the same dataset.
    """
    path = dataset.data / "record.json"
    with one_writer(dataset.data / "record.lock", f"data/{dataset.name}"):
        entries = read_json(path)
        entries.pop(notebook, None)
        write_json(path, **entries)
        yield
        of = {needed: entries[needed]["id"] for needed in MADE_FROM[notebook]}
        contents = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
        entry = {"id": digest_of(facts, of, contents), "of": of, "facts": facts}
        sizes = {
            os.path.relpath(file, dataset.data): file.stat().st_size for file in files
        }
        write_json(path, **entries, **{notebook: {**entry, "files": sizes}})


def check_step(dataset, notebook):
    """The facts that a notebook recorded.

    Raises FileNotFoundError if it, or one before it, was not run to its end, or a file
    that it left is gone or cut off, and ValueError if what it left was made from
    something that was made anew since; each names the notebook to run.
    """
    entries = read_json(dataset.data / "record.json")
    for name in needed_for(notebook):
        if name not in entries:
            raise FileNotFoundError(
                f"Run notebook {name} first: {LEAVES[name]} of {dataset.name} is not"
                " there yet, or not finished."
            )
        for file, size in entries[name]["files"].items():
            place = dataset.data / file
            if not place.exists() or place.stat().st_size != size:
                raise FileNotFoundError(
                    f"{place.resolve()} is not as notebook {name} left it: run notebook"
                    f" {name} again."
                )
        for older, known in entries[name]["of"].items():
            if entries[older]["id"] != known:
                raise ValueError(
                    f"Notebook {older} was run again and left another result, so "
                    f"{LEAVES[name]} no longer fits: run notebook {name} again."
                )
    return entries[notebook]["facts"]


def needed_for(notebook):
    """The notebooks that one rests on, itself the last, in their order."""
    names = {notebook}
    for needed in MADE_FROM[notebook]:
        names |= set(needed_for(needed))
    return sorted(names)
