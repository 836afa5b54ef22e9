"""Execute the course's notebooks in order: `python tools/run_course.py --help` says
how.

papermill sets the knobs, executes the cells, and shows how far it is.
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

ADVICE = "Check the path behind DATASET."
PART_ONE = "00 01 02 03 04 05"
# notebook: the package that it needs, what installs it
EXTRAS = {"12": ("ray", "make scale")}
# minutes on the built-in clips on two slow cores
MINUTES = {"00": 0.1, "01": 0.1, "02": 0.1, "03": 0.1, "04": 4, "05": 1}
MINUTES |= {"06": 10.5, "07": 2, "08": 4.5, "09": 1, "10": 5, "11": 2, "12": 4}
KERNEL = {
    "display_name": "Python 3 (ipykernel)",
    "language": "python",
    "name": "python3",
}
BAR = {
    "bar_format": "{desc:<32} cell {n_fmt:>2}/{total_fmt}  {elapsed}",
    "file": sys.stdout,
}


def main():
    """Run the chosen notebooks, then print the results; the exit code is 1 if a
    notebook failed.
    """
    options = parse_options()
    everything = sorted((options.course / "notebooks").glob("[0-9][0-9]_*.ipynb"))
    chosen = choose_notebooks(everything, options.notebooks)
    check_knob_names(options.knobs, everything, chosen)
    dataset = dataset_name(options, chosen)
    folder = options.course / "executed" / dataset
    try:
        with one_writer(folder / "run.lock", f"data/{dataset}"):
            print(
                f"{' '.join(path.name[:2] for path in chosen)} on {dataset}:"
                f" {outlook(chosen)}"
            )
            for path in chosen:
                run_notebook(path, options, folder)
            print_results(options, dataset, chosen)
    except (PapermillExecutionError, DeadKernelError) as error:
        kept = " (the committed notebook is as it was)" * options.in_place
        sys.exit(
            f"\n{path.name} stopped. {error}\nThe whole story:"
            f" {folder / path.name}{kept}"
        )
    except RuntimeError as error:  # another run is at work
        sys.exit(str(error))


def parse_options():
    """Read the command line, and what it leaves open from the environment."""
    parser = argparse.ArgumentParser(
        description="Execute the course's notebooks in order."
    )
    parser.add_argument(
        "--dataset",
        default=os.environ.get("DATASET"),
        help=(
            '"mocap", "ucf101" or a folder of class folders (default: what notebook 00'
            " says, if it runs, else the dataset that it chose last)"
        ),
    )
    parser.add_argument(
        "--notebooks",
        default=os.environ.get("NOTEBOOKS"),
        help=f'such as "04 05", or "all" (default: "{PART_ONE}"; in place: all)',
    )
    parser.add_argument(
        "--set",
        dest="knobs",
        action="append",
        metavar="KNOBS",
        help=(
            "set knobs in every notebook that has them: \"SEED=5, CLASSES=['Punch',"
            " 'Walk']\""
        ),
    )
    parser.add_argument(
        "--in-place",
        action="store_true",
        help="keep the outputs in the committed notebooks (for maintainers)",
    )
    parser.add_argument("--course", type=Path, default=COURSE, help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.course = options.course.resolve()
    options.notebooks = options.notebooks or ("all" if options.in_place else PART_ONE)
    try:
        options.knobs = read_knobs(
            ", ".join(options.knobs or [os.environ.get("KNOBS", "")])
        )
    except ValueError as error:
        parser.error(str(error))
    options.dataset = options.knobs.pop("DATASET", None) or options.dataset or None
    if options.in_place and (options.dataset or options.knobs):
        parser.error(
            "--in-place runs the notebooks with the knobs that they are committed with."
        )
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
        raise ValueError(
            'KNOBS needs NAME=VALUE, with commas between, such as "SEED=1,'
            f" SPLIT='by_group'\", and got: {text}"
        ) from None


def choose_notebooks(everything, numbers):
    """The paths, out of all notebooks, that the numbers name ("04 05" or "04,05");
    for "all", those whose packages are there.
    """
    wanted = numbers.replace(",", " ").split()
    if wanted == ["all"]:
        return without_extras(everything)
    names = {path.name[:2]: path for path in everything}
    if unknown := [number for number in wanted if number not in names]:
        sys.exit(
            f"There is no notebook {' '.join(unknown)}; there are: "
            f"{', '.join(path.stem for path in everything)}."
        )
    return [path for number, path in names.items() if number in wanted]


def without_extras(notebooks):
    """The notebooks whose packages are there; a printed line for each of the others."""
    there = []
    for path in notebooks:
        package, command = EXTRAS.get(path.name[:2], (None, None))
        if package is None or find_spec(package):
            there.append(path)
        else:
            print(
                f"{path.stem} is left out: it needs {package}. `{command}` installs and"
                " runs it."
            )
    return there


def check_knob_names(knobs, everything, chosen):
    """Stop, with near names, if there is a knob that none of the chosen notebooks
    has.
    """
    owners = {path.name[:2]: knobs_of(path) for path in everything} if knobs else {}
    numbers = [path.name[:2] for path in chosen]
    for name in knobs:
        having = [number for number, names in owners.items() if name in names]
        if not having:
            near = get_close_matches(
                name.upper(), set().union(*owners.values()), cutoff=0.5
            )
            sys.exit(f"There is no knob {name}. Similar: {', '.join(near) or 'none'}.")
        if not set(numbers) & set(having):
            sys.exit(
                f"{name} is a knob of {' '.join(having)}, and the notebooks to run are "
                f"{' '.join(numbers)}. Name others with NOTEBOOKS."
            )


def knobs_of(path):
    """The knobs of a notebook, which its cell tagged `parameters` sets: a dict from
    name to default, as text.
    """
    return {
        name: knob["default"] for name, knob in inspect_notebook(literal(path)).items()
    }


def literal(path):
    """A path as text for papermill, which would fill in what stands in braces."""
    return str(path).replace("{", "{{").replace("}", "}}")


def dataset_name(options, chosen):
    """The name of the dataset that the notebooks will use: the one that was asked
    for, else what notebook 00 says, if it runs, else the one that it chose last.
    """
    choice, first = options.dataset, chosen[0].name.startswith("00")
    if first and (not choice or choice in BUILT_IN):  # notebook 00 finds or fetches it
        choice = choice or ast.literal_eval(knobs_of(chosen[0])["DATASET"])
        return Path(choice).expanduser().name
    choice = choice or ("mocap" if options.in_place else None)
    try:
        if not choice:
            return open_dataset(course=options.course).name
        name = find_dataset(choice, options.course, ADVICE).name
        if not first:
            choose_dataset(choice, options.course)
        return name
    except (OSError, ValueError) as error:
        sys.exit(str(error))


def outlook(notebooks):
    """How long notebooks take, as text."""
    minutes = sum(MINUTES.get(path.name[:2], 0) for path in notebooks)
    return (
        f"about {max(1, round(minutes))} minutes with the built-in clips on two slow"
        " cores"
    )


def run_notebook(path, options, folder):
    """Execute one notebook into `folder`, with the knobs that it has; in place, keep
    its outputs.

    Raises PapermillExecutionError, which names the cell, once the executed copy is
    saved.
    """
    given = options.knobs | ({"DATASET": options.dataset} if options.dataset else {})
    names = knobs_of(path) if given else {}
    notebook = execute_notebook(
        literal(path),
        literal(folder / path.name),
        {name: value for name, value in given.items() if name in names},
        kernel_name="python3",
        language="python",
        cwd=path.parent,
        progress_bar=BAR | {"desc": path.stem},
        coalesce_streams=True,
        extra_arguments=["--log-level=CRITICAL"],
    )
    describe_pictures(notebook)
    nbformat.write(notebook, folder / path.name)
    if options.in_place:
        rows = recorded(
            options.course / "data" / folder.name / "results.json", path.name[:2]
        )
        clean_metadata(notebook, code_sha256=code_digest(notebook), results=rows)
        nbformat.write(notebook, path)


def describe_pictures(notebook):
    """Copy the alt text of each cell to its pictures' own metadata, where pages look
    for it.
    """
    for cell in notebook.cells:
        for output in cell.get("outputs", []) if cell.metadata.get("alt") else []:
            for kind in output.get("data", {}):
                if kind.startswith("image/"):
                    output.metadata.setdefault(kind, {})["alt"] = cell.metadata["alt"]


def clean_metadata(notebook, **facts):
    """Leave in a notebook's metadata what JupyterLab would write, and facts; in its
    cells', tags and alt texts.
    """
    notebook.metadata = {
        "framevote": facts,
        "kernelspec": KERNEL,
        "language_info": notebook.metadata["language_info"],
    }
    for cell in notebook.cells:
        kept = [name for name in ("alt", "tags") if cell.metadata.get(name)]
        cell.metadata = {name: cell.metadata[name] for name in kept}


def print_results(options, name, chosen):
    """The table of results.json, and how to go on."""
    rows = read_results(options.course / "data" / name / "results.json")
    if len(rows):
        print(f"\nResults on {name} (accuracy, with its 95 % interval over groups):\n")
        print(rows.to_string(index=False, float_format="{:.3f}".format, na_rep=""))
        print(
            "\nGo by the rows of test clips: training shares its groups with validation"
            " frames."
        )
    place = "notebooks" if options.in_place else f"executed/{name}"
    print(
        f"\nRead the executed notebooks in {place}/, or open the course with: make lab"
    )
    print(
        "Label a video with what these clips teach: make classify"
        " VIDEO=/path/to/clip.mp4"
    )
    if chosen[-1].name[:2] == "05":
        later = sorted(set(chosen[0].parent.glob("[0-9][0-9]_*.ipynb")) - set(chosen))
        print(f"Go on with all notebooks: make course NOTEBOOKS=all ({outlook(later)})")


if __name__ == "__main__":
    exit_with(main)
