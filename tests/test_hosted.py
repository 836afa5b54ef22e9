"""Notebooks opened alone, where the course isn't there: on hosts such as Colab."""

import json
import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from types import SimpleNamespace

import hosted
import nbformat
import publish
import pytest
from clips import COURSE
from packaging.requirements import Requirement
from packaging.version import Version

PAGES = sorted((COURSE / "notebooks").glob("[0-9][0-9]_*.ipynb"))
HOST = COURSE / ".venv-hosted"
HOST_PYTHON = HOST / "bin" / "python"
TAG = f"v{hosted.course_facts()['project']['version']}"
BROUGHT = """
    tensorflow==2.19.* keras==3.10.* numpy==2.0.* pandas==2.2.* scikit-learn==1.6.*
    opencv-python-headless==4.12.* matplotlib==3.10.* scikit-image==0.25.* scipy<1.17
    pillow requests tqdm ipywidgets ipykernel nbconvert nbclient absl-py psutil
"""


def test_only_what_is_missing_is_installed(monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(hosted, "run", lambda *command: asked.append(command))
    there = {"numpy": Version("1.26"), "protobuf": Version("5.29.5")}
    monkeypatch.setattr(hosted, "versions_there", lambda: there)
    wanted = ["numpy>=2.0,<3", "remotezip>=0.12", "opencv-python-headless>=4.12"]
    hosted.install(map(Requirement, wanted))
    [command] = asked
    assert command[-1] == "remotezip>=0.12" and "opencv" not in str(command)
    assert "numpy is 1.26 here" in capsys.readouterr().out
    hosted.install(map(Requirement, ["numpy>=1"]))
    assert len(asked) == 1


def test_packages_that_are_here_are_found():
    assert hosted.versions_there()["numpy"] == Version(version("numpy"))


def test_a_notebook_says_which_ones_it_rests_on(tmp_path):
    assert hosted.runs_before(PAGES[0]) == []
    assert hosted.runs_before(PAGES[1]) == ["00"]
    assert hosted.runs_before(PAGES[5]) == ["00", "01", "02", "03", "04"]
    assert all("00" in hosted.runs_before(page) for page in PAGES[1:])


def test_what_was_run_is_not_run_again(monkeypatch):
    def check_step(dataset, number):
        if number != "00":
            raise FileNotFoundError

    monkeypatch.setattr("toolbox.store.check_step", check_step)
    monkeypatch.setattr("toolbox.clips.open_dataset", SimpleNamespace)
    assert hosted.not_run(["00", "01", "02"]) == ["01", "02"]


@pytest.fixture(scope="module")
def host():
    """The Python of an environment that has what hosts have; made once."""
    if not (HOST / "complete").exists():
        shutil.rmtree(HOST, ignore_errors=True)
        python = shutil.which("python3.12") or sys.executable
        if subprocess.run([python, "-c", ""]).returncode:
            python = sys.executable
        subprocess.run([python, "-m", "venv", HOST], check=True)
        install = [HOST_PYTHON, "-m", "pip", "install", "--quiet", *BROUGHT.split()]
        if subprocess.run(install).returncode:
            pytest.skip("no package index can be reached")
        (HOST / "complete").touch()
    return HOST_PYTHON


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """The course as it is committed or staged, published at an address on this
    machine, with its tag.
    """
    there = tmp_path_factory.mktemp("published") / "framevote"
    copy = ["git", "checkout-index", "--all", f"--prefix={there}/"]
    subprocess.run(copy, cwd=COURSE, check=True)
    publish.main(there, there.as_uri())
    who = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    steps = ["init", "-q"], ["add", "-A"], ["commit", "-qm", "published"], ["tag", TAG]
    for step in steps:
        subprocess.run(["git", *who, *step], cwd=there, check=True)
    return there


def frozen():
    """The packages of the host and their versions, as a dict."""
    listing = [HOST_PYTHON, "-m", "pip", "list", "--format=json"]
    listed = subprocess.run(listing, check=True, capture_output=True)
    return {one["name"]: one["version"] for one in json.loads(listed.stdout)}


@pytest.mark.hosted
@pytest.mark.parametrize("number", ["05", "09", "11"])
def test_a_notebook_opened_alone_runs_to_its_end(number, host, published, tmp_path):
    [page] = (published / "notebooks").glob(f"{number}_*.ipynb")
    shutil.copy2(page, tmp_path)
    before = frozen()
    run = [host, "-m", "nbconvert", "--to=notebook", "--execute", "--inplace"]
    run += ["--ExecutePreprocessor.timeout=-1", page.name]
    alone = {name: os.environ[name] for name in os.environ if name != "PYTHONPATH"}
    quiet = {"stdin": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    done = subprocess.run(run, cwd=tmp_path, env=alone, **quiet)
    assert done.returncode == 0, done.stderr.decode()[-4000:]
    cells = nbformat.read(tmp_path / page.name, as_version=4).cells
    said = "".join(output.get("text", "") for output in cells[2].outputs)
    assert f"go on with notebook {number}" in said
    after = frozen()
    assert {name: after[name] for name in before} == before
