"""What runs the course: the runner, the Makefile's way to it, the export, the check for
freshness.

All on courses of a few cells that are made on the spot.
"""

import ast
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from toolbox.store.files import one_writer

import nbformat
import psutil
import pytest
import run_course as runner
from export import changed_modules, export
from jupyter_server.services.contents.filemanager import FileContentsManager
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

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
    nbformat.write(new_notebook(cells=made), path)
    return path


@pytest.fixture
def course(tmp_path):
    """Two notebooks: 00 leaves its knobs in a file, and the number 42 in its page;
    06 has a knob of its own.
    """
    leave = "open('../knobs.txt', 'w').write(repr((DATASET, SEED, SPLIT, RATES)))"
    write_notebook(tmp_path, "00_first", knob_cell(KNOBS), leave, "6 * 7")
    write_notebook(
        tmp_path, "06_later", knob_cell("DATASET = None\nEPOCHS = 3"), "EPOCHS"
    )
    return tmp_path


def run(course, *options, **environment):
    """Run the runner on a course to its end; returns the finished process."""
    command = [*RUNNER, "--course", course, *options]
    settings = {"capture_output": True, "text": True, "timeout": 120}
    return subprocess.run(command, env=os.environ | environment, **settings)


def refused(monkeypatch, capsys, course, *options):
    """What the runner says when it stops before it runs anything."""
    monkeypatch.setattr(
        sys, "argv", ["run_course.py", "--course", str(course), *options]
    )
    with pytest.raises(SystemExit) as stop:
        runner.main()
    assert stop.value.code not in (None, 0)
    assert not (course / "executed").exists()
    return f"{stop.value.code}\n{capsys.readouterr().err}"


# Knobs


@pytest.mark.parametrize(
    ("text", "knobs"),
    [
        ("", {}),
        ("MAX_EPOCHS=20 SEED=1", {"MAX_EPOCHS": 20, "SEED": 1}),
        ("SPLIT='split_by_group'", {"SPLIT": "split_by_group"}),
        ("CLASSES=['Archery','Biking']", {"CLASSES": ["Archery", "Biking"]}),
        ("RATES=(1,2), GPUS = None", {"RATES": (1, 2), "GPUS": None}),
        (
            "  NAME=\"a b=1 $5 'c'\"\n RATE=-0.5 ",
            {"NAME": "a b=1 $5 'c'", "RATE": -0.5},
        ),
    ],
)
def test_knobs_are_names_and_python_literals(text, knobs):
    assert runner.read_knobs(text) == knobs


WRONG_KNOBS = [
    "SEED",
    "SEED=",
    "SEED==1",
    "SEED 1",
    "1",
    "SEED=many more",
    "SEED=one",
    "SEED='1",
]


@pytest.mark.parametrize(
    "text", [*WRONG_KNOBS, "A=1) B=(2", "RATES=1,2", "SEED=open('x')"]
)
def test_other_knobs_are_refused_with_an_example(text):
    with pytest.raises(
        ValueError, match=r"NAME=VALUE, with a value such as 5, .* and got: "
    ):
        runner.read_knobs(text)


def test_knobs_and_dataset_reach_the_notebooks_and_the_committed_ones_stay(course):
    before = (course / "notebooks" / "00_first.ipynb").read_bytes()
    knobs = "SPLIT='it''s' RATES=[0.5] EPOCHS=4"
    pets = course / "$5" / 'my "pets"'
    pets.mkdir(parents=True)
    done = run(course, NOTEBOOKS="00 06", DATASET=str(pets), KNOBS=knobs)
    assert done.returncode == 0, done.stderr
    left = ast.literal_eval((course / "knobs.txt").read_text())
    assert left == (str(pets), 1, "its", [0.5])
    assert (course / "notebooks" / "00_first.ipynb").read_bytes() == before
    executed = nbformat.read(
        course / "executed" / 'my "pets"' / "06_later.ipynb", as_version=4
    )
    assert executed.cells[-1].outputs[0].data["text/plain"] == "4"


def test_without_a_dataset_that_of_notebook_00_is_used(course):
    done = run(course, "--notebooks", "00")
    assert done.returncode == 0, done.stderr
    assert ast.literal_eval((course / "knobs.txt").read_text())[0] == "pets"
    assert "00 on pets. " in done.stdout
    assert (course / "executed" / "pets" / "00_first.ipynb").exists()


