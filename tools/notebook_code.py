"""The code of a notebook: its digest, and the check that the committed outputs were made by it.

`python tools/notebook_code.py` names the notebooks whose outputs are stale; `make outputs` makes
them again.
"""

import ast
import sys
from hashlib import sha256
from pathlib import Path

import nbformat
from IPython.core.inputtransformer2 import TransformerManager

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
PACKAGES = ("framevote", "toolbox")


def code_digest(notebook, folder):
    """SHA-256, as hexadecimal text, of what a notebook's code does.

    It covers the code cells, and the modules of `framevote` and `toolbox` below `folder` that they
    import, directly or through others. Comments, docstrings, formatting and the place where a
    module's function stands in its notebook don't count.
    """
    sources = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    cells, modules = [parse_cell(source) for source in sources], {}
    waiting = list(cells)
    while waiting:
        for path in modules_of(waiting.pop(), folder) - modules.keys():
            modules[path] = ast.parse(path.read_text(encoding="utf-8"))
            waiting.append(modules[path])
    trees = cells + [modules[path] for path in sorted(modules)]
    silent = [source.rstrip().endswith(";") for source in sources]  # such a cell shows no value
    return sha256(repr([silent, content(trees)]).encode()).hexdigest()


def parse_cell(source):
    """The syntax tree of a cell; IPython makes Python of `%magics` and `!commands`."""
    return ast.parse(TransformerManager().transform_cell(source))


def modules_of(tree, folder):
    """The paths of the course's own modules that a syntax tree imports."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    own = [name.split(".") for name in names if name.split(".")[0] in PACKAGES]
    packages = {folder / parts[0] / "__init__.py" for parts in own}
    modules = {(folder / Path(*parts)).with_suffix(".py") for parts in own}
    return {path for path in packages | modules if path.is_file()}


def content(node):
    """A syntax tree as nested lists, the same in all versions of Python, without docstrings."""
    if isinstance(node, list):
        return [content(item) for item in node]
    if not isinstance(node, ast.AST):
        return node
    fields = dict(ast.iter_fields(node))
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        fields["body"] = node.body[ast.get_docstring(node, clean=False) is not None :]
    filled = {name: value for name, value in fields.items() if value not in (None, [])}
    return [type(node).__name__, [[name, content(value)] for name, value in filled.items()]]


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
