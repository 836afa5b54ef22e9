"""Write the notebooks' exported cells to notebooks/lessons; with --check, only say
whether they are the same.

nbdev does the work: cells that start with `#| export` go to the module that the
notebook's `#| default_exp` names, and cells that start with `#| export other` to the
module `other`. Ruff then takes out imports that only the rest of the notebook needs,
and formats the modules.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from course import COURSE, NOTEBOOKS

from nbdev.export import nb_export
from nbdev.maker import ModuleMaker

INIT = (
    '"""The functions that the notebooks teach, exported from their cells (`make'
    ' export`)."""\n'
)


def export(notebooks, package):
    """Write the package of all exported cells; modules that no notebook exports any
    more are removed.
    """
    for old in package.glob("*.py"):
        old.unlink()
    package.mkdir(exist_ok=True)
    (package / "__init__.py").write_text(INIT, encoding="utf-8")
    for notebook in sorted(notebooks.glob("[0-9][0-9]_*.ipynb")):
        nb_export(str(notebook), lib_path=str(package), mod_maker=new_module)
    for module in package.glob("*.py"):
        tidy(module, os.path.relpath(notebooks, package))
    ruff("check", "--fix", "--select", "F401,I,RUF022", package)
    ruff("format", package)


def new_module(**settings):
    """nbdev's ModuleMaker; the modules of `#| export other` need not be there
    either.
    """
    return ModuleMaker(**{**settings, "is_new": True})


def tidy(module, way):
    """Undo what nbdev does by halves: it notes `way`, the path from the package to
    the notebook as it was run, and makes those imports relative that fit on one
    line.
    """
    text = module.read_text(encoding="utf-8").replace(Path(way).as_posix(), "..")
    text = re.sub(
        r"^from \.(\w+) import", r"from lessons.\1 import", text, flags=re.MULTILINE
    )
    module.write_text(text, encoding="utf-8", newline="\n")


def ruff(command, *arguments):
    """Run ruff with the course's settings."""
    settings = ["--quiet", "--no-cache", "--config", COURSE / "pyproject.toml"]
    subprocess.run(
        [sys.executable, "-m", "ruff", command, *settings, *arguments], check=True
    )


def changed_modules(notebooks, package):
    """The names of the modules that differ from what their notebooks hold."""
    with tempfile.TemporaryDirectory(dir=notebooks.parent) as folder:
        fresh = Path(folder) / "lessons"
        export(notebooks, fresh)
        names = {module.name for module in [*fresh.glob("*.py"), *package.glob("*.py")]}
        return sorted(
            name for name in names if read(fresh / name) != read(package / name)
        )


def read(path):
    """The text of a file; None where there is none."""
    return path.read_text(encoding="utf-8") if path.exists() else None


def main():
    """Export, or check; the exit code is 1 if a module differs."""
    package = NOTEBOOKS / "lessons"
    if sys.argv[1:] != ["--check"]:
        export(NOTEBOOKS, package)
    elif changed := changed_modules(NOTEBOOKS, package):
        sys.exit(
            f"lessons/{', '.join(changed)} is not what the notebooks export. Run `make"
            " export`."
        )


if __name__ == "__main__":
    main()
