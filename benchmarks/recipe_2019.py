"""The 2019 recipe, coded as written: the pace that `run.py` compares with.

Plain loops: every frame is read and converted, all pictures sit in one array, test
clips go one at a time through a temporary folder. Only the names and the arguments are
tidied.
"""

import math
from pathlib import Path

import cv2
import keras
import numpy as np


def extract_frames(paths, folder):
    """Write one frame a second of each video into a folder, as
    `<video>_frame<k>.jpg`.
    """
    for path in paths:
        count = 0
        capture = cv2.VideoCapture(str(path))
        frame_rate = capture.get(5)
        while capture.isOpened():
            frame_id = capture.get(1)
            readable, frame = capture.read()
            if not readable:
                break
            if frame_id % math.floor(frame_rate) == 0:
                cv2.imwrite(str(folder / f"{Path(path).stem}_frame{count}.jpg"), frame)
                count += 1
        capture.release()


def load_frames(paths):
    """All pictures in one float32 array (n, 224, 224, 3), RGB between 0 and 1."""
    pictures = []
    for path in paths:
        picture = keras.utils.load_img(path, target_size=(224, 224, 3))
        pictures.append(keras.utils.img_to_array(picture) / 255)
    return np.array(pictures)


def extract_features(paths, base):
    """The features of all pictures at once, (n, 7, 7, 512) float32."""
    return base.predict(load_frames(paths), batch_size=32, verbose=0)


def classify_clips(paths, base, head, scale, folder):
    """The most frequent class among the frames of each video, one at a time; a list
    of int.
    """
    votes = []
    for path in paths:
        for old in folder.glob("*"):
            old.unlink()
        extract_frames([path], folder)
        features = base.predict(load_frames(sorted(folder.glob("*.jpg"))), verbose=0)
        features = features.reshape(len(features), 7 * 7 * 512) / scale
        classes = head.predict(features, verbose=0).argmax(axis=1)
        # the mode; of several, the first
        votes.append(int(np.bincount(classes).argmax()))
    return votes
