"""What runs the course and looks after it: the runner, the Makefile's way to it, the
checks of outputs, the export, clean.

All on courses of a few cells that are made on the spot.
"""

import ast
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from toolbox.store.files import one_writer

import clean
import nbformat
import psutil
import pytest
import run_course as runner
from export import changed_modules, export
from nbconvert import HTMLExporter
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from compare_outputs import differences
from notebook_code import code_digest, why_stale

REPOSITORY = Path(__file__).resolve().parent.parent
RUNNER = [sys.executable, REPOSITORY / "tools" / "run_course.py"]
KNOBS = (
    'DATASET = "pets"\nSEED = 1\nSPLIT = "by_frame"\nRATES = (1, 2)  # frames a second'
)


def knob_cell(text):
    return new_code_cell(text, metadata={"tags": ["parameters"]})


def write_notebook(course, name, *cells):
    """Write a notebook of code cells (text, or cells) into a course; returns its
    path.
    """
    made = [cell if isinstance(cell, dict) else new_code_cell(cell) for cell in cells]
    for number, cell in enumerate(made):
        cell.id = f"{name[:2]}-{number:03}"
    path = course / "notebooks" / f"{name}.ipynb"
    path.parent.mkdir(exist_ok=True)
    nbformat.write(
        new_notebook(cells=made, metadata={"kernelspec": runner.KERNEL}), path
    )
    return path


@pytest.fixture
def course(tmp_path):
    """Two notebooks: 00 leaves its knobs in a file; 06 has a knob of its own."""
    leave = "open('../knobs.txt', 'w').write(repr((DATASET, SEED, SPLIT, RATES)))"
    write_notebook(tmp_path, "00_first", knob_cell(KNOBS), leave)
    write_notebook(
        tmp_path, "06_later", knob_cell("DATASET = None\nEPOCHS = 3"), "EPOCHS"
    )
    return tmp_path


def run(course, *options, **environment):
    """Run the runner on a course to its end; returns the finished process."""
    command = [*RUNNER, "--course", course, *options]
    settings = {"capture_output": True, "text": True, "timeout": 120}
    return subprocess.run(command, env=os.environ | environment, **settings)


# Knobs


@pytest.mark.parametrize(
    ("text", "knobs"),
    [
        ("", {}),
        ("MAX_EPOCHS=20, SEED=1", {"MAX_EPOCHS": 20, "SEED": 1}),
        ("CLASSES=['Archery','Biking'], ", {"CLASSES": ["Archery", "Biking"]}),
        ("RATES=(1,2), GPUS = None", {"RATES": (1, 2), "GPUS": None}),
        (
            "  NAME=\"a b=1 $5 'c'\",\n RATE=-0.5 ",
            {"NAME": "a b=1 $5 'c'", "RATE": -0.5},
        ),
    ],
)
def test_knobs_are_names_and_python_literals(text, knobs):
    assert runner.read_knobs(text) == knobs


WRONG_KNOBS = [
    "SEED",
    "SEED=",
    "1",
    "SEED=one",
    "A=1 B=2",
    "A=1)(",
    "A=1), dict(B=2",
    "A=1, 2",
]


@pytest.mark.parametrize("text", [*WRONG_KNOBS, "SEED=open('x')"])
def test_other_knobs_are_refused(text):
    with pytest.raises(ValueError, match="with commas between"):
        runner.read_knobs(text)


def test_knobs_and_dataset_reach_the_notebooks_and_the_committed_ones_stay(course):
    before = (course / "notebooks" / "00_first.ipynb").read_bytes()
    pets = course / "{5}" / 'my "pets"'
    pets.mkdir(parents=True)
    knobs = "SPLIT='it''s', RATES=[0.5], EPOCHS=4"
    done = run(course, NOTEBOOKS="00 06", DATASET=str(pets), KNOBS=knobs)
    assert done.returncode == 0, done.stderr
    left = ast.literal_eval((course / "knobs.txt").read_text())
    assert left == (str(pets), 1, "its", [0.5])
    assert (course / "notebooks" / "00_first.ipynb").read_bytes() == before
    executed = nbformat.read(
        course / "executed" / 'my "pets"' / "06_later.ipynb", as_version=4
    )
    assert executed.cells[-1].outputs[0].data["text/plain"] == "4"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--notebooks", "00", "--set", "SEDE=5"], "Similar: SEED."),
        (["--notebooks", "00", "--set", "SEED=1, EPOCHS=5"], "EPOCHS is a knob of 06"),
        (["--set", "SEED=many more"], "KNOBS needs NAME=VALUE"),
        (["--notebooks", "00 77"], "no notebook 77; there are: 00_first, 06_later."),
        (["--notebooks", "06", "--dataset", "nowhere"], "There is no folder"),
        (["--in-place", "--set", "SEED=1"], "committed with"),
        (["--in-place", "--dataset", "pets"], "committed with"),
    ],
)
def test_what_cannot_be_run_is_refused_before_anything_runs(
    monkeypatch, capsys, course, options, said
):
    monkeypatch.setattr(
        sys, "argv", ["run_course.py", "--course", str(course), *options]
    )
    with pytest.raises(SystemExit) as stop:
        runner.main()
    assert said in f"{stop.value.code}\n{capsys.readouterr().err}"
    assert not (course / "executed").exists()


