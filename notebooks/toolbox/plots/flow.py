"""Pictures of optical flow."""

from itertools import islice

from toolbox.clips import neighbours

import cv2
import matplotlib.pyplot as plt
import numpy as np


def flow_colours(flow, fastest):
    """Draw flow (height, width, 2) as RGB uint8 (height, width, 3): the hue is the
    direction (red: to the right, see `colour_wheel`), the brightness the speed, full
    at `fastest` pixels a frame.
    """
    speed, angle = cv2.cartToPolar(flow[..., 0], flow[..., 1], angleInDegrees=True)
    value = 255 * np.clip(speed / max(fastest, 1e-6), 0, 1)
    hsv = np.dstack([angle / 2, np.full_like(angle, 255), value])
    return cv2.cvtColor(hsv.astype("uint8"), cv2.COLOR_HSV2RGB)


def colour_wheel(side=101):
    """The key to `flow_colours`: each place shows the colour of flow towards it from
    the middle.
    """
    y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    wheel = flow_colours(np.dstack([x, y]).astype("float32"), 1)
    wheel[np.hypot(x, y) > 1] = 255
    return wheel


def fastest_moment(path, optical_flow, count=12):
    """Of some frames of a clip the one that moves most: (frame, flow), grey (height,
    width) and (height, width, 2). optical_flow: function of two frames.
    """
    pairs = neighbours(path, count)
    moments = ((before, optical_flow(before, after)) for before, after, _ in pairs)
    return max(moments, key=lambda moment: np.abs(moment[1]).mean())


def flow_film(path, optical_flow, longest=40):
    """The first frames of a clip and the flow at each of them in colour, two lists
    of RGB uint8 arrays. optical_flow: function of two frames.
    """
    pairs = list(islice(neighbours(path), longest))
    flows = [optical_flow(before, after) for before, after, _ in pairs]
    fastest = np.quantile(np.linalg.norm(flows, axis=-1), 0.99)
    frames = [cv2.cvtColor(before, cv2.COLOR_GRAY2RGB) for before, *_ in pairs]
    return frames, [flow_colours(flow, fastest) for flow in flows]


def draw_flows(paths, optical_flow, title=None):
    """Draw the fastest moment of some clips, a row for each: the frame, the flow in
    colour with a colour wheel, the flow as arrows, each row on its own scale; returns
    the matplotlib figure.

    paths: a dict from name to a clip's path; optical_flow: function of two frames.
    """
    shape = {"figsize": (9.5, 2.3 * len(paths)), "layout": "constrained"}
    figure, axes = plt.subplots(len(paths), 3, squeeze=False, **shape)
    for row, (name, path) in zip(axes, paths.items(), strict=True):
        frame, flow = fastest_moment(path, optical_flow)
        fastest = max(np.quantile(np.linalg.norm(flow, axis=-1), 0.99), 1e-6)
        y, x = np.mgrid[5 : flow.shape[0] : 10, 5 : flow.shape[1] : 10]
        arrows = flow[y, x]
        moving = np.linalg.norm(arrows, axis=-1) > fastest / 10
        row[0].imshow(frame, cmap="gray")
        row[1].imshow(flow_colours(flow, fastest))
        row[2].imshow(frame, cmap="gray", alpha=0.35)
        scale = {"angles": "xy", "scale_units": "xy", "scale": fastest / 20}
        look = {"width": 0.006, "color": "tab:red", **scale}
        row[2].quiver(x[moving], y[moving], *arrows[moving].T, **look)
        for axis, text in zip(row, (name, "flow as colour", "as arrows"), strict=True):
            axis.set(xticks=[], yticks=[], title=text)
    key = axes[0, 1].inset_axes([0.7, 0.6, 0.29, 0.39])
    key.imshow(colour_wheel())
    key.set(xticks=[], yticks=[])
    figure.suptitle(title)
    return figure


def draw_histograms(histograms, title=None):
    """Draw flow histograms side by side, in each cell of the grid a ray for each
    direction, as long as the square root of what moves there, all on one scale; returns
    the matplotlib figure.

    histograms: a dict from name to (rows, columns, directions); direction 0 is to the
    right, a quarter of them is down.
    """
    shape = {"figsize": (3.6 * len(histograms), 3.4), "layout": "constrained"}
    figure, axes = plt.subplots(1, len(histograms), squeeze=False, **shape)
    longest = max(histogram.max() for histogram in histograms.values())
    for axis, (name, histogram) in zip(axes[0], histograms.items(), strict=True):
        rows, columns, directions = histogram.shape
        y, x, direction = np.indices(histogram.shape).reshape(3, -1)
        angle = 2 * np.pi * direction / directions
        length = 0.5 * np.sqrt(histogram.ravel() / max(longest, 1e-6))
        rays = length * np.cos(angle), length * np.sin(angle)
        look = {"angles": "xy", "scale_units": "xy", "scale": 1, "width": 0.015}
        look |= {"headwidth": 1, "headlength": 0, "headaxislength": 0, "minlength": 0}
        colours = plt.get_cmap("hsv")(direction / directions)
        axis.quiver(x, y, *rays, color=colours, **look)
        axis.set(xlim=(-0.6, columns - 0.4), ylim=(rows - 0.4, -0.6), aspect="equal")
        axis.set_xticks(np.arange(columns - 1) + 0.5, [])
        axis.set_yticks(np.arange(rows - 1) + 0.5, [])
        axis.grid(color="lightgrey")
        axis.set_title(name)
    figure.suptitle(title)
    return figure
