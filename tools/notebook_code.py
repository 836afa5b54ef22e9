"""The code of a notebook: its digest, and the check that the committed outputs were made by it.

`python tools/notebook_code.py` names the notebooks whose outputs are stale; `make outputs` makes
them again.
"""

import re
import sys
from hashlib import sha256
from pathlib import Path

import nbformat

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"


def code_digest(notebook, folder):
    """SHA-256, as hexadecimal text, of a notebook's code cells and of the framevote modules that
    they import, directly or through others. Where in a notebook a function stands doesn't count.
    """
    code = "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    modules, waiting = {}, [code]
    while waiting:
        for name in re.findall(r"^from (?:framevote)?\.(\w+) import", waiting.pop(), re.MULTILINE):
            if name not in modules:
                text = (folder / "framevote" / f"{name}.py").read_text(encoding="utf-8")
                modules[name] = re.sub(r"^# %%.*\n", "", text, flags=re.MULTILINE)
                waiting.append(modules[name])
    return sha256(
        "\n\n".join([code, *(modules[name] for name in sorted(modules))]).encode()
    ).hexdigest()


def why_stale(path):
    """Why a notebook's outputs are not to be trusted, or None."""
    notebook = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    if [cell.execution_count for cell in code] != list(range(1, len(code) + 1)):
        return "its cells were not all run once, from top to bottom"
    if any(
        output.output_type == "error" or output.get("name") == "stderr"
        for cell in code
        for output in cell.outputs
    ):
        return "an output holds an error, or noise on stderr"
    if notebook.metadata.get("framevote", {}).get("code_sha256") != code_digest(
        notebook, path.parent
    ):
        return "its code, or a function that it imports, has changed since"
    return None


if __name__ == "__main__":
    stale = {path.name: why_stale(path) for path in sorted(NOTEBOOKS.glob("*.ipynb"))}
    for name, reason in stale.items():
        print(f"{name}: {reason or 'outputs are fresh'}")
    sys.exit(any(stale.values()) and "Run `make outputs`.")