def test_a_misspelt_knob_is_refused_with_near_names(monkeypatch, capsys, course):
    said = refused(monkeypatch, capsys, course, "--notebooks", "00", "--set", "SEDE=5")
    assert "There is no knob SEDE. Similar: SEED." in said


def test_a_knob_of_other_notebooks_is_refused(monkeypatch, capsys, course):
    said = refused(
        monkeypatch, capsys, course, "--notebooks", "00", "--set", "SEED=1 EPOCHS=5"
    )
    assert "EPOCHS is a knob of 06, and the notebooks to run are 00." in said


def test_a_knob_that_is_not_python_is_refused(monkeypatch, capsys, course):
    said = refused(monkeypatch, capsys, course, "--set", "SEED=many more")
    assert "KNOBS needs NAME=VALUE" in said


def test_an_unknown_notebook_is_named(monkeypatch, capsys, course):
    said = refused(monkeypatch, capsys, course, "--notebooks", "00 77")
    assert "There is no notebook 77; there are: 00_first, 06_later." in said


# make


def make_course(*settings):
    """`make course` in this repository, as typed in a shell, with nothing to
    install.
    """
    command = [
        "make",
        "-o",
        ".venv/installed",
        "course",
        f"RUN={sys.executable}",
        *settings,
    ]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)


needs_make = pytest.mark.skipif(not shutil.which("make"), reason="make is not here")


@needs_make
@pytest.mark.parametrize("first", ["00", "01"])
def test_a_dataset_passes_through_make_unharmed(first):
    folder = """/no/$5 $(HOME) `x` "it's"; exit 0 #"""
    said = make_course(f"DATASET={folder}", f"NOTEBOOKS={first}").stderr
    assert f"There is no folder {folder}. Check the path behind DATASET." in said


@needs_make
def test_knobs_pass_through_make_unharmed():
    knobs = """SPLIT='$5 "x"' RATES=(1, 2) NAMES=$(HOME); #"""
    assert f"and got: {knobs}" in make_course(f"KNOBS={knobs}").stderr
    said = make_course("KNOBS=SEED_='it'").stderr
    assert "There is no knob SEED_. Similar: SEED" in said


@needs_make
def test_notebooks_pass_through_make():
    assert (
        "There is no notebook 77; there are: 00_get_the_videos, "
        in make_course("NOTEBOOKS=04 77").stderr
    )


@pytest.mark.skipif(not shutil.which("git"), reason="git is not here")
@needs_make
def test_make_clean_removes_what_runs_made_of_the_built_in_clips_alone(tmp_path):
    for file in ("Makefile", ".gitignore"):
        shutil.copy2(REPOSITORY / file, tmp_path)
    own = [
        "data/README.md",
        "data/mocap/trainlist01.txt",
        "data/mocap/videos/Walk/a.avi",
    ]
    others = [
        "data/pets/videos.csv",
        "executed/pets/00.ipynb",
        "weights/vgg16.h5",
        "mine.py",
    ]
    made = [
        "data/mocap/videos.csv",
        "data/mocap/train_1/a.jpg",
        "data/mocap/new.unfinished",
    ]
    made += ["executed/mocap/00.ipynb", "weights/mocap/weights.hdf5"]
    for name in own + others + made:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    subprocess.run(["git", "-C", tmp_path, "add", "data"], check=True)
    subprocess.run(["make", "clean"], cwd=tmp_path, check=True, capture_output=True)
    assert all((tmp_path / name).exists() for name in own + others)
    assert not any((tmp_path / name).exists() for name in made)


# Which notebooks


def test_part_one_runs_unless_others_are_named(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["run_course.py"])
    monkeypatch.delenv("NOTEBOOKS", raising=False)
    everything = sorted((REPOSITORY / "notebooks").glob("*.ipynb"))
    chosen = runner.choose_notebooks(everything, runner.parse_options().notebooks)
    assert [path.name[:2] for path in chosen] == ["00", "01", "02", "03", "04", "05"]
    assert runner.choose_notebooks(everything, "05, 04") == chosen[4:]
    monkeypatch.setattr(sys, "argv", ["run_course.py", "--in-place"])
    assert runner.parse_options().notebooks == "all"