@pytest.mark.skipif(not shutil.which("make"), reason="make is not here")
@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        (
            "DATASET",
            """/no/$5 $(HOME) `x` "it's"; exit 0 #""",
            "There is no folder {}. Check",
        ),
        ("KNOBS", """SPLIT='$5 "x"' RATES=(1, 2) NAMES=$(HOME); #""", "and got: {}"),
        (
            "NOTEBOOKS",
            "04 77",
            "There is no notebook 77; there are: 00_get_the_videos, ",
        ),
    ],
)
def test_settings_pass_through_make_unharmed(name, text, said):
    command = [
        "make",
        "-o",
        ".venv/installed",
        "course",
        f"RUN={sys.executable}",
        f"{name}={text}",
    ]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert said.format(text) in done.stderr


# Which notebooks


def test_part_one_runs_unless_others_are_named(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["run_course.py"])
    monkeypatch.delenv("NOTEBOOKS", raising=False)
    everything = sorted((REPOSITORY / "notebooks").glob("*.ipynb"))
    chosen = runner.choose_notebooks(everything, runner.parse_options().notebooks)
    assert [path.name[:2] for path in chosen] == ["00", "01", "02", "03", "04", "05"]
    assert runner.choose_notebooks(everything, "05, 04") == chosen[4:]


def test_without_ray_its_notebook_is_left_out_of_all(monkeypatch, capsys):
    monkeypatch.setattr(runner, "find_spec", lambda package: None)
    everything = sorted((REPOSITORY / "notebooks").glob("*.ipynb"))
    chosen = runner.choose_notebooks(everything, "all")
    [left_out] = [path.stem for path in everything if path not in chosen]
    assert left_out.endswith("scale_out") and left_out in capsys.readouterr().out


def test_the_notebook_of_ray_says_what_to_run_where_it_is_missing():
    script = "import sys; sys.modules['ray'] = None; import lessons.scale"
    command = [sys.executable, "-c", script]
    folder = REPOSITORY / "notebooks"
    failed = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert failed.stderr.splitlines()[-1].startswith("ImportError: ")
    assert "`make scale`" in failed.stderr


# The end


def leave_result(course, dataset, notebook, accuracy):
    """Leave a `results.json` with one row, or with none."""
    row = {"notebook": notebook, "method": "vote", "level": "video", "part": "test"}
    (course / "data" / dataset).mkdir(parents=True)
    rows = [row | {"accuracy": accuracy}] if accuracy else []
    (course / "data" / dataset / "results.json").write_text(json.dumps(rows))


def test_a_run_ends_with_the_dataset_s_results(course):
    leave_result(course, "pets", "05", 0.413)
    done = run(course, "--notebooks", "00")
    assert done.returncode == 0, done.stderr
    assert "05 vote video test 0.413" in " ".join(done.stdout.split())
    assert (course / "executed" / "pets" / "00_first.ipynb").exists()


@pytest.mark.parametrize(
    ("cell", "said"),
    [("1 / 0", 'In [2]":'), ("import os; os._exit(3)", "Kernel died")],
)
def test_a_failing_notebook_stops_the_run_with_the_cell_and_the_error(
    course, cell, said
):
    write_notebook(course, "00_first", knob_cell(KNOBS), cell, "print('never')")
    done = run(course, "--notebooks", "00 06")
    assert done.returncode == 1
    assert "00_first.ipynb stopped. " in done.stderr and said in done.stderr
    assert ("ZeroDivisionError: division by zero" in done.stderr) == (cell == "1 / 0")
    assert done.stderr.rstrip().endswith(f"{course}/executed/pets/00_first.ipynb")
    assert 'File "' not in done.stderr and "06_later" not in done.stdout


