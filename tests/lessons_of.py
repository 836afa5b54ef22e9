"""What a notebook defines, for tests and benchmarks of what no module exports."""

import ast
import types
from functools import cache
from pathlib import Path

import nbformat

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
LITERALS = ast.Constant, ast.Tuple, ast.List, ast.Dict, ast.expr_context
DEFINITIONS = ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef


@cache
def lesson(number):
    """A module of the imports, functions, classes, literal constants and tables of
    lambdas of a notebook, such as "08", and its exported cells; nothing else runs.
    """
    [path] = NOTEBOOKS.glob(f"{number}_*.ipynb")
    module = types.ModuleType(f"lesson_{number}", f"Notebook {number}.")
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code" and not cell.source.startswith("%%"):
            tree = ast.parse(cell.source)
            if "#| export" not in cell.source:
                tree.body = [node for node in tree.body if only_defines(node)]
            exec(compile(tree, path, "exec"), vars(module))
    return module


def only_defines(node):
    """Whether a statement of a notebook defines something and does nothing."""
    if isinstance(node, ast.With):  # with quiet_start(): import keras
        return all(map(only_defines, node.body))
    if isinstance(node, ast.Assign) and isinstance(
        node.targets[0], ast.Name | ast.Tuple
    ):
        table = isinstance(node.value, ast.Dict)
        return all(
            isinstance(value, ast.Lambda)
            or all(isinstance(part, LITERALS) for part in ast.walk(value))
            for value in (node.value.values if table else [node.value])
        )
    return isinstance(node, DEFINITIONS)