def test_without_ray_notebook_12_is_left_out_of_all(monkeypatch, capsys):
    monkeypatch.setattr(runner, "find_spec", lambda package: None)
    everything = sorted((REPOSITORY / "notebooks").glob("*.ipynb"))
    chosen = runner.choose_notebooks(everything, "all")
    assert [path.name[:2] for path in everything if path not in chosen] == ["12"]
    [line] = capsys.readouterr().out.splitlines()
    assert (
        line.startswith("12_scale_out is left out: it needs ray.")
        and "`make scale`" in line
    )


def test_notebook_12_says_what_to_run_where_ray_is_missing():
    script = "import sys; sys.modules['ray'] = None; import lessons.scale"
    command = [sys.executable, "-c", script]
    folder = REPOSITORY / "notebooks"
    failed = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert failed.stderr.splitlines()[-1].startswith(
        "ImportError: Ray is an extra of this course."
    )
    assert "`make scale`" in failed.stderr and "requirements-scale.txt" in failed.stderr


# The end


ROWS = [
    ("05", "dense head", "frame", "validation", 0.664, 200),
    ("05", "dense head", "frame", "test", 0.372, 514),
    ("05", "majority vote", "video", "test", 0.413, 126),
]
NAMES = ("notebook", "method", "level", "part", "accuracy", "n")


def leave_results(course, rows, note):
    """Leave what notebooks 00 to 05 leave: two clips of 40 s and 20 s, results,
    VGG16's pace.
    """
    data = course / "data" / "pets"
    data.mkdir(parents=True)
    (data / "videos.csv").write_text("clip,frames,fps\na,1000,25\nb,300,15\n")
    (data / "features.json").write_text(json.dumps(note))
    rows = [dict(zip(NAMES, row, strict=True)) | {"chance": 0.0714} for row in rows]
    (data / "results.json").write_text(json.dumps(rows))


def test_part_one_ends_with_results_their_meaning_and_the_way_on(
    course, capsys, monkeypatch
):
    leave_results(course, ROWS, {"rows_per_second": 0.5})
    monkeypatch.setattr(sys, "argv", ["run_course.py", "--course", str(course)])
    runner.print_results(runner.parse_options(), "pets", {"04": 60.4, "05": 29.6})
    said = " ".join(capsys.readouterr().out.split())
    assert "05 majority vote video test 0.413 126 0.071" in said
    assert (
        "66% of its validation frames right, the number that it would report, and 37%"
        in said
    )
    assert "gets 41% of the test clips right, where guessing gets 7%" in said
    assert "Times: 04 60 s, 05 30 s, altogether 1.5 minutes" in said
    # 60 seconds of video, 4 frames each, at one frame in two seconds: 480 s
    assert "make course NOTEBOOKS=all (about 8 minutes more here)" in said


def test_nothing_is_said_that_was_not_measured(course, capsys, monkeypatch):
    leave_results(course, ROWS[:2], {})
    monkeypatch.setattr(sys, "argv", ["run_course.py", "--course", str(course)])
    runner.print_results(runner.parse_options(), "pets", {"05": 29.6})
    said = capsys.readouterr().out
    assert "The recipe gets" not in said and "minutes more" not in said
    assert said.endswith("Go on with all notebooks: make course NOTEBOOKS=all\n")
    runner.print_results(runner.parse_options(), "pets", {"05": 29.6, "06": 1})
    assert "Go on" not in capsys.readouterr().out


def test_a_failing_notebook_stops_the_run_with_the_cell_and_the_error(course):
    write_notebook(
        course, "01_fails", "one = 1", "one +\\\n    'two'", "print('never')"
    )
    done = run(course, "--notebooks", "00 01 06")
    assert done.returncode == 1
    assert (
        "01_fails.ipynb stopped in its code cell 2:\n    | one +\\\n    |     'two'"
        in done.stderr
    )
    assert "TypeError: unsupported operand" in done.stderr
    assert f"The whole story: {course}/executed/pets/01_fails.ipynb" in done.stderr
    assert "00_first" in done.stdout and "06_later" not in done.stdout


def test_a_kernel_that_dies_is_told(course):
    write_notebook(course, "00_dies", knob_cell(KNOBS), "import os; os._exit(3)")
    (course / "notebooks" / "00_first.ipynb").unlink()
    done = run(course, "--notebooks", "00")
    assert done.returncode == 1
    assert "00_dies.ipynb stopped in its code cell 2" in done.stderr
    assert "the kernel died" in done.stderr and "Traceback" not in done.stderr


