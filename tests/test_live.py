"""toolbox.page.camera: frames of a camera, and the upload form."""

import ast
import os
import time

from toolbox.page.camera import camera_frames, upload_form

import nbformat
import numpy as np
import pytest
from clips import COURSE, read_all, write_clip
from nbclient import NotebookClient

# A video file takes the camera's place: OpenCV reads both alike.


def test_without_a_camera_one_line_says_so(capfd):
    assert list(camera_frames(63)) == []
    said = capfd.readouterr()
    assert said.out.count("\n") == 1 and said.err == ""


@pytest.mark.parametrize("slowly", [False, True])
def test_frames_come_in_order_up_to_the_last_and_who_is_slow_skips_some(
    tmp_path, slowly
):
    clip = write_clip(tmp_path / "camera.avi", frames=50)
    frames = []
    for frame in camera_frames(str(clip)):
        frames.append(frame)
        time.sleep(0.05 * slowly)  # a file "films" its 50 frames in a fraction of that
    assert (frames[0].shape, frames[0].dtype) == ((48, 64, 3), np.uint8)
    known = {frame.tobytes(): number for number, frame in enumerate(read_all(clip))}
    numbers = [known[frame.tobytes()] for frame in frames]
    assert numbers == sorted(set(numbers)) and numbers[-1] == 49
    assert not slowly or len(numbers) < 40


def test_the_camera_is_released_when_the_loop_breaks(tmp_path):
    clip = write_clip(tmp_path / "camera.avi", frames=50)
    for _ in range(20):  # at any moment of the reading
        frames = camera_frames(str(clip))
        next(frames)
        camera, reader = map(frames.gi_frame.f_locals.get, ("camera", "reader"))
        frames.close()  # as `break` does
        assert not camera.isOpened() and not reader.is_alive()


def test_outside_jupyterlab_there_is_no_form(monkeypatch, capsys):
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    assert upload_form(print) is None
    assert "make lab" in capsys.readouterr().out


FORM = """
import sys
sys.path.insert(0, "notebooks")
from toolbox.page.camera import upload_form
from toolbox.clips.read import probe
import matplotlib.pyplot as plt
import pandas as pd

paths = []
def classify(path, threshold):
    paths.append(path)
    if threshold > 0.9:
        return plt.subplots()[0]
    return path.suffix, probe(path)["frames"], threshold

form = upload_form(classify)
upload, sure, answer = form.children
def give(path):
    content = memoryview(open(path, "rb").read())
    file = {"name": path, "type": "video/mp4", "size": len(content), "content": content}
    upload.value = (file | {"last_modified": pd.Timestamp("2024-05-01", tz="UTC")},)
"""


def test_the_form_answers_below_itself(tmp_path):
    """In a kernel with the session's name that JupyterLab's server gives it."""
    clip, odd = write_clip(tmp_path / "My clip.MP4", frames=12), tmp_path / "notes.mov"
    odd.write_text("no video")
    done = [f"give({str(clip)!r})", "sure.value = 0.75", f"give({str(odd)!r})"]
    done += ["sure.value = 0.95", "upload.value = ()"]
    outputs = "[dict(output) for output in answer.outputs]"
    sources = [FORM, *(part for source in done for part in (source, outputs))]
    sources += ["print(len(paths), any(path.exists() for path in paths))"]
    cells = list(map(nbformat.v4.new_code_cell, sources))
    notebook = nbformat.v4.new_notebook(cells=cells)
    place = {"metadata": {"path": COURSE}}
    client = NotebookClient(notebook, timeout=100, resources=place)
    client.execute(env={**os.environ, "JPY_SESSION_NAME": "11.ipynb"})
    shown = [cell.outputs[0].data["text/plain"] for cell in cells[2:-1:2]]
    [first], [surer], [unreadable], [figure], nothing = map(ast.literal_eval, shown)
    assert first["data"]["text/plain"] == "('.MP4', 12, 0.5)" and nothing == []
    assert surer["data"]["text/plain"] == "('.MP4', 12, 0.75)"
    assert "not a video" in unreadable["text"] and "image/png" in figure["data"]
    assert not any(cell.outputs for cell in cells[1:-1:2])  # no figure once more below
    assert cells[-1].outputs[0].text == "4 False\n"
