"""Execute the course's notebooks in order: `python tools/run_course.py --help` says how.

papermill sets the knobs and nbclient executes the cells; this file adds the lines that you watch
meanwhile.
"""

import argparse
import ast
import json
import sys
import threading
import time
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import nbformat
import pandas as pd
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook
from tqdm import tqdm

from notebook_code import code_digest

COURSE = Path(__file__).resolve().parent.parent
BUILT_IN = ("mocap", "ucf101")
EXTRAS = {"11": ("ray", "make scale")}  # notebook: the package that it needs, what installs it


def main():
    """Run the chosen notebooks, then print the results; the exit code is 1 if a notebook failed."""
    options = parse_options()
    chosen = choose_notebooks(options.course / "notebooks", options.notebooks)
    if not options.notebooks:
        chosen = without_extras(chosen)
    times = {}
    for path in chosen:
        started = time.perf_counter()
        error = run_notebook(path, options)
        times[path.stem] = time.perf_counter() - started
        if error:
            print(error, file=sys.stderr)
            return 1
    print_results(options, times)
    return 0


def parse_options():
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Execute the course's notebooks in order.")
    parser.add_argument(
        "--dataset",
        default="mocap",
        help='"mocap", "ucf101" or a folder of class folders (default: mocap)',
    )
    parser.add_argument(
        "--notebooks", default="", help='the notebooks to run, such as "04 05" (default: all)'
    )
    parser.add_argument(
        "--set",
        dest="knobs",
        action="append",
        default=[],
        metavar="KNOB=VALUE",
        help="set a knob in every notebook that has it, such as MAX_EPOCHS=5",
    )
    parser.add_argument(
        "--in-place",
        action="store_true",
        help="keep the outputs in the committed notebooks (for maintainers)",
    )
    parser.add_argument("--course", type=Path, default=COURSE, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.in_place and (options.dataset != "mocap" or options.knobs):
        parser.error("--in-place runs the notebooks with the knobs that they are committed with")
    if options.dataset not in BUILT_IN:
        options.dataset = str(Path(options.dataset).expanduser().resolve())
    try:
        pairs = [knob.split("=", 1) for knob in options.knobs]
        options.knobs = {"DATASET": options.dataset} | {
            name: ast.literal_eval(value) for name, value in pairs
        }
    except (ValueError, SyntaxError):
        parser.error(
            "--set needs KNOB=VALUE, where VALUE is a Python literal such as 5, 0.2 or 'text'"
        )
    return options


def choose_notebooks(folder, numbers):
    """The paths of the notebooks whose names start with one of the numbers ("04 05" or "04,05");
    all of them if there are none.
    """
    notebooks = sorted(folder.glob("[0-9][0-9]_*.ipynb"))
    wanted = numbers.replace(",", " ").split()
    unknown = [
        number
        for number in wanted
        if not any(path.name.startswith(f"{number}_") for path in notebooks)
    ]
    if unknown or not notebooks:
        sys.exit(
            f"There is no notebook {' '.join(unknown)} in {folder}; there are: "
            f"{', '.join(path.stem for path in notebooks)}"
        )
    return [path for path in notebooks if not wanted or path.name[:2] in wanted]


def without_extras(notebooks):
    """The notebooks whose packages are there; a printed line for each of the others."""
    there = []
    for path in notebooks:
        package, command = EXTRAS.get(path.name[:2], (None, None))
        if package is None or find_spec(package):
            there.append(path)
        else:
            print(f"{path.stem} is left out: it needs {package}. `{command}` installs and runs it.")
    return there


def run_notebook(path, options):
    """Execute one notebook with its progress line and save the result; returns None, or the text of
    what went wrong.
    """
    notebook = load_notebook_node(str(path))
    if not options.in_place:
        knobs = {
            name: value for name, value in options.knobs.items() if name in knob_cell(notebook)
        }
        notebook = parameterize_notebook(notebook, knobs) if knobs else notebook
    executed = options.course / "executed" / Path(options.dataset).name
    executed.mkdir(parents=True, exist_ok=True)
    target, log = path if options.in_place else executed / path.name, executed / f"{path.stem}.log"
    running = []
    client = NotebookClient(
        notebook,
        timeout=None,
        kernel_name="python3",
        extra_arguments=["--log-level=ERROR"],
        coalesce_streams=True,
        record_timing=False,
        resources={"metadata": {"path": str(path.parent)}},
        on_cell_execute=lambda cell, cell_index: running.append(cell),
        on_cell_executed=lambda **_: line.update(),
    )
    error = None
    with progress_line(path.stem, sum(cell.cell_type == "code" for cell in notebook.cells)) as line:
        try:
            with open(
                log, "wb"
            ) as stderr:  # what a kernel says outside its cells, such as a library's start-up notes
                client.execute(stderr=stderr)
        except (CellExecutionError, DeadKernelError) as failure:
            error = failure
    if error and options.in_place:
        return describe(error, path, running, f"{log} (the committed notebook is as it was)")
    if options.in_place:
        notebook.metadata["framevote"] = {"code_sha256": code_digest(notebook, path.parent)}
        drop_run_metadata(notebook)
    nbformat.write(notebook, target)
    return error and describe(error, path, running, target)


def drop_run_metadata(notebook):
    """Remove what papermill and editors note in a notebook and its cells; tags stay."""
    notebook.metadata.pop("papermill", None)
    for cell in notebook.cells:
        tags = cell.metadata.get("tags")
        cell.metadata = {"tags": tags} if tags else {}


def knob_cell(notebook):
    """The source of the cell tagged `parameters`, which holds the notebook's knobs."""
    return "".join(
        cell.source for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])
    )


