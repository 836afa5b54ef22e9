"""Execute the course's notebooks in order: `python tools/run_course.py --help` says
how.

papermill sets the knobs and nbclient executes the cells; this file adds what you read
meanwhile.
"""

import argparse
import ast
import asyncio
import ctypes
import io
import os
import signal
import sys
import threading
import time
import tokenize
from contextlib import contextmanager
from difflib import get_close_matches
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from textwrap import fill

from course import COURSE, exit_with

from toolbox.clips import BUILT_IN, choose_dataset, find_dataset, open_dataset
from toolbox.store import one_writer, read_csv, read_json

import nbformat
import pandas as pd
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook
from tqdm import tqdm

from notebook_code import code_digest

ADVICE = "Check the path behind DATASET."
PART_ONE = "00 01 02 03 04 05"
EXTRAS = {
    "12": ("ray", "make scale")
}  # notebook: the package that it needs, what installs it
# minutes on the built-in clips on two cores with avx512_bf16
MINUTES = {"00": 0.1, "01": 0.1, "02": 0.1, "03": 0.1, "04": 4, "05": 1}
MINUTES |= {"06": 10.5, "07": 2, "08": 4.5, "09": 1, "10": 5, "11": 2, "12": 4}
FRAMES_LATER = 4  # that 06 to 11 show VGG16, for each second of video
MINUTES_A_CLIP_LATER = 16 / 420  # that they take beside it
KERNEL = {
    "display_name": "Python 3 (ipykernel)",
    "language": "python",
    "name": "python3",
}
LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
PR_SET_PDEATHSIG = 1


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
            return run_notebooks(chosen, options, dataset, folder)
    except RuntimeError as error:  # another run is at work, or no kernel would start
        sys.exit(str(error))


def run_notebooks(chosen, options, dataset, folder):
    """Run notebooks one after another until one fails; returns the exit code."""
    print(
        f"{' '.join(path.name[:2] for path in chosen)} on {dataset}. {outlook(chosen)}"
    )
    times = {}
    for path in chosen:
        started = time.perf_counter()
        error = run_notebook(path, options, folder)
        times[path.name[:2]] = time.perf_counter() - started
        if error:
            print(error, file=sys.stderr)
            return 1
    print_results(options, dataset, times)
    return 0


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
            "set knobs in every notebook that has them: \"SEED=5 CLASSES=['Punch',"
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
    options.notebooks = options.notebooks or ("all" if options.in_place else PART_ONE)
    try:
        options.knobs = read_knobs(
            " ".join(options.knobs or [os.environ.get("KNOBS", "")])
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
    """A dict of knobs and their values, from text such as "SEED=1 RATES=(1, 2)
    SPLIT='by_group'".

    Raises ValueError if that isn't names and Python literals.
    """
    code, last = "dict", ""
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(f"({text})").readline))
        for token, following in pairwise(tokens):
            starts_knob = token.type == tokenize.NAME and following.string == "="
            code += (
                f", {token.string}"
                if starts_knob and last not in "(,"
                else f" {token.string}"
            )
            last = token.string
        call = ast.parse(code, mode="eval").body
        if call.args:
            raise ValueError("a value without a name")
        return {knob.arg: ast.literal_eval(knob.value) for knob in call.keywords}
    except (AttributeError, SyntaxError, ValueError, tokenize.TokenError):
        raise ValueError(
            "KNOBS needs NAME=VALUE, with a value such as 5, 0.2, None, 'text' or [1,"
            f" 2], and got: {text}"
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
    owners = {}
    for path in everything:
        for name in knobs_of(load_notebook_node(str(path))):
            owners.setdefault(name, []).append(path.name[:2])
    numbers = {path.name[:2] for path in chosen}
    for name in knobs:
        if name not in owners:
            near = (
                ", ".join(get_close_matches(name.upper(), owners, cutoff=0.5)) or "none"
            )
            sys.exit(f"There is no knob {name}. Similar: {near}.")
        if numbers.isdisjoint(owners[name]):
            sys.exit(
                f"{name} is a knob of {' '.join(owners[name])}, and the notebooks to"
                f" run are {' '.join(sorted(numbers))}. Name others with NOTEBOOKS."
            )


def knobs_of(notebook):
    """The knobs of a notebook, which its cell tagged `parameters` sets: a dict from
    name to syntax tree.
    """
    cells = [
        cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])
    ]
    return {
        statement.targets[0].id: statement.value
        for cell in cells
        for statement in ast.parse(cell.source).body
        if isinstance(statement, ast.Assign)
    }