@pytest.mark.skipif(os.name == "nt", reason="Windows knows no such signal")
def test_an_interrupt_ends_in_one_sentence_and_leaves_no_kernel(course):
    tell = (
        "import os, time; open('.pid', 'w').write(str(os.getpid())); os.rename('.pid',"
        " 'pid')"
    )
    write_notebook(course, "00_first", knob_cell(KNOBS), f"{tell}\ntime.sleep(600)")
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen(
        [*RUNNER, "--course", course, "--notebooks", "00"], **streams
    )
    told, deadline = course / "notebooks" / "pid", time.monotonic() + 60
    while not told.exists():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert (
        stderr.strip()
        == "Stopped. Run the same command again: it goes on where it was."
    )
    assert not psutil.pid_exists(int(told.read_text()))


def test_a_second_run_of_a_dataset_says_who_is_at_work(course):
    with one_writer(course / "executed" / "pets" / "run.lock", "data/pets"):
        done = run(course, "--notebooks", "00")
        (course / "dogs").mkdir()
        other = run(course, "--notebooks", "00", "--dataset", course / "dogs")
    assert done.returncode == 1
    assert done.stderr.startswith(f"Process {os.getpid()} is writing data/pets. ")
    assert other.returncode == 0, other.stderr


# In place


def test_outputs_in_place_are_fresh_and_their_pictures_described(course):
    png = "display({'image/png': 'iVBORw0KGgo='}, raw=True)\n'é'"
    picture = new_code_cell(png, metadata={"alt": "A dot", "scrolled": True})
    prose = new_markdown_cell("é", metadata={"editable": True})
    path = write_notebook(course, "00_first", knob_cell(KNOBS), picture, prose)
    done = run(course, "--in-place", "--notebooks", "00")
    assert done.returncode == 0, done.stderr
    notebook = nbformat.read(path, as_version=4)
    metadata = [cell.metadata for cell in notebook.cells]
    assert metadata == [{"tags": ["parameters"]}, {"alt": "A dot"}, {}]
    assert notebook.cells[1].outputs[-1].data["text/plain"] == "'é'"
    assert why_stale(path) is None
    assert sorted(notebook.metadata) == ["framevote", "kernelspec", "language_info"]
    notebook.cells[1].metadata = {}
    assert (
        'alt="A dot"'
        in HTMLExporter(template_name="classic").from_notebook_node(notebook)[0]
    )


def test_a_notebook_that_fails_in_place_stays_as_it_was(course):
    path = write_notebook(course, "00_first", knob_cell(KNOBS), "print('new')", "1 / 0")
    before = path.read_bytes()
    done = run(course, "--in-place", "--notebooks", "00")
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr and "is as it was" in done.stderr
    assert path.read_bytes() == before


# The committed outputs


def test_staleness_is_told_with_its_reason(tmp_path):
    bootstrap = new_code_cell("!pip install", metadata={"tags": ["bootstrap"]})
    path = write_notebook(tmp_path, "00_first", bootstrap, "1 + 1", "2 + 2")
    notebook = nbformat.read(path, as_version=4)
    assert "were not all run once" in why_stale(path)
    for count, cell in enumerate(notebook.cells, start=1):
        cell.execution_count = count
    notebook.metadata["framevote"] = {"code_sha256": code_digest(notebook)}
    notebook.cells[0].source = "!pip install more"
    notebook.cells.append(new_markdown_cell("Read that."))
    nbformat.write(notebook, path)
    assert why_stale(path) is None
    notebook.cells[1].outputs = [new_output("stream", name="stderr", text="a warning")]
    nbformat.write(notebook, path)
    assert "noise on stderr" in why_stale(path)
    notebook.cells[1].outputs, notebook.cells[2].source = [], "2 + 3"
    nbformat.write(notebook, path)
    assert "has changed since" in why_stale(path)