@contextmanager
def progress_line(name, cells):
    """A bar that shows the notebook, the cell and the time, and keeps ticking during long cells."""
    style = "{desc:<32} cell {n_fmt:>2}/{total_fmt}  {elapsed}"
    watched = sys.stdout.isatty()
    with tqdm(
        total=cells,
        desc=name,
        bar_format=style,
        file=sys.stdout,
        mininterval=0.1 if watched else 60,
    ) as line:
        done = threading.Event()
        if watched:
            threading.Thread(target=keep_ticking, args=(line, done), daemon=True).start()
        try:
            yield line
        finally:
            done.set()


def keep_ticking(line, done):
    """Redraw the line every second until `done` is set."""
    while not done.wait(1):
        line.refresh()


def describe(error, path, running, target):
    """What a person needs when a notebook fails: which cell, what it says, what came of it, where
    to look.
    """
    lines = running[-1].source.strip().splitlines() if running else ["(no cell was started)"]
    message = (
        f"{error.ename}: {error.evalue}"
        if isinstance(error, CellExecutionError)
        else f"the kernel died: {error}"
    )
    cell = "\n".join(f"    | {line}" for line in lines[:8] + ["..."] * (len(lines) > 8))
    place = f"{path.name} stopped in its code cell {len(running)}"
    return f"\n{place}:\n{cell}\n\n{message}\n\nThe whole story: {target}"


def print_results(options, times):
    """The table of results.json, the time of each notebook, and where to look."""
    name = Path(options.dataset).name
    results = options.course / "data" / name / "results.json"
    if results.exists():
        table = pd.DataFrame(json.loads(results.read_text(encoding="utf-8")))
        print(f"\nResults on {name} (accuracy, with the bootstrap interval over groups):\n")
        print(table.to_string(index=False, float_format=lambda value: f"{value:.3f}", na_rep=""))
    print(
        f"\nTimes: {', '.join(f'{stem[:2]} {seconds:.0f} s' for stem, seconds in times.items())}, "
        f"altogether {sum(times.values()) / 60:.1f} minutes"
    )
    place = "notebooks" if options.in_place else f"executed/{name}"
    print(f"Read the executed notebooks in {place}/, or open the course with: make lab")


if __name__ == "__main__":
    sys.exit(main())
