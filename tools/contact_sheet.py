"""Make the README's moving picture of the built-in dataset: a clip of each class."""

from course import COURSE

from toolbox.clips import find_videos, frames_shown, groups_of
from toolbox.plots import titled_tile

import numpy as np
from PIL import Image
from skimage.util import montage

MOCAP = COURSE / "data" / "mocap"
PER_SECOND, FRAMES = 8, 20

if __name__ == "__main__":  # data/mocap/actions.webp, two rows of seven classes
    videos = find_videos(MOCAP)
    videos["group"] = groups_of(videos.assign(clip=videos["video"]), span_classes=True)
    groups, tiles = sorted(videos["group"].unique()), []
    for index, (label, clips) in enumerate(videos.groupby("class")):
        clip = clips[clips["group"] == groups[3 * index % len(groups)]].iloc[0]
        shown = [*frames_shown(MOCAP / clip["video"], PER_SECOND)]
        frames = (shown[k % len(shown)][..., ::-1] for k in range(FRAMES))
        tiles.append([titled_tile(frame, label, 128, 96) for frame in frames])
    look = {"grid_shape": (2, 7), "fill": (255, 255, 255), "channel_axis": -1}
    pages = [montage(np.array(page), **look) for page in zip(*tiles, strict=True)]
    pages = list(map(Image.fromarray, pages))
    how = {"duration": 1000 // PER_SECOND, "loop": 0, "quality": 45, "method": 6}
    pages[0].save(MOCAP / "actions.webp", save_all=True, append_images=pages[1:], **how)