@pytest.mark.parametrize(
    ("number", "yours", "accuracy", "differ", "off"),
    [
        ("05", "9 clips in 7.5 s, 41.0% right, loss 0.5", 0.41, 0, 0),
        ("05", "9 clips in 3.5 s, 43.0% right, loss 0.9", 0.43, 2, 0),
        ("05", "9 clips, loss unknown", 0.41, 1, 0),
        ("00", "8 clips in 3.5 s, 41.0% right, loss 0.5", 0.41, 1, 1),
        ("05", "9 clips in 3.5 s, 61.0% right, loss 0.5", 0.41, 1, 1),
        ("05", "9 clips in 3.5 s, 41.0% right, loss 0.5", 0.61, 1, 1),
        ("05", "9 clips in 3.5 s, 41.0% right, loss 0.5", None, 1, 1),
    ],
)
def test_numbers_that_differ_are_told_and_judged(
    course, number, yours, accuracy, differ, off
):
    path = course / "notebooks" / f"{number}_page.ipynb"
    mine = course / "executed" / "mocap" / path.name
    mine.parent.mkdir(parents=True)
    for place, text in (
        (path, "9 clips in 3.5 s, 41.0% right, loss 0.5"),
        (mine, yours),
    ):
        bar = f"train: 100%|███| 7/7 [00:09, {len(text)}s/epoch, loss 0.3]\n"
        cell = new_code_cell(
            "show()", id="one", outputs=[new_output("stream", text=bar + text)]
        )
        facts = {"framevote": {"results": {"vote, video, test": 41.0}}}
        nbformat.write(new_notebook(cells=[cell], metadata=facts), place)
    leave_result(course, "mocap", number, accuracy)
    found = differences(path, course)
    assert (len(found), sum(row["off"] for row in found)) == (differ, off)


# clean


def fill(folder, *names):
    """Write empty files into a folder; returns their paths."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return [folder / name for name in names]


def test_clean_removes_what_the_course_made_and_nothing_else(tmp_path):
    data = tmp_path / "data"
    own = [
        "cat/a.mp4",
        "motion/b.avi",
        "train_1/c.mov",
        "groups.csv",
        "trainlist01.txt",
        "a.jpg",
    ]
    kept = fill(data / "pets", *own) + fill(tmp_path / "photos", "holiday.jpg")
    kept += fill(
        tmp_path, "weights/vgg16.h5", "executed/dogs/00.ipynb", "data/dogs/videos.csv"
    )
    kept += fill(
        data / "mocap", "README.md", "classInd.txt", "sheet.jpg", "videos/Walk/a.avi"
    )
    kept += fill(
        data / "ucf101",
        "UCF-101/Archery/a.avi",
        "fetched.txt",
        "ucfTrainTestlist/a.txt",
    )
    (data / "pets" / "test_1").symlink_to(tmp_path / "photos")
    made = [
        "videos.csv",
        "train_1/a_frame0.jpg",
        "features.unfinished",
        ".partial-split.csv",
    ]
    made = fill(data / "pets", *made, "pooled/a.npz", "clips_32x48.npy", "record.lock")
    made += fill(
        tmp_path, "weights/pets/w.h5", "executed/pets/00.ipynb", "classified/pets/a.jpg"
    )
    made += fill(data / "mocap", "results.json")
    for name in ("pets", "mocap", "ucf101", "never_met"):
        clean.clean(tmp_path, name)
    assert [path for path in kept if not path.exists()] == []
    assert [path for path in made if path.exists()] == []
    assert not (data / "pets" / "pooled").exists()


# The export


EXPORTED = """#| export
import math, os
from lessons.first import (
    three,
)
from toolbox.store import files

def two( x ):
    return three() - math.cos(0) * x"""


def test_the_export_is_tidy_and_a_difference_is_noticed(tmp_path):
    first = (
        "#| default_exp first",
        "#| export\nimport os\ndef three(): return 3",
        "os.getcwd()",
    )
    write_notebook(tmp_path, "01_first", *first)
    write_notebook(
        tmp_path, "02_second", "#| default_exp second", EXPORTED, "not_exported = 1"
    )
    notebooks, package = tmp_path / "notebooks", tmp_path / "notebooks" / "lessons"
    package.mkdir()
    (package / "gone.py").touch()
    export(notebooks, package)
    assert sorted(path.name for path in package.iterdir()) == [
        "__init__.py",
        "first.py",
        "second.py",
    ]
    text = (package / "second.py").read_text()
    assert text.endswith(
        "import math\n\nfrom lessons.first import (\n    three,\n)\n\n\n"
        "def two(x):\n    return three() - math.cos(0) * x\n"
    )
    assert "import os" not in (package / "first.py").read_text()
    assert str(tmp_path) not in text and "../02_second.ipynb" in text
    assert changed_modules(notebooks, package) == []
    (package / "second.py").write_text(text.replace("math.cos(0)", "1"))
    assert changed_modules(notebooks, package) == ["second.py"]
