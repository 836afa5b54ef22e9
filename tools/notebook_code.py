"""Which committed outputs are stale: `python tools/notebook_code.py` names the
notebooks and why. `make outputs` makes them again.

What changes in the modules that a notebook imports doesn't count here: `make test-all`
runs all notebooks and compares their numbers with the committed ones.
"""

import json
import sys
from hashlib import sha256

from course import NOTEBOOKS

import nbformat


def code_digest(notebook):
    """SHA-256, as hexadecimal text, of a notebook's code cells as they are written,
    but for the cells tagged `bootstrap`, which prepare a machine and leave no output.
    """
    sources = [cell.source for cell in counted(notebook)]
    return sha256(json.dumps(sources).encode()).hexdigest()


def counted(notebook):
    """A notebook's code cells, but for those tagged `bootstrap`."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return [one for one in code if "bootstrap" not in one.metadata.get("tags", [])]


def why_stale(path):
    """Why the outputs of the notebook at a path are not to be trusted, or None."""
    notebook = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    known = counted(notebook)
    run = [cell for cell in code if cell in known or cell.execution_count]
    if [cell.execution_count for cell in run] != list(range(1, len(run) + 1)):
        return "its cells were not all run once, from top to bottom"
    for output in [output for cell in code for output in cell.outputs]:
        if output.output_type == "error" or output.get("name") == "stderr":
            return "an output holds an error, or noise on stderr"
    facts = notebook.metadata.get("framevote", {})
    changed = facts.get("code_sha256") != code_digest(notebook)
    return "its code has changed since" if changed else None


if __name__ == "__main__":
    pages = sorted([*NOTEBOOKS.glob("*.ipynb"), *NOTEBOOKS.glob("solutions/*.ipynb")])
    stale = {str(page.relative_to(NOTEBOOKS)): why_stale(page) for page in pages}
    for name, reason in stale.items():
        print(f"{name}: {reason or 'outputs are fresh'}")
    sys.exit(any(stale.values()) and "Run `make outputs`.")