# Interrupted


def start(course, *cells):
    """Start the runner on a notebook that tells its kernel's number, then runs the
    cells; returns (the runner's process, the kernel's).
    """
    tell = "import os, pathlib\npathlib.Path('../.pid').write_text(f'{os.getpid()}')\n"
    move = "os.replace('../.pid', '../kernel.pid')"
    write_notebook(course, "00_first", knob_cell(KNOBS), tell + move, *cells)
    command = [*RUNNER, "--course", course, "--notebooks", "00"]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen(command, **streams)
    told = course / "kernel.pid"
    wait_until(lambda: told.exists() or process.poll() is not None)
    return process, psutil.Process(int(told.read_text()))


def wait_until(condition, patience=60):
    """Wait until the condition holds; fails if it never does."""
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)


def is_gone(process):
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


@pytest.mark.skipif(os.name == "nt", reason="Windows knows no such signal")
def test_an_interrupt_ends_in_one_sentence_and_leaves_no_kernel(course):
    process, kernel = start(course, "import time; time.sleep(600)")
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert (
        stderr.strip()
        == "Stopped. Run the same command again: it goes on where it was."
    )
    assert is_gone(kernel)


@pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux ends a child with its parent"
)
@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_runner_takes_a_busy_kernel_along(course, blow):
    assert ctypes.PyDLL(
        None
    ).sleep  # it keeps Python's lock, so no thread of the kernel can act
    process, kernel = start(course, "import ctypes; ctypes.PyDLL(None).sleep(600)")
    process.send_signal(blow)
    process.communicate(timeout=60)
    wait_until(lambda: is_gone(kernel))


def test_a_second_run_of_a_dataset_says_who_is_at_work(course):
    with one_writer(course / "executed" / "pets" / "run.lock", "data/pets"):
        done = run(course, "--notebooks", "00")
        (course / "dogs").mkdir()
        other = run(course, "--notebooks", "00", "--dataset", course / "dogs")
    assert done.returncode == 1
    assert done.stderr.startswith(
        f"Process {os.getpid()} is writing data/pets. Wait until"
    )
    assert other.returncode == 0, other.stderr


# In place


def dressed(text, **metadata):
    return new_code_cell(text, metadata=metadata)


def test_outputs_in_place_are_fresh_and_as_jupyterlab_would_save_them(course):
    cells = (
        dressed(KNOBS, tags=["parameters"], collapsed=True),
        dressed(
            "display({'image/png': 'iVBORw0KGgo='}, raw=True)\n'é'",
            alt="A dot",
            scrolled=True,
        ),
        new_markdown_cell("é", metadata={"editable": True}),
    )
    path = write_notebook(course, "00_first", *cells)
    done = run(course, "--in-place", "--notebooks", "00")
    assert done.returncode == 0, done.stderr
    notebook = nbformat.read(path, as_version=4)
    tags, alt = {"tags": ["parameters"]}, {"alt": "A dot"}
    assert [cell.metadata for cell in notebook.cells] == [tags, alt, {}]
    assert notebook.cells[1].outputs[-1].data["text/plain"] == "'é'"
    assert why_stale(path) is None
    assert notebook.metadata.kernelspec.display_name == "Python 3 (ipykernel)"
    assert sorted(notebook.metadata) == ["framevote", "kernelspec", "language_info"]
    before, server = path.read_bytes(), FileContentsManager(root_dir=str(path.parent))
    server.save(server.get(path.name), path.name)
    assert path.read_bytes() == before


def test_a_notebook_that_fails_in_place_stays_as_it_was(course):
    path = write_notebook(course, "00_first", knob_cell(KNOBS), "print('new')", "1 / 0")
    before = path.read_bytes()
    done = run(course, "--in-place", "--notebooks", "00")
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr and "is as it was" in done.stderr
    assert path.read_bytes() == before


@pytest.mark.parametrize("options", [["--set", "SEED=1"], ["--dataset", "pets"]])
def test_in_place_takes_no_knobs(monkeypatch, capsys, course, options):
    assert "committed with" in refused(
        monkeypatch, capsys, course, "--in-place", *options
    )


# Freshness


