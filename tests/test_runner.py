"""What runs the course and looks after it: the runner, the Makefile's way to it, the
checks of outputs, the export, clean; on courses of a few cells.
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

import nbformat
import psutil
import pytest
import run_course as runner
from clean import clean
from export import changed_modules, export
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from compare_outputs import differences
from notebook_code import code_digest, why_stale

REPOSITORY = Path(__file__).resolve().parent.parent
RUNNER = [sys.executable, REPOSITORY / "tools" / "run_course.py"]
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
KNOBS = 'DATASET = "pets"\nSEED = 1\nSPLIT = "by_frame"\nRATES = (1, 2)'


def knob_cell(text):
    return new_code_cell(text, metadata={"tags": ["parameters"]})


def write_notebook(course, name, *cells):
    """Write a notebook of code cells (text, or cells); returns its path."""
    made = [cell if isinstance(cell, dict) else new_code_cell(cell) for cell in cells]
    path = course / "notebooks" / f"{name}.ipynb"
    path.parent.mkdir(exist_ok=True)
    nbformat.write(new_notebook(cells=made, metadata={"kernelspec": KERNEL}), path)
    return path


@pytest.fixture
def course(tmp_path):
    """Two notebooks: 00 leaves its knobs in a file; 06 has a knob of its own."""
    leave = "open('../knobs.txt', 'w').write(repr((DATASET, SEED, SPLIT, RATES)))"
    write_notebook(tmp_path, "00_first", knob_cell(KNOBS), leave)
    own = knob_cell("DATASET = None\nEPOCHS = 3")
    write_notebook(tmp_path, "06_later", own, "EPOCHS")
    return tmp_path


def run(course, *options, **environment):
    """Run the runner on a course to its end; returns the finished process."""
    command = [*RUNNER, "--course", course, *options]
    environment = os.environ | environment
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def test_knobs_are_names_and_python_literals():
    lists = runner.read_knobs("RATES=(1,2), N = ['Run','Walk'],")
    assert lists == {"RATES": (1, 2), "N": ["Run", "Walk"]}
    texts = runner.read_knobs("A=\"b=1 $5 'c'\",\n B=-0.5 ")
    assert texts == {"A": "b=1 $5 'c'", "B": -0.5}
    for text in ("SEED", "SEED=one", "A=1 B=2", "A=1), dict(B=2"):
        with pytest.raises(ValueError, match="commas"):
            runner.read_knobs(text)


REFUSED = [("--notebooks=00 --set=SEDE=5", "Similar: SEED"), ("--set=SEED=x", "NAME=")]
REFUSED += [("--notebooks=00 --set=SEED=1,EPOCHS=5", "EPOCHS is a knob of 06")]
REFUSED += [("--notebooks=00,77", "notebook 77"), ("--in-place --set=SEED=1", "in-pl")]
REFUSED += [("--notebooks=06 --dataset=nowhere", "nowhere")]


@pytest.mark.parametrize(("options", "said"), REFUSED)
def test_what_cannot_be_run_is_refused(monkeypatch, capsys, course, options, said):
    command = ["run_course.py", "--course", str(course), *options.split()]
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(SystemExit) as stop:
        runner.main()
    assert said in f"{stop.value.code}\n{capsys.readouterr().err}"
    assert not (course / "executed").exists()


@pytest.mark.skipif(not shutil.which("make"), reason="make is not here")
def test_settings_pass_through_make_unharmed():
    text = """SPLIT='$5 "x"' N=$(HOME) `x` "it's"; exit 0 #"""
    command = ["make", "-o", ".venv/installed", "course", f"RUN={sys.executable}"]
    command.append(f"KNOBS={text}")
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert f"got: {text}" in done.stderr


def test_part_one_runs_unless_others_are_named(monkeypatch, capsys):
    """Without Ray, its notebook is left out of all."""
    everything = sorted((REPOSITORY / "notebooks").glob("*.ipynb"))
    monkeypatch.setattr(sys, "argv", ["run_course.py"])
    monkeypatch.delenv("NOTEBOOKS", raising=False)
    part_one = runner.parse_options().notebooks
    assert runner.choose_notebooks(everything, part_one) == everything[:6]
    assert runner.choose_notebooks(everything, "05, 04") == everything[4:6]
    monkeypatch.setattr(runner, "find_spec", lambda package: None)
    assert runner.choose_notebooks(everything, "all") == everything[:-1]
    assert "12_scale_out is left out" in capsys.readouterr().out


