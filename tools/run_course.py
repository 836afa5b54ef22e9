"""Execute the course's notebooks in order: `python tools/run_course.py --help` says
how. papermill sets the knobs, executes the cells, and shows how far it is.
"""

import argparse
import ast
import os
import sys
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path

from course import COURSE, exit_with

from toolbox.clips import BUILT_IN, choose_dataset, find_dataset, open_dataset
from toolbox.evaluation import read_results
from toolbox.store import one_writer

import nbformat
from nbclient.exceptions import DeadKernelError
from papermill import PapermillExecutionError, execute_notebook, inspect_notebook

from compare_outputs import recorded
from notebook_code import code_digest

PART_ONE = "00 01 02 03 04 05"
# of notebook 00, 01, ... on the built-in clips on two slow cores
MINUTES = [0.2, 0.1, 0.1, 0.5, 6.5, 0.5, 8, 1.5, 5, 1.5, 6, 5, 3.5]
BAR = {"bar_format": "{desc:<32} cell {n_fmt:>2}/{total_fmt}  {elapsed}"}


def main():
    """Run the chosen notebooks, then print the results; the exit code is 1 if a
    notebook failed.
    """
    options = parse_options()
    everything = sorted((options.course / "notebooks").glob("[0-9][0-9]_*.ipynb"))
    chosen = choose_notebooks(everything, options.notebooks)
    check_knob_names(options.knobs, everything, chosen)
    name = dataset_name(options, chosen)
    folder = options.course / "executed" / name
    try:
        with one_writer(folder / "run.lock", f"data/{name}"):
            print(f"{' '.join(map(number_of, chosen))} on {name}: {outlook(chosen)}")
            for path in chosen:
                run_notebook(path, options, folder)
            print_results(options, name, chosen)
    except (PapermillExecutionError, DeadKernelError) as error:
        kept = " (the committed notebook is as it was)" * options.in_place
        story = f"The whole story: {folder / path.name}{kept}"
        sys.exit(f"\n{path.name} stopped. {error}\n{story}")
    except RuntimeError as error:  # another run is at work
        sys.exit(str(error))


