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

INIT = '"""What the notebooks teach, exported from their cells (`make export`)."""\n'


def export(notebooks, package):
    """Write the package of all exported cells; modules that no notebook exports any
    more are removed.
    """
    package.mkdir(exist_ok=True)
    for old in package.glob("*.py"):
        old.unlink()
    (package / "__init__.py").write_text(INIT, encoding="utf-8")
    for notebook in sorted(notebooks.glob("[0-9][0-9]_*.ipynb")):
        nb_export(str(notebook), lib_path=str(package), mod_maker=new_module)
    for module in package.glob("*.py"):
        tidy(module, Path(os.path.relpath(notebooks, package)).as_posix())
    ruff("check", "--fix", "--select", "F401,I,RUF022", package)
    ruff("format", package)


def new_module(**settings):
    """nbdev's ModuleMaker, which makes the modules of `#| export other`, too."""
    return ModuleMaker(**settings | {"is_new": True})


def tidy(module, way):
    """Undo what nbdev does by halves: it notes `way`, the path from the package to
    the notebook as it was run, and makes those imports relative that fit on one
    line.
    """
    text = module.read_text(encoding="utf-8").replace(way, "..")
    text = re.sub(r"(?m)^from \.(\w+) import", r"from lessons.\1 import", text)
    module.write_text(text, encoding="utf-8", newline="\n")


def ruff(command, *arguments):
    """Run ruff with the course's settings."""
    settings = ["--quiet", "--no-cache", "--config", COURSE / "pyproject.toml"]
    ruff = [sys.executable, "-m", "ruff", command, *settings, *arguments]
    subprocess.run(ruff, check=True)


def changed_modules(notebooks, package):
    """The names of the modules that differ from what their notebooks hold."""
    with tempfile.TemporaryDirectory(dir=notebooks.parent) as folder:
        fresh = Path(folder) / "lessons"
        export(notebooks, fresh)
        made, there = (
            {module.name: module.read_bytes() for module in where.glob("*.py")}
            for where in (fresh, package)
        )
    return sorted(name for name in made | there if made.get(name) != there.get(name))


if __name__ == "__main__":
    lessons = NOTEBOOKS / "lessons"
    if sys.argv[1:] != ["--check"]:
        export(NOTEBOOKS, lessons)
    elif changed := changed_modules(NOTEBOOKS, lessons):
        names = ", ".join(changed)
        sys.exit(
            f"lessons/{names} is not what the notebooks export. Run `make export`."
        )