def dataset_name(options, chosen):
    """The name of the dataset that the notebooks will use: the one that was asked
    for, else what notebook 00 says, if it runs, else the one that it chose last.
    """
    choice, first = options.dataset, chosen[0].name.startswith("00")
    if first and (not choice or choice in BUILT_IN):  # notebook 00 finds or fetches it
        choice = choice or ast.literal_eval(
            knobs_of(load_notebook_node(str(chosen[0])))["DATASET"]
        )
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


def outlook(chosen):
    """What a run of the notebooks will take, as a sentence."""
    minutes = sum(MINUTES.get(path.name[:2], 0) for path in chosen)
    return (
        f"With the built-in clips this takes about {max(1, round(minutes))} min on two"
        " slow cores; what is done already is not done again."
    )


def run_notebook(path, options, folder):
    """Execute one notebook with its progress line and save the result; returns None,
    or the text of what went wrong.
    """
    notebook = load_notebook_node(str(path))
    if not options.in_place:
        given = options.knobs | (
            {"DATASET": options.dataset} if options.dataset else {}
        )
        knobs = {
            name: value for name, value in given.items() if name in knobs_of(notebook)
        }
        if knobs:
            notebook = parameterize_notebook(
                notebook, knobs, kernel_name="python3", language="python"
            )
    target, log = (
        path if options.in_place else folder / path.name,
        folder / f"{path.stem}.log",
    )
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
    with progress_line(
        path.stem, sum(cell.cell_type == "code" for cell in notebook.cells)
    ) as line:
        try:
            execute(client, log)
        except (CellExecutionError, DeadKernelError) as failure:
            error = failure
    if error and options.in_place:
        return describe(
            error, path, running, f"{log} (the committed notebook is as it was)"
        )
    if options.in_place:
        clean_metadata(notebook, code_digest(notebook, path.parent))
    nbformat.write(notebook, target)
    return error and describe(error, path, running, target)


class PlainLoop(asyncio.SelectorEventLoop):
    """An event loop that leaves Ctrl-C to asyncio's Runner, which cancels what runs;
    nbclient would take it and end in an assertion.
    """

    def add_signal_handler(self, *_):
        raise NotImplementedError


def execute(client, log):
    """Execute the notebook of a NotebookClient in a kernel that ends with this process.

    log: the file for what the kernel says outside its cells, such as a library's
    start-up notes. Raises what nbclient raises, and KeyboardInterrupt once the kernel
    has ended.
    """

    async def until_cancelled(**settings):
        try:
            await client.async_execute(**settings)
        except DeadKernelError:
            if asyncio.current_task().cancelling():  # nbclient's word for that, too
                raise asyncio.CancelledError from None
            raise

    with open(log, "wb") as stderr, asyncio.Runner(loop_factory=PlainLoop) as runner:
        runner.run(until_cancelled(stderr=stderr, preexec_fn=LIBC and die_with_parent))


def die_with_parent():
    """Let Linux kill this process when its parent is gone, however that ended (other
    systems rely on the kernel, which looks for its parent each second, unless it is
    busy).
    """
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def clean_metadata(notebook, digest):
    """Leave in a notebook's metadata what JupyterLab would write, and the digest of
    its code; in its cells', tags and alt texts.
    """
    notebook.metadata = {
        "framevote": {"code_sha256": digest},
        "kernelspec": KERNEL,
        "language_info": notebook.metadata["language_info"],
    }
    for cell in notebook.cells:
        kept = [name for name in ("alt", "tags") if cell.metadata.get(name)]
        cell.metadata = {name: cell.metadata[name] for name in kept}