def leave_result(course, dataset, notebook, accuracy):
    """Leave a `results.json` with one row, or with none."""
    row = {"notebook": notebook, "method": "vote", "level": "video", "part": "test"}
    (course / "data" / dataset).mkdir(parents=True)
    rows = [row | {"accuracy": accuracy}] if accuracy else []
    (course / "data" / dataset / "results.json").write_text(json.dumps(rows))


def test_knobs_and_dataset_reach_the_notebooks_and_the_committed_ones_stay(course):
    before = (course / "notebooks" / "00_first.ipynb").read_bytes()
    pets = course / 'my "pets"'
    pets.mkdir()
    leave_result(course, pets.name, "05", 0.413)
    knobs = "SPLIT='it''s', RATES=[0.5], EPOCHS=4"
    done = run(course, NOTEBOOKS="00 06", DATASET=str(pets), KNOBS=knobs)
    assert done.returncode == 0, done.stderr
    left = ast.literal_eval((course / "knobs.txt").read_text())
    assert left == (str(pets), 1, "its", [0.5])
    assert (course / "notebooks" / "00_first.ipynb").read_bytes() == before
    executed = nbformat.read(course / "executed" / pets.name / "06_later.ipynb", 4)
    assert executed.cells[-1].outputs[0].data["text/plain"] == "4"
    assert "05 vote video test 0.413" in " ".join(done.stdout.split())


FAILING = [("1 / 0", "ZeroDivisionError: div"), ("import os; os._exit(3)", "Kernel")]


@pytest.mark.parametrize(("cell", "said"), FAILING)
def test_a_failing_notebook_stops_the_run_and_stays_as_it_was(course, cell, said):
    path = write_notebook(course, "00_first", knob_cell(KNOBS), cell, "print('no')")
    before = path.read_bytes()
    done = run(course, "--in-place", "--notebooks", "00 06")
    assert done.returncode == 1 and path.read_bytes() == before
    assert "00_first.ipynb stopped. " in done.stderr and said in done.stderr
    assert ('In [2]":' in done.stderr) == (cell == "1 / 0")
    assert f"{course}/executed/pets/00_first.ipynb" in done.stderr
    assert "06_later" not in done.stdout


@pytest.mark.skipif(os.name == "nt", reason="Windows knows no such signal")
def test_an_interrupt_ends_in_one_sentence_and_leaves_no_kernel(course):
    tell = "import os; open('.pid', 'w').write(f'{os.getpid()}')"
    cells = [knob_cell(KNOBS), tell, "os.rename('.pid', 'pid')\nwhile True: pass"]
    write_notebook(course, "00_first", *cells)
    command = [*RUNNER, "--course", course, "--notebooks", "00"]
    # a shell's job in the background starts with this signal ignored
    heed = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, **heed)
    told, deadline = course / "notebooks" / "pid", time.monotonic() + 60
    while not told.exists():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130 and stderr.startswith("\nStopped. ")
    assert "Traceback" not in stderr and not psutil.pid_exists(int(told.read_text()))


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
    shown, last = notebook.cells[1].outputs
    assert shown.metadata == {"image/png": {"alt": "A dot"}}
    assert last.data["text/plain"] == "'é'" and why_stale(path) is None


def test_staleness_is_told_with_its_reason(tmp_path):
    bootstrap = new_code_cell("!pip install", metadata={"tags": ["bootstrap"]})
    path = write_notebook(tmp_path, "00_first", bootstrap, "1 + 1", "2 + 2")
    notebook = nbformat.read(path, as_version=4)
    assert "all run once" in why_stale(path)
    for count, cell in enumerate(notebook.cells, start=1):
        cell.execution_count = count
    notebook.metadata["framevote"] = {"code_sha256": code_digest(notebook)}
    notebook.cells[0].source = "!pip install more"
    nbformat.write(notebook, path)
    assert why_stale(path) is None  # the host's cell was run, too
    for count, cell in enumerate(notebook.cells):
        cell.execution_count = count or None  # it was put there afterwards
    first, second = notebook.cells[1:]
    warned = [new_output("stream", name="stderr", text="a warning")]
    rows = ([], "2 + 2", "None"), (warned, "2 + 2", "stderr"), ([], "2 + 3", "changed")
    for first.outputs, second.source, why in rows:
        nbformat.write(notebook, path)
        assert why in str(why_stale(path))


