"""The toolbox of optical flow: pictures."""

from toolbox.plots.flow import draw_flows, fastest_moment, flow_colours, flow_film

import matplotlib.pyplot as plt
import numpy as np
from clips import write_clip


def difference(before, after):
    """Stands in for optical flow: how grey changes, in both directions."""
    return np.repeat((after.astype("float32") - before)[..., None], 2, axis=2)


def test_the_direction_of_motion_is_seen_in_colour():
    flow = np.zeros((20, 20, 2), "float32")
    flow[:10, :, 0], flow[10:, :, 0] = 2, -1
    picture = flow_colours(flow, fastest=2)
    assert picture.dtype == np.uint8 and picture.shape == (20, 20, 3)
    assert picture[0, 0].tolist() == [255, 0, 0]  # to the right: hue 0, red
    assert picture[-1, 0].tolist() == [0, 127, 127]  # to the left, half as fast


def test_pictures_of_a_clip(tmp_path):
    write_clip(tmp_path / "clip.avi", frames=12)
    frame, flow = fastest_moment(tmp_path / "clip.avi", difference)
    assert flow.shape == (*frame.shape, 2)
    paths = dict.fromkeys(["one", "other"], tmp_path / "clip.avi")
    figure = draw_flows(paths, difference, "title")
    assert [axis.get_title() for axis in figure.axes[::3][:2]] == ["one", "other"]
    plt.close(figure)
    frames, flows = flow_film(tmp_path / "clip.avi", difference, longest=5)
    assert len(frames) == len(flows) == 5 and frames[0].shape == flows[0].shape
