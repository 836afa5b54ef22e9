"""Pictures for the pages: grids of frames, moving clips, confusion matrices."""

import base64
import html
import io

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import HTML
from PIL import Image, ImageDraw
from skimage.util import montage


def show_frames(frames, titles, columns=7, width=1.9, title=None):
    """Draw frames (RGB arrays) in a grid, each with its title; returns the matplotlib figure."""
    rows = -(-len(frames) // columns)
    height, breadth = frames[0].shape[:2]
    size = (columns * width, rows * (width * height / breadth + 0.32) + (0.4 if title else 0))
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")
    for axis in axes.flat:
        axis.axis("off")
    for axis, frame, text in zip(axes.flat, frames, titles, strict=False):
        axis.imshow(frame)
        axis.set_title(text, fontsize=9)
    figure.suptitle(title)
    return figure


def animate(clips, titles, columns=7, width=128, frames_per_second=10):
    """Play clips side by side in the page, as one looping animated WebP picture.

    clips: lists of RGB uint8 frames (any size; shorter clips start again); returns an IPython
    HTML object.
    """
    height = max(width * clip[0].shape[0] // clip[0].shape[1] for clip in clips)
    columns = min(columns, len(clips))
    grid = (-(-len(clips) // columns), columns)
    pages = []
    for time in range(max(map(len, clips))):
        tiles = [
            titled_tile(clip[time % len(clip)], title, width, height)
            for clip, title in zip(clips, titles, strict=True)
        ]
        page = montage(tiles, grid_shape=grid, fill=(255, 255, 255), channel_axis=-1)
        pages.append(Image.fromarray(page))
    buffer = io.BytesIO()
    timing = {"append_images": pages[1:], "duration": 1000 // frames_per_second, "loop": 0}
    pages[0].save(buffer, "WEBP", save_all=True, quality=50, **timing)
    picture = base64.b64encode(buffer.getvalue()).decode()
    description = html.escape(f"Animation: {', '.join(titles)}")
    return HTML(f'<img alt="{description}" src="data:image/webp;base64,{picture}">')


def titled_tile(frame, title, width, height):
    """A white tile, `width` x (`height` + 16) pixels: a line of text, below it the frame."""
    scale = min((width - 2) / frame.shape[1], height / frame.shape[0])
    size = [max(1, round(side * scale)) for side in frame.shape[1::-1]]
    tile = Image.new("RGB", (width, height + 16), "white")
    tile.paste(Image.fromarray(frame).resize(size, Image.Resampling.BOX), (0, 16))
    ImageDraw.Draw(tile).text((1, 2), title, fill="black")
    return np.asarray(tile)


def draw_confusion(truth, predicted, classes):
    """Draw a confusion matrix, one row for each true class, as counts; returns the matplotlib
    figure.
    """
    counts = pd.crosstab(
        pd.Categorical(truth, classes), pd.Categorical(predicted, classes), dropna=False
    )
    counts = counts.reindex(index=classes, columns=classes, fill_value=0).to_numpy()
    side = min(3 + 0.32 * len(classes), 14)
    figure, axis = plt.subplots(figsize=(side + 0.6, side), layout="constrained")
    axis.imshow(counts, cmap="Blues")
    if len(classes) <= 25:
        axis.set_xticks(range(len(classes)), classes, rotation=60, ha="right")
        axis.set_yticks(range(len(classes)), classes)
        for row, column in np.argwhere(counts):
            dark = counts[row, column] > counts.max() / 2
            axis.text(
                column,
                row,
                counts[row, column],
                ha="center",
                va="center",
                color="white" if dark else "black",
                fontsize=8,
            )
    axis.set(xlabel="the vote says", ylabel="true class")
    return figure
