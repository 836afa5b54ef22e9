"""Make the README's picture of the built-in dataset: a frame of each class."""

from course import COURSE

from toolbox.clips import find_videos, frames_to_show, groups_of
from toolbox.plots import titled_tile

import cv2
import numpy as np
from skimage.util import montage

MOCAP = COURSE / "data" / "mocap"

if __name__ == "__main__":  # data/mocap/sheet.jpg, two rows of seven classes
    videos = find_videos(MOCAP)
    videos["group"] = groups_of(videos.assign(clip=videos["video"]), span_classes=True)
    groups, tiles = sorted(videos["group"].unique()), []
    for index, (label, clips) in enumerate(videos.groupby("class")):
        clip = clips[clips["group"] == groups[3 * index % len(groups)]].iloc[0]
        frame = frames_to_show(MOCAP / clip["video"], 9)[5]
        tiles.append(titled_tile(frame, label, 160, 120))
    look = {"grid_shape": (2, 7), "fill": (255, 255, 255), "channel_axis": -1}
    sheet = montage(np.array(tiles), **look)
    cv2.imwrite(str(MOCAP / "sheet.jpg"), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))
