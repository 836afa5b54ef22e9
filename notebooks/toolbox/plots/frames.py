"""Frames on the page: grids, moving clips."""

import base64
import html
import io
from pathlib import Path

from toolbox.clips import evenly_spaced

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import HTML
from PIL import Image, ImageDraw
from skimage.util import montage

MOST_FRAMES = 70  # in a grid: more are too small to see, and take minutes to draw
MOST_PIXELS = 40_000_000  # in all pictures of an animation: 120 MB while it is made


def height_for(frames, width):
    """The height, in the unit of `width`, in which the tallest of the frames fits;
    at most twice the width (a taller frame is made narrower).
    """
    return width * min(2, max(frame.shape[0] / frame.shape[1] for frame in frames))


def show_frames(frames, titles, columns=7, width=1.9, title=None):
    """Draw frames in a grid, each with its title; returns the matplotlib figure.

    frames: RGB arrays, of any sizes; titles: a text for each; columns: frames side by
    side; width: of a frame, in inches. Of more than 70 frames, 70 evenly spaced ones
    are drawn, and the title says so.
    """
    frames, titles = list(frames), list(titles)
    if len(frames) > MOST_FRAMES:
        title = f"{title or ''} ({MOST_FRAMES} of {len(frames):,})".strip()
        drawn = evenly_spaced(len(frames), MOST_FRAMES)
        frames, titles = [frames[k] for k in drawn], [titles[k] for k in drawn]
    rows = -(-len(frames) // columns)
    row_height = height_for(frames, width) + 0.32
    size = (columns * width, rows * row_height + (0.4 if title else 0))
    shape = {"figsize": size, "squeeze": False, "layout": "constrained"}
    figure, axes = plt.subplots(rows, columns, **shape)
    for axis in axes.flat:
        axis.axis("off")
    for axis, frame, text in zip(axes.flat, frames, titles, strict=False):
        axis.imshow(frame)
        axis.set_title(text, fontsize=10)
    figure.suptitle(title)
    return figure


def show_votes(frames, probabilities, classes, title, most=5):
    """Draw the first frames of a clip, each with its most probable class and how
    probable that is; returns the matplotlib figure.

    frames: RGB arrays, or paths of pictures; probabilities: (frames, classes); classes:
    their names, an array.
    """
    pictures = [
        plt.imread(frame) if isinstance(frame, Path) else frame
        for frame in frames[:most]
    ]
    votes = classes[probabilities.argmax(axis=1)]
    said = zip(votes, probabilities.max(axis=1), strict=True)
    texts = [f"{vote}, {sure:.0%}" for vote, sure in said][:most]
    return show_frames(pictures, texts, len(pictures), title=title)


def animate(clips, titles, columns=7, width=128, frames_per_second=10):
    """Play clips side by side in the page, as one looping animated WebP picture.

    clips: lists of RGB uint8 frames (any size; shorter clips start again); titles: a
    text for each; columns: clips side by side; width: of a clip, in pixels. Of more
    than 40 million pixels in all, only every second (third, ...) moment is shown, for
    twice the time. Returns an IPython HTML object; its alternative text has the titles.
    """
    titles = list(titles)
    height = round(height_for([clip[0] for clip in clips], width))
    columns = min(columns, len(clips))
    grid = (-(-len(clips) // columns), columns)
    moments = max(map(len, clips))
    step = -(-moments * grid[0] * columns * width * (height + 16) // MOST_PIXELS)
    pages = []
    for time in range(0, moments, step):
        tiles = [
            titled_tile(clip[time % len(clip)], title, width, height)
            for clip, title in zip(clips, titles, strict=True)
        ]
        page = montage(tiles, grid_shape=grid, fill=(255, 255, 255), channel_axis=-1)
        pages.append(Image.fromarray(page))
    buffer = io.BytesIO()
    look = {"duration": 1000 * step // frames_per_second, "loop": 0, "quality": 50}
    pages[0].save(buffer, "WEBP", save_all=True, append_images=pages[1:], **look)
    picture = base64.b64encode(buffer.getvalue()).decode()
    description = html.escape(f"Animation: {', '.join(titles)}")
    return HTML(f'<img alt="{description}" src="data:image/webp;base64,{picture}">')


def titled_tile(frame, title, width, height):
    """A white RGB array of `width` x (`height` + 16) pixels: text, and below it the
    frame, scaled to fit.
    """
    scale = min((width - 2) / frame.shape[1], height / frame.shape[0])
    size = [max(1, round(side * scale)) for side in frame.shape[1::-1]]
    tile = Image.new("RGB", (width, height + 16), "white")
    tile.paste(Image.fromarray(frame).resize(size, Image.Resampling.BOX), (0, 16))
    ImageDraw.Draw(tile).text((1, 2), title, fill="black")
    return np.asarray(tile)
