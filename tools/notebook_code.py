"""The code of a notebook: its digest, and the check that the committed outputs were
made by it.

`python tools/notebook_code.py` names the notebooks whose outputs are stale; `make
outputs` makes them again.
"""

import ast
import sys
from hashlib import sha256
from pathlib import Path

import nbformat
from IPython.core.inputtransformer2 import TransformerManager

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
PACKAGES = ("lessons", "toolbox")


def code_digest(notebook, folder):
    """SHA-256, as hexadecimal text, of what a notebook's code does.

    It covers the code cells, and of the modules of `lessons` and `toolbox` below
    `folder` what the cells use, directly or through others, and what runs when these
    are imported. Comments, docstrings, formatting, and functions that the cells never
    come to don't count.
    """
    sources = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    cells, house = [parse_cell(source) for source in sources], House(folder)
    for cell in cells:
        house.follow(Module([]), cell)
    silent = [
        source.rstrip().endswith(";") for source in sources
    ]  # such a cell shows no value
    return sha256(
        repr([silent, content(cells), sorted(house.used.items())]).encode()
    ).hexdigest()


def parse_cell(source):
    """The syntax tree of a cell; IPython makes Python of `%magics` and `!commands`."""
    return ast.parse(TransformerManager().transform_cell(source))


class Module:
    """The top level of a module: `definitions`, the statements that give each name
    its value; `imports`, where names come from; `run`, what else happens when it is
    imported.
    """

    def __init__(self, statements):
        self.definitions, self.imports, self.run = {}, {}, []
        for statement in statements:
            names = names_defined(statement)
            for name in names:
                self.definitions.setdefault(name, []).append(statement)
            self.imports |= imports_in(statement)
            if not names and not isinstance(statement, ast.Import | ast.ImportFrom):
                self.run.append(statement)


class House:
    """The course's own modules below a folder, and the parts of them that are
    `used`.
    """

    def __init__(self, folder):
        self.folder, self.modules, self.used = folder, {}, {}

    def follow(self, module, tree):
        """Note what a syntax tree, which stands in a module, uses of the course's
        own modules.
        """
        inner = imports_in(tree)
        for place, name in inner.values():
            self.open(place) and self.open(f"{place}.{name}")
        origins = module.imports | inner
        for name in {
            node.id for node in ast.walk(tree) if isinstance(node, ast.Name)
        } | {*inner}:
            if name in origins:
                self.use(*origins[name])
            elif name in module.definitions:
                self.use(module.place, name)

    def open(self, place):
        """The module of the course that is called so, such as "toolbox.store.files",
        or None.
        """
        if place in self.modules or place.split(".")[0] not in PACKAGES:
            return self.modules.get(place)
        path = self.folder / Path(*place.split("."))
        file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        self.modules[place] = None
        if file.is_file():
            self.open(place.rpartition(".")[0])
            module = Module(ast.parse(file.read_text(encoding="utf-8")).body)
            module.place = place
            self.modules[place] = module
            self.used[place, ""] = content(module.run)
            for statement in module.run:
                self.follow(module, statement)
            for imported, name in module.imports.values():
                self.open(imported) and self.open(f"{imported}.{name}")
        return self.modules[place]

    def use(self, place, name):
        """Note what a name of a module stands for, and what that uses in turn."""
        module = self.open(place)
        if module is None or (place, name) in self.used:
            self.used.setdefault((place, name or ""), [])
        elif name in module.definitions:
            self.used[place, name] = content(module.definitions[name])
            for statement in module.definitions[name]:
                self.follow(module, statement)
        elif name in module.imports:
            self.use(*module.imports[name])
        elif part := self.open(f"{place}.{name}"):
            for inner in part.definitions:
                self.use(part.place, inner)


def names_defined(statement):
    """The names that a statement at a module's top level gives a value; none for an
    import.
    """
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {statement.name}
    if isinstance(statement, ast.Assign | ast.AnnAssign):
        targets = getattr(statement, "targets", None) or [statement.target]
        nodes = [node for target in targets for node in ast.walk(target)]
        if all(isinstance(target, ast.Name | ast.Tuple) for target in targets):
            return {node.id for node in nodes if isinstance(node, ast.Name)}
    return set()


def imports_in(tree):
    """Where the names come from that a syntax tree imports: a dict from the name to
    (module, name there or None).
    """
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                name = alias.asname or alias.name.split(".")[0]
                found[name] = (alias.name if alias.asname else name, None)
                if not alias.asname and "." in alias.name:
                    found[alias.name] = (alias.name, None)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                found[alias.asname or alias.name] = (node.module, alias.name)
    return found


def content(node):
    """A syntax tree as nested lists, the same in all versions of Python, without
    docstrings.
    """
    if isinstance(node, list):
        return [content(item) for item in node]
    if not isinstance(node, ast.AST):
        return node
    fields = dict(ast.iter_fields(node))
    if isinstance(
        node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    ):
        fields["body"] = node.body[ast.get_docstring(node, clean=False) is not None :]
    filled = {name: value for name, value in fields.items() if value not in (None, [])}
    return [
        type(node).__name__,
        [[name, content(value)] for name, value in filled.items()],
    ]


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
