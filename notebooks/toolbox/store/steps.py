"""What each notebook of a dataset was made from, so that later ones can tell whether it
still fits.

`data/<dataset>/step_00.json` to `step_05.json` are notes as in `toolbox.store.made`:
`of`, what the notebooks before left; `files`, the sizes of its own; beside them `left`,
a digest of what it left, and the facts that later ones need.
"""

import os
from contextlib import contextmanager

from toolbox.store.files import one_writer, write_json
from toolbox.store.made import digest_of, files_of, note_of, read_note, sizes_of

import numpy as np

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
SEEN = {}  # what this process has read or made: (data, notebook) to `left`


@contextmanager
def step(dataset, notebook, files, **facts):
    """While the block runs, the notebook (such as "03") counts as unfinished; when it
    ends well, as finished. files: the paths of files and folders that the block leaves;
    facts: what later notebooks need to know, as JSON knows it. A new table of clips
    removes `results.json`: it was measured on another. Raises RuntimeError while
    another process runs a step of the same dataset, and ValueError if what this process
    has read (see `check_step`) was made anew since.
    """
    data, note = dataset.data, note_of(dataset.data / f"step_{notebook}")
    with one_writer(data / "steps.lock", f"data/{dataset.name}"):
        notes = {needed: note_of_step(data, needed) for needed in MADE_FROM[notebook]}
        for needed, its in notes.items():
            if SEEN.get((data, needed), its.get("left")) != its.get("left"):
                why = f"{LEAVES[needed]} changed since this notebook read it"
                raise ValueError(f"Run this notebook from its start: {why}.")
        before = note_of_step(data, notebook).get("left")
        note.unlink(missing_ok=True)
        of = made_of(notebook, notes)
        yield
        left = (file for path in files for file in files_of(path).values())
        contents = [digest_of(np.fromfile(file, "uint8")) for file in left]
        sizes = {os.path.relpath(path, data): sizes_of(path) for path in files}
        left = SEEN[data, notebook] = digest_of(of, facts, contents)
        if notebook == "00" and left != before and (data / "results.json").exists():
            (data / "results.json").unlink()
            print("removed results.json: it was measured on another table of clips")
        write_json(note, of=of, files=sizes, left=left, facts=facts)


def check_step(dataset, notebook):
    """The facts that a notebook recorded.

    Raises FileNotFoundError if it, or one before it, was not run to its end, or a file
    that it left is gone or cut off, and ValueError if what it left was made from
    something that was made anew since; each names the notebook to run.
    """
    notes = {}
    for name in needed_for(notebook):
        note = notes[name] = note_of_step(dataset.data, name)
        if not note:
            older = (dataset.data / "record.json").exists()
            why = "was of an older version of the course" if older else "was not run"
            why = f"on {dataset.name} it {why}, or did not finish"
            raise FileNotFoundError(f"Run notebook {name} first: {why}.")
        for file, sizes in note["files"].items():
            if sizes_of(dataset.data / file) != sizes:
                why = f"is not as notebook {name} left it: run notebook {name} again."
                raise FileNotFoundError(f"{(dataset.data / file).resolve()} {why}")
        if note["of"] != made_of(name, notes):
            why = f"What {LEAVES[name]} came from has changed since"
            raise ValueError(f"{why}: run notebook {name} again.")
        SEEN[dataset.data, name] = note["left"]
    return notes[notebook]["facts"]


def note_of_step(data, notebook):
    """The note of a notebook; empty if it was not run to its end."""
    return read_note(data / f"step_{notebook}")


def made_of(notebook, notes):
    """The digest of what a notebook rests on, by the notes of those before it."""
    return digest_of(*[notes[needed].get("left") for needed in MADE_FROM[notebook]])


def needed_for(notebook):
    """The notebooks that one rests on, itself the last, in their order."""
    before = (name for needed in MADE_FROM[notebook] for name in needed_for(needed))
    return sorted({notebook, *before})