def parse_options():
    """Read the command line, and what it leaves open from the environment."""
    parser = argparse.ArgumentParser(description="Execute the notebooks in order.")
    add, given = parser.add_argument, os.environ.get
    text = '"mocap", "ucf101" or a folder of class folders (default: the last choice)'
    add("--dataset", default=given("DATASET"), help=text)
    text = '"04 05", "all", or "solutions" of exercises'
    text += f' (default: "{PART_ONE}"; in place: all)'
    add("--notebooks", default=given("NOTEBOOKS"), help=text)
    text = "set knobs in all notebooks that have them: \"SEED=5, CLASSES=['Walk']\""
    add("--set", dest="knobs", action="append", metavar="KNOBS", help=text)
    text = "keep the outputs in the committed notebooks (for maintainers)"
    add("--in-place", action="store_true", help=text)
    add("--course", type=Path, default=COURSE, help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.course = options.course.resolve()
    options.notebooks = options.notebooks or ("all" if options.in_place else PART_ONE)
    try:
        options.knobs = read_knobs(", ".join(options.knobs or [given("KNOBS", "")]))
    except ValueError as error:
        parser.error(str(error))
    options.dataset = options.knobs.pop("DATASET", None) or options.dataset or None
    if options.in_place and (options.dataset or options.knobs):
        parser.error("--in-place runs the notebooks with their committed knobs.")
    if options.dataset and options.dataset not in BUILT_IN:
        options.dataset = str(Path(options.dataset).expanduser().resolve())
    return options


def read_knobs(text):
    """A dict of knobs and their values, from text such as "SEED=1, RATES=(1, 2)".

    Raises ValueError if that isn't names and Python literals with commas between.
    """
    try:
        call = ast.parse(f"dict({text})", mode="eval").body
        if call.args or not isinstance(call.func, ast.Name):
            raise ValueError("a value without a name")
        return {str(knob.arg): ast.literal_eval(knob.value) for knob in call.keywords}
    except (AttributeError, SyntaxError, ValueError):
        needed = "NAME=VALUE, with commas between, such as \"SEED=1, SPLIT='by_group'\""
        raise ValueError(f"KNOBS needs {needed}, and got: {text}") from None


def number_of(path):
    """The number of a notebook, such as "04"."""
    return path.name[:2]


def choose_notebooks(everything, numbers):
    """The paths, out of all notebooks, that the numbers name ("04 05" or "04,05");
    for "all", and for "solutions", those of exercises, those whose packages are there.
    """
    wanted = numbers.replace(",", " ").split()
    if wanted == ["all"]:
        return without_extras(everything)
    if wanted == ["solutions"]:
        return without_extras(sorted(everything[0].parent.glob("solutions/*.ipynb")))
    if unknown := set(wanted) - set(map(number_of, everything)):
        there, numbers = ", ".join(path.stem for path in everything), sorted(unknown)
        sys.exit(f"There is no notebook {' '.join(numbers)}; there are: {there}.")
    return [path for path in everything if number_of(path) in wanted]


def without_extras(notebooks):
    """The notebooks whose packages are there; a printed line where Ray's is not."""
    there = [path for path in notebooks if number_of(path) != "12" or find_spec("ray")]
    for path in set(notebooks) - set(there):
        print(f"{path.stem} is left out: `make scale` installs Ray and runs it.")
    return there


def check_knob_names(knobs, everything, chosen):
    """Stop, with near names, if none of the chosen notebooks has a knob."""
    owners = {number_of(path): knobs_of(path) for path in everything} if knobs else {}
    numbers = list(map(number_of, chosen))
    for name in knobs:
        having = [number for number, names in owners.items() if name in names]
        if not having:
            known = set().union(*owners.values())
            near = ", ".join(get_close_matches(name.upper(), known, cutoff=0.5))
            sys.exit(f"There is no knob {name}. Similar: {near or 'none'}.")
        if not set(numbers) & set(having):
            owned, ours = " ".join(having), " ".join(numbers)
            sys.exit(f"{name} is a knob of {owned}; NOTEBOOKS names {ours}.")


def knobs_of(path):
    """The knobs of a notebook, which its cell tagged `parameters` sets: a dict from
    name to default, as text.
    """
    found = inspect_notebook(str(path))
    return {name: knob["default"] for name, knob in found.items()}


def dataset_name(options, chosen):
    """The name of the dataset that the notebooks will use: the one that was asked
    for, else what notebook 00 says, if it runs, else the one that it chose last.
    """
    choice, first = options.dataset, number_of(chosen[0]) == "00"
    first = first and "DATASET" in knobs_of(chosen[0])  # the page, not its answers
    if first and (not choice or choice in BUILT_IN):  # notebook 00 finds or fetches it
        choice = choice or ast.literal_eval(knobs_of(chosen[0])["DATASET"])
        return Path(choice).expanduser().name
    choice = choice or ("mocap" if options.in_place else None)
    try:
        if not choice:
            return open_dataset(course=options.course).name
        name = find_dataset(choice, options.course, "Check DATASET.").name
        if not first:
            choose_dataset(choice, options.course)
        return name
    except (OSError, ValueError) as error:
        sys.exit(str(error))


def outlook(notebooks):
    """How long notebooks take, as text."""
    minutes = max(1, round(sum(MINUTES[int(number_of(path))] for path in notebooks)))
    return f"about {minutes} minutes with the built-in clips on two slow cores"


def run_notebook(path, options, folder):
    """Execute one notebook into `folder`, with the knobs that it has; in place, keep
    its outputs.

    Raises PapermillExecutionError, which names the cell, once the executed copy is
    saved.
    """
    given = options.knobs | ({"DATASET": options.dataset} if options.dataset else {})
    names = knobs_of(path) if given else {}
    target = folder / path.relative_to(options.course / "notebooks")
    target.parent.mkdir(exist_ok=True)
    notebook = execute_notebook(
        path,
        target,
        {name: value for name, value in given.items() if name in names},
        kernel_name="python3",
        language="python",
        cwd=path.parent,
        progress_bar=BAR | {"desc": path.stem, "file": sys.stdout},
        coalesce_streams=True,
        extra_arguments=["--log-level=CRITICAL"],
    )
    results = options.course / "data" / folder.name / "results.json"
    rows = recorded(results, number_of(path))
    tidy(notebook, code_sha256=code_digest(notebook), results=rows)
    for place in [target, *[path] * options.in_place]:
        nbformat.write(notebook, place)


def tidy(notebook, **facts):
    """Leave in a notebook's metadata what JupyterLab would write, and facts; in its
    cells', tags and alt texts, which their pictures get, too, where pages look for it.
    """
    kept = {name: notebook.metadata[name] for name in ("kernelspec", "language_info")}
    notebook.metadata = {**kept, "framevote": facts}
    for cell in notebook.cells:
        kept = [name for name in ("alt", "tags") if cell.metadata.get(name)]
        cell.metadata = {name: cell.metadata[name] for name in kept}
        for output in cell.get("outputs", []) if "alt" in kept else []:
            for kind in output.get("data", {}):
                if kind.startswith("image/"):
                    output.metadata.setdefault(kind, {})["alt"] = cell.metadata["alt"]


def print_results(options, name, chosen):
    """The table of results.json, and how to go on."""
    rows = read_results(options.course / "data" / name / "results.json")
    if len(rows):
        print(f"\nResults on {name} (accuracy, with its 95 % interval over groups):\n")
        print(rows.to_string(index=False, float_format="{:.3f}".format, na_rep=""))
        print("\nGo by test clips: training shares its groups with validation frames.")
    place = "notebooks" if options.in_place else f"executed/{name}"
    print(f"\nThe executed notebooks are in {place}/; make lab opens the course.")
    print("Say what a video shows: make classify VIDEO=/path/to/clip.mp4")
    if number_of(chosen[-1]) == "05":
        later = sorted(set(chosen[0].parent.glob("[0-9][0-9]_*.ipynb")) - set(chosen))
        print(f"Go on with all notebooks: make course NOTEBOOKS=all ({outlook(later)})")


if __name__ == "__main__":
    exit_with(main)
