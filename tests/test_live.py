"""toolbox.page.camera: frames of a camera, and the upload form in a kernel as
JupyterLab starts it.
"""

import ast
import os
import time

from toolbox.page.camera import camera_frames, upload_form

import nbformat
import numpy as np
from clips import COURSE, read_all, write_clip
from nbclient import NotebookClient

# The camera. A video file takes its place: OpenCV reads both alike.


def numbers_of(frames, clip):
    """Which frames of the clip these are."""
    numbers = {frame.tobytes(): number for number, frame in enumerate(read_all(clip))}
    return [numbers[frame.tobytes()] for frame in frames]


def test_where_there_is_no_camera_one_line_says_so(capfd):
    assert list(camera_frames(63)) == []
    said = capfd.readouterr()
    assert said.out == "There is no camera 63 here; connect one, or go on without it.\n"
    assert said.err == ""


def test_a_camera_gives_its_frames_in_order_up_to_its_last(tmp_path):
    clip = write_clip(tmp_path / "camera.avi", frames=30)
    frames = list(camera_frames(str(clip)))
    assert (frames[0].shape, frames[0].dtype) == ((48, 64, 3), np.uint8)
    numbers = numbers_of(frames, clip)
    assert numbers == sorted(set(numbers))
    assert numbers[-1] == 29


def test_who_is_slower_than_the_camera_skips_frames(tmp_path):
    clip = write_clip(tmp_path / "camera.avi", frames=50)
    frames = []
    for frame in camera_frames(str(clip)):
        frames.append(frame)
        time.sleep(0.05)  # a file "films" its 50 frames in a fraction of that
    assert len(frames) < 40
    assert numbers_of(frames, clip)[-1] == 49


def test_the_camera_is_released_when_the_loop_breaks(tmp_path):
    clip = write_clip(tmp_path / "camera.avi", frames=50)
    for _ in range(20):  # at any moment of the reading
        frames = camera_frames(str(clip))
        next(frames)
        camera, reader = (
            frames.gi_frame.f_locals[name] for name in ("camera", "reader")
        )
        assert camera.isOpened()
        frames.close()  # as `break` does
        assert not camera.isOpened()
        assert not reader.is_alive()


# The form


def test_outside_jupyterlab_there_is_no_form(monkeypatch, capsys):
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    assert upload_form(print) is None
    said = capsys.readouterr().out
    assert (
        said == "Open this notebook in JupyterLab (make lab) to upload a video here.\n"
    )


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


def answers_to(*cells):
    """Execute the form's cell and then these, in a kernel with the session's name
    that JupyterLab's server gives it: what the form's Output showed after each of
    them, and what each itself did.
    """
    sources = [FORM]
    for cell in cells:
        sources += [cell, "[dict(output) for output in answer.outputs]"]
    notebook = nbformat.v4.new_notebook(
        cells=list(map(nbformat.v4.new_code_cell, sources))
    )
    client = NotebookClient(
        notebook, timeout=100, resources={"metadata": {"path": COURSE}}
    )
    client.execute(env={**os.environ, "JPY_SESSION_NAME": "10.ipynb"})
    shown = [
        ast.literal_eval(cell.outputs[0].data["text/plain"])
        for cell in notebook.cells[2::2]
    ]
    return shown, [cell.outputs for cell in notebook.cells[1::2]]


def test_the_form_answers_below_itself(tmp_path):
    clip = write_clip(tmp_path / "My clip.MP4", frames=12)
    (tmp_path / "notes.mov").write_text("no video")
    shown, outputs = answers_to(
        f"give({str(clip)!r})",
        "sure.value = 0.75",
        f"give({str(tmp_path / 'notes.mov')!r})",
        "sure.value = 0.95",
        "upload.value = ()",
        "print(len(paths), any(path.exists() for path in paths))",
    )
    first, surer, unreadable, figure, nothing, _ = shown
    assert [output["data"]["text/plain"] for output in first] == ["('.MP4', 12, 0.5)"]
    assert [output["data"]["text/plain"] for output in surer] == ["('.MP4', 12, 0.75)"]
    assert [output["text"] for output in unreadable] == [
        "not a video that OpenCV can open\n"
    ]
    assert ["image/png" in output["data"] for output in figure] == [True]
    assert nothing == []
    assert outputs[:-1] == [[]] * 5  # no figure is shown again below a later cell
    assert outputs[-1][0].text == "4 False\n"


def test_a_camera_that_is_none_stays_off(capsys):
    assert list(camera_frames(None)) == []
    assert "stays off" in capsys.readouterr().out