COMMITTED = "9 clips in 3.5 s, 41.0% right, loss 0.5"


YOURS = [("05", "9 clips in 7.5 s, 41.0% right, loss 0.5", 0.41, 0, 0)]
YOURS += [("05", "9 clips, 43.0% right, loss 0.9", 0.43, 2, 0)]
YOURS += [("00", "8 clips, 41.0% right, loss 0.5", 0.41, 1, 1)]
YOURS += [("05", "9 clips, 61.0% right, loss 0.5", 0.41, 1, 1)]
YOURS += [("05", COMMITTED, 0.61, 1, 1), ("05", COMMITTED, None, 1, 1)]


@pytest.mark.parametrize(("number", "yours", "accuracy", "differ", "off"), YOURS)
def test_numbers_that_differ_are_judged(course, number, yours, accuracy, differ, off):
    path = course / "notebooks" / f"{number}_page.ipynb"
    mine = course / "executed" / "mocap" / path.name
    mine.parent.mkdir(parents=True)
    for place, text in ((path, COMMITTED), (mine, yours)):
        bar = f"train: 100%|███| 7/7 [00:09, {len(text)}s/epoch, loss 0.3]\n"
        outputs = [new_output("stream", text=bar + text)]
        cell = new_code_cell("show()", id="one", outputs=outputs)
        facts = {"framevote": {"results": {"vote, video, test": 41.0}}}
        nbformat.write(new_notebook(cells=[cell], metadata=facts), place)
    leave_result(course, "mocap", number, accuracy)
    found = differences(path, course)
    assert (len(found), sum(row["off"] for row in found)) == (differ, off)


def fill(folder, names):
    """Write empty files into a folder; returns their paths."""
    paths = [folder / name for name in names.split()]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return paths


def test_clean_removes_what_the_course_made_and_nothing_else(tmp_path):
    data = tmp_path / "data"
    own = "cat/a.mp4 motion/b.avi train_1/c.mov groups.csv clips_of_me.mp4 notes.json"
    kept = fill(data / "pets", own) + fill(tmp_path / "photos", "a.jpg")
    kept += fill(tmp_path, "weights/vgg16.h5 executed/dogs/0.ipynb")
    kept += fill(data, "dogs/videos.csv mocap/README.md mocap/videos/Walk/a.avi")
    kept += fill(data / "ucf101", "UCF-101/a.avi fetched.txt .partial-a.zip")
    (data / "pets" / "test_1").symlink_to(tmp_path / "photos")
    made = "videos.csv train_1/a_frame0.jpg features.unfinished .partial-split.csv"
    made += " pooled/a.npy pooled/VGG16/a.npy pooled/VGG16/a.npy.json clips_32x48.npy"
    made += " step_01.json train_1.json"
    made = fill(data / "pets", f"{made} .partial-train_1/a.jpg")
    made += fill(tmp_path, "weights/pets/w.h5 executed/pets/0 classified/pets/a.jpg")
    made += fill(data / "mocap", "results.json")
    for name in ("pets", "mocap", "ucf101", "never_met"):
        clean(tmp_path, name)
    assert [path for path in kept if not path.exists()] == []
    assert [path for path in made if path.exists()] == []
    assert not (data / "pets" / "pooled").exists()


def test_the_export_is_tidy_and_a_difference_is_noticed(tmp_path):
    first = "#| export\nimport os\ndef three( ): return 3"
    second = "#| export\nfrom lessons.first import three\nTHREE=three()"
    write_notebook(tmp_path, "01_first", "#| default_exp first", first, "os.getcwd()")
    more = "#| default_exp second", second, "#| export other\nONE = 1", "no = 1"
    notebooks = write_notebook(tmp_path, "02_second", *more).parent
    package = notebooks / "lessons"
    fill(package, "gone.py")
    export(notebooks, package)
    names = ["__init__.py", "first.py", "other.py", "second.py"]
    assert sorted(path.name for path in package.iterdir()) == names
    assert "import os" not in (package / "first.py").read_text()
    text = (package / "second.py").read_text()
    assert text.endswith("from lessons.first import three\n\nTHREE = three()\n")
    assert changed_modules(notebooks, package) == []
    (package / "second.py").write_text(f"{text}MORE = 1\n")
    assert changed_modules(notebooks, package) == ["second.py"]