@contextmanager
def progress_line(name, cells):
    """A bar that shows the notebook, the cell and the time, and keeps ticking during
    long cells.
    """
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
            threading.Thread(
                target=keep_ticking, args=(line, done), daemon=True
            ).start()
        try:
            yield line
        finally:
            done.set()


def keep_ticking(line, done):
    """Redraw the line every second until `done` is set."""
    while not done.wait(1):
        line.refresh()


def describe(error, path, running, target):
    """What a person needs when a notebook fails: which cell, what it says, what came
    of it, where to look.
    """
    lines = (
        running[-1].source.strip().splitlines()
        if running
        else ["(no cell was started)"]
    )
    message = (
        f"{error.ename}: {error.evalue}"
        if isinstance(error, CellExecutionError)
        else f"the kernel died: {error}"
    )
    cell = "\n".join(f"    | {line}" for line in lines[:8] + ["..."] * (len(lines) > 8))
    place = f"{path.name} stopped in its code cell {len(running)}"
    return f"\n{place}:\n{cell}\n\n{message}\n\nThe whole story: {target}"


def print_results(options, name, times):
    """The table of results.json and what it means, the time of each notebook, and
    how to go on.
    """
    data = options.course / "data" / name
    if (data / "results.json").exists():
        rows = pd.read_json(
            data / "results.json", orient="records", dtype={"notebook": str}
        )
        print(f"\nResults on {name} (accuracy, with its 95 % interval over groups):\n")
        print(rows.to_string(index=False, float_format="{:.3f}".format, na_rep=""))
        print(f"\n{meaning(rows)}")
    each = ", ".join(f"{number} {seconds:.0f} s" for number, seconds in times.items())
    print(f"\nTimes: {each}, altogether {sum(times.values()) / 60:.1f} minutes")
    place = "notebooks" if options.in_place else f"executed/{name}"
    print(f"Read the executed notebooks in {place}/, or open the course with: make lab")
    print(
        "Label a video with what these clips teach: make classify"
        " VIDEO=/path/to/clip.mp4"
    )
    if max(times) == "05":
        print(
            f"Go on with all notebooks: make course NOTEBOOKS=all{minutes_to_go(data)}"
        )


def meaning(rows):
    """The numbers of notebook 05 in two sentences; none if they aren't all there."""
    recipe = rows[rows["notebook"] == "05"].set_index(["method", "level", "part"])[
        "accuracy"
    ]
    keys = [
        ("dense head", "frame", "validation"),
        ("dense head", "frame", "test"),
        ("majority vote", "video", "test"),
    ]
    if not all(key in recipe.index for key in keys):
        return ""
    promised, kept, voted = (f"{recipe[key]:.0%}" for key in keys)
    chance = f"{rows.loc[rows['notebook'] == '05', 'chance'].iloc[0]:.0%}"
    return fill(
        f"The recipe gets {promised} of its validation frames right, the number that it"
        f" would report, and {kept} of the frames of test clips. By majority vote it"
        f" gets {voted} of the test clips right, where guessing gets {chance}: go by"
        " that number; Part II works on it.",
        width=100,
    )


def minutes_to_go(data):
    """What 06 to 11 will take, as text, from the pace of VGG16 that notebook 04 met;
    empty if it noted none.
    """
    pace = read_json(data / "features.json").get("rows_per_second")
    if not pace:
        return ""
    videos = read_csv(data / "videos.csv")
    frames = FRAMES_LATER * (videos["frames"] / videos["fps"]).sum()
    minutes = frames / pace / 60 + MINUTES_A_CLIP_LATER * len(videos)
    return f" (about {max(1, round(minutes))} minutes more here)"


if __name__ == "__main__":
    exit_with(main)
