"""Write the notebooks' exported cells to notebooks/framevote; with --check, only say whether they
are the same.

nbdev does the work: cells that start with `#| export` go to the module that the notebook's `#|
default_exp` names, and cells that start with `#| export other` to the module `other`.
"""

import os
import sys
import tempfile
from pathlib import Path

from nbdev.export import nb_export
from nbdev.maker import ModuleMaker

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
INIT = '"""The functions that the notebooks teach, exported from their cells (`make export`)."""\n'


def export(notebooks, package):
    """Write the package of all exported cells; modules that no notebook exports any more are
    removed.
    """
    for old in package.glob("*.py"):
        old.unlink()
    package.mkdir(exist_ok=True)
    (package / "__init__.py").write_text(INIT, encoding="utf-8")
    for notebook in sorted(notebooks.glob("[0-9][0-9]_*.ipynb")):
        nb_export(str(notebook), lib_path=str(package), mod_maker=new_module)
    for module in package.glob(
        "*.py"
    ):  # nbdev notes the path of the notebook from where it was run
        text = module.read_text(encoding="utf-8")
        module.write_text(
            text.replace(relative(notebooks, package), ".."), encoding="utf-8", newline="\n"
        )


def new_module(**settings):
    """nbdev's ModuleMaker; the modules of `#| export other` need not be there either."""
    return ModuleMaker(**{**settings, "is_new": True})


def changed_modules(notebooks, package):
    """The names of the modules that differ from what their notebooks hold."""
    with tempfile.TemporaryDirectory(dir=notebooks.parent) as folder:
        fresh = Path(folder) / "framevote"
        export(notebooks, fresh)
        names = {module.name for module in [*fresh.glob("*.py"), *package.glob("*.py")]}
        return sorted(name for name in names if read(fresh / name) != read(package / name))


def relative(notebooks, package):
    """The path from the package to the notebooks, with forward slashes."""
    return Path(os.path.relpath(notebooks, package)).as_posix()


def read(path):
    """The text of a file; None where there is none."""
    return path.read_text(encoding="utf-8") if path.exists() else None


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        changed = changed_modules(NOTEBOOKS, NOTEBOOKS / "framevote")
        sys.exit(
            f"framevote/{', '.join(changed)} is not what the notebooks export. Run `make export`."
            if changed
            else None
        )
    export(NOTEBOOKS, NOTEBOOKS / "framevote")
