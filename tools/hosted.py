"""Bring a notebook that was opened alone to its starting point: `prepare("05")`, or in
the course's folder notebooks/ `%run ../tools/hosted.py 05`.

This installs the packages of pyproject.toml that aren't there, at versions that leave
all others as they are, and runs the notebooks before it whose results it needs.
"""

import importlib
import re
import subprocess
import sys
import tempfile
import tomllib
from importlib.metadata import distributions
from importlib.util import find_spec
from pathlib import Path

from course import COURSE, NOTEBOOKS

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

# what a host may bring as another package, and the module to look for
OTHERWISE = {"opencv-python-headless": "cv2", "tensorflow": "tensorflow"}


def prepare(number):
    """Install what is missing, then run the notebooks before the one of this number."""
    install(Requirement(text) for text in course_facts()["project"]["dependencies"])
    [page] = NOTEBOOKS.glob(f"{number}_*.ipynb")
    if numbers := not_run(runs_before(page)):
        run("tools/run_course.py", "--notebooks", " ".join(numbers))
    print(f"Ready: go on with notebook {number}.")


def course_facts(course=COURSE):
    """What pyproject.toml says, as a dict."""
    return tomllib.loads((course / "pyproject.toml").read_text(encoding="utf-8"))


def install(wanted):
    """Install those of the wanted packages that aren't there; no other is touched."""
    there = versions_there()
    missing = [one for one in wanted if is_missing(one, there)]
    if missing:
        print("installing", ", ".join(one.name for one in missing), flush=True)
        with tempfile.TemporaryDirectory() as folder:
            kept = Path(folder, "kept.txt")
            kept.write_text("\n".join(f"{n}=={v}" for n, v in there.items()))
            asked = [str(one) for one in missing]
            run("-m", "pip", "install", "--quiet", "--constraint", str(kept), *asked)
        importlib.invalidate_caches()


def versions_there():
    """The installed packages: a dict from name to Version."""
    found = {}
    for one in distributions():
        try:
            found[canonicalize_name(one.name)] = Version(one.version)
        except (InvalidVersion, TypeError):  # half removed, or made by hand
            continue
    return found


def is_missing(wanted, there):
    """Whether a wanted package isn't there; a line is printed for one that is there in
    a version that the course wasn't tried with.
    """
    version = there.get(name := canonicalize_name(wanted.name))
    if version and not wanted.specifier.contains(version, prereleases=True):
        print(f"{name} is {version} here, the course was tried with {wanted}.")
    return not version and not (name in OTHERWISE and find_spec(OTHERWISE[name]))


def runs_before(page):
    """The numbers of the notebooks whose results the one at a path asks for, by the
    steps that its code opens its dataset after.
    """
    from toolbox.store.steps import needed_for

    import nbformat

    cells = nbformat.read(page, as_version=4).cells
    code = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
    asked = re.findall(r'(?:after=|check_step\(dataset, )"(\d\d)"', code)
    return sorted({needed for one in asked for needed in needed_for(one)})


def not_run(numbers):
    """Those of the notebooks that were not run, or whose results no longer fit."""
    from toolbox.clips import open_dataset
    from toolbox.store import check_step

    dataset, left = open_dataset(course=COURSE), []
    for number in numbers:
        try:
            check_step(dataset, number)
        except (FileNotFoundError, ValueError):
            left.append(number)
    return left


def run(*arguments):
    """Run Python with these arguments in the course's folder, and print what it prints
    while it runs. Raises RuntimeError if it fails.
    """
    command = [sys.executable, *arguments]
    pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(command, cwd=COURSE, **pipe) as process:
        for said in iter(process.stdout.read1, b""):
            print(said.decode(errors="replace"), end="", flush=True)
    if process.returncode:
        raise RuntimeError(f"This failed: {' '.join(command)}")


if __name__ == "__main__":
    prepare(sys.argv[1])
