"""Video that comes from the reader: from a camera, or uploaded in JupyterLab."""

import os
import tempfile
import time
from collections import deque
from pathlib import Path
from threading import Event, Thread

from toolbox.page.quiet import quiet_start

import cv2
import ipywidgets
import matplotlib.pyplot as plt
from IPython.display import display


def camera_frames(number=0, per_second=25):
    """The frames of a camera, one after the other, as BGR uint8 arrays (height, width,
    3): each time the newest, so that whoever is slower than the camera skips frames and
    does not lag.

    number: of the camera (0 is the first), the address of a network camera, or None to
    leave it off; per_second: how many frames a second at most. Where there is no camera
    that gives frames, one line says so and nothing follows. It is released when the
    loop over its frames ends, also by `break`.
    """
    if number is None:
        print("The camera stays off.")
        return
    with quiet_start():
        camera = cv2.VideoCapture(number)
        working = camera.read()[0]
    if not working:
        print(f"There is no camera {number} here; connect one, or go on without it.")
        return
    newest, left = deque(maxlen=1), Event()

    def read():
        while not left.is_set() and (step := camera.read())[0]:
            newest.append(step[1])

    reader = Thread(target=read, daemon=True)
    reader.start()
    try:
        while reader.is_alive() or newest:
            due = time.monotonic() + 1 / per_second
            if newest:
                yield newest.pop()
                time.sleep(max(0, due - time.monotonic()))
            else:
                time.sleep(0.002)
    finally:
        left.set()
        reader.join()
        camera.release()


def upload_form(classify, least=0.5):
    """A form in which the reader uploads a video, and sees what `classify` says of it:
    an ipywidgets box of a FileUpload, a slider for the probability that an answer must
    reach (`least`, at first), and an Output. The slider, once moved, asks again.

    classify: a function of the path of a video and that probability (0 to 1); what it
    returns is displayed, and a ValueError of it as its sentence. Outside JupyterLab
    (whose server sets JPY_SESSION_NAME) one line says so, and None is returned.
    """
    if "JPY_SESSION_NAME" not in os.environ:
        print("Open this notebook in JupyterLab (make lab) to upload a video here.")
        return None
    # some browsers know not all of these as videos
    suffixes = "video/*,.mp4,.mov,.avi,.mkv,.webm"
    upload = ipywidgets.FileUpload(accept=suffixes, description="A video")
    look = {"description": "Sure by", "readout_format": ".0%"}
    sure = ipywidgets.FloatSlider(least, min=0, max=1, step=0.01, **look)
    sure.continuous_update = False
    answer = ipywidgets.Output()

    def show(_):
        answer.clear_output()
        with answer, tempfile.TemporaryDirectory() as folder:
            for file in upload.value:
                path = Path(folder) / f"video{Path(file['name']).suffix}"
                path.write_bytes(file["content"])
                try:
                    display(classify(path, sure.value))
                except ValueError as error:
                    print(error)
                plt.close("all")  # else they are shown once more, below the next cell

    upload.observe(show, "value")
    sure.observe(show, "value")
    return ipywidgets.VBox([upload, sure, answer])