CODE = '''
%matplotlib inline
from lessons.lesson import taught

def square(x):
    """The square."""
    return x * x  # as in school

!echo hello
taught(square(3))
'''
LESSON = '''"""What 01 teaches."""
from toolbox.helper import half

def taught(x):
    """Half of it."""
    return half(x)
'''
HELPER = "def half(x):\n    return x / 2\n"


@pytest.fixture
def digest(tmp_path):
    """A function that gives the digest of a notebook's code, with its two modules."""
    for package in ("lessons", "toolbox"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").touch()

    def digest(code=CODE, lesson=LESSON, helper=HELPER, prose="Read this."):
        (tmp_path / "lessons" / "lesson.py").write_text(lesson)
        (tmp_path / "toolbox" / "helper.py").write_text(helper)
        (tmp_path / "toolbox" / "other.py").write_text(f"NOT_IMPORTED = {len(lesson)}")
        cells = [
            new_markdown_cell(prose),
            new_code_cell(code),
            new_code_cell("%%bash\nls"),
        ]
        return code_digest(new_notebook(cells=cells), tmp_path)

    return digest


def test_code_that_a_notebook_never_comes_to_makes_no_output_stale(digest):
    assert digest() == digest(lesson=LESSON + "\nUNUSED = True\n")
    assert digest() == digest(helper=HELPER + "\n\ndef unused():\n    return half(1)\n")
    used = CODE.replace(
        "taught(square(3))", "from toolbox.helper import other\nother(square(3))"
    )
    through = (
        "\n\ndef other(x):\n    return inner(x)\n\n\ndef inner(x):\n    return {}\n"
    )
    one, two = (
        digest(code=used, helper=HELPER + through.format(value)) for value in (1, 2)
    )
    assert one != two


def test_prose_docstrings_and_formatting_make_no_output_stale(digest):
    tidy = CODE.replace('"""The square."""', '"""The square\n    of it."""').replace(
        "x * x", "(x*x)"
    )
    assert digest() == digest(prose="Read that.") == digest(code=tidy)
    assert digest() == digest(code=CODE.replace("  # as in school", "\n\n"))
    assert digest() == digest(code="#| export" + CODE)
    assert digest() == digest(
        lesson="# %% ../01.ipynb #01-7\n" + LESSON.replace("Half of", "Half")
    )
    assert digest() == digest(lesson=LESSON.replace('    """Half of it."""\n', ""))
    assert digest() == digest(helper=HELPER.replace("x / 2", "x/2  # half"))


@pytest.mark.parametrize(
    "change",
    [
        {"code": CODE.replace("square(3)", "square(4)")},
        {"code": CODE.replace("echo hello", "echo goodbye")},
        {"code": CODE.replace("taught(square(3))\n", "taught(square(3));")},
        {"code": CODE.replace("x * x", "'x * x'")},
        {"lesson": LESSON.replace("half(x)", "half(2 * x)")},
        {"lesson": LESSON + "\nprint('imported')\n"},
        {"helper": HELPER.replace("x / 2", "x // 2")},
        {"helper": HELPER.replace("(x)", "(x, y=None)")},
    ],
)
def test_a_change_of_code_makes_outputs_stale(digest, change):
    assert digest() != digest(**change)


def test_a_module_that_is_imported_as_such_counts_as_a_whole(digest):
    whole = "from toolbox import helper\nhelper.half(3)"
    assert digest(code=whole) != digest(code=whole, helper=HELPER + "\nMORE = 1\n")


def test_staleness_is_told_with_its_reason(tmp_path):
    path = write_notebook(tmp_path, "00_first", "1 + 1", "2 + 2")
    notebook = nbformat.read(path, as_version=4)
    assert "were not all run once" in why_stale(path)
    for count, cell in enumerate(notebook.cells, start=1):
        cell.execution_count = count
    notebook.metadata["framevote"] = {"code_sha256": code_digest(notebook, path.parent)}
    nbformat.write(notebook, path)
    assert why_stale(path) is None
    noise = nbformat.v4.new_output("stream", name="stderr", text="a warning")
    notebook.cells[0].outputs = [noise]
    nbformat.write(notebook, path)
    assert "noise on stderr" in why_stale(path)
    notebook.cells[0].outputs, notebook.cells[1].source = [], "2 + 3"
    nbformat.write(notebook, path)
    assert "has changed since" in why_stale(path)


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
