"""An extra: what a video network pretrained on Kinetics-400 sees in clips. Needs
PyTorch.
"""

from itertools import islice

from toolbox.clips import frames_shown
from toolbox.models.clip_features import as_array, features_of_clips

import cv2
import numpy as np

RATE, FRAMES = 15, 16  # frames a second, and at once: what the network was trained on
WINDOWS = 4  # of a clip, at most
LONGEST = 60  # seconds; what comes later isn't looked at
RESIZE, CROP = (171, 128), 112  # (width, height) and the side of the middle, in pixels
MEAN, DEVIATION = (0.43216, 0.394666, 0.37645), (0.22803, 0.22145, 0.216989)  # of RGB
WEIGHTS = "R2Plus1D_18_Weights.KINETICS400_V1"


def video_network(weights=WEIGHTS):
    """torchvision's R(2+1)D-18 (Tran et al. 2018) without its last layer, ready to
    answer: clips (n, 3, 16, 112, 112) to features (n, 512). weights: the name of
    torchvision's (fetched once, 120 MB), or None for random ones. Raises ImportError or
    RuntimeError without a working PyTorch, OSError if they can't be fetched.
    """
    import torch
    from torchvision.models import get_weight
    from torchvision.models.video import r2plus1d_18

    weights = get_weight(weights) if weights else None
    network = r2plus1d_18(weights=weights, progress=False)
    network.fc = torch.nn.Identity()
    return network.eval()


def windows_of_frames(path, windows=WINDOWS):
    """Up to `windows` windows of 16 successive frames at 15 a second, evenly spaced
    over a video, as the network takes them: float32 (m, 3, 16, 112, 112). A shorter
    video is one window, its last frame standing still. Raises ValueError if it can't
    be read.
    """
    shown = islice(frames_shown(path, RATE), LONGEST * RATE)
    frames = np.stack([prepare(frame) for frame in shown])
    still = np.repeat(frames[-1:], max(0, FRAMES - len(frames)), axis=0)
    frames = np.concatenate([frames, still])
    most = min(windows, -(-len(frames) // FRAMES))
    starts = np.linspace(0, len(frames) - FRAMES, most).round().astype(int)
    cut = np.stack([frames[start : start + FRAMES] for start in starts])
    return np.ascontiguousarray(cut.transpose(0, 4, 1, 2, 3))


def prepare(frame):
    """A BGR frame (height, width, 3) as the network's training had it: RGB, the middle
    112 x 112 of 171 x 128 pixels, float32, standardised by Kinetics' colours.
    """
    small = cv2.resize(frame, RESIZE, interpolation=cv2.INTER_LINEAR)
    top, left = (round((side - CROP) / 2) for side in small.shape[:2])
    middle = small[top : top + CROP, left : left + CROP, ::-1].astype("float32") / 255
    return (middle - np.float32(MEAN)) / np.float32(DEVIATION)


def kinetics_clips(dataset, videos, weights=WEIGHTS):
    """What a network pretrained on Kinetics-400 sees in clips, kept in
    `data/<dataset>/kinetics/`: an array (n,) of features, each float32 (windows, 512).
    None, after a line that says why, where PyTorch or the weights can't be had.

    videos: DataFrame with `clip` and `video`, whose files can be read; weights: see
    `video_network`. Raises ValueError with the reasons if a clip can't be read.
    """
    try:
        network = video_network(weights)
        import torch
    except (ImportError, RuntimeError) as error:  # or versions that don't go together
        print(f"skipped, {error}: `pip install torch torchvision`, then run this again")
        return None
    except OSError as error:
        print(f"skipped: the weights can't be fetched ({error})")
        return None

    def look(path, odd):
        with torch.inference_mode():
            return network(torch.from_numpy(windows_of_frames(path))).numpy()

    made_from = ["R(2+1)D-18", weights, RATE, FRAMES, WINDOWS]
    where = dataset.folder, dataset.data / "kinetics"
    features, problems = features_of_clips(look, videos, *where, made_from)
    if len(features) < len(videos):
        raise ValueError(f"Some clips can't be read: {problems}")
    return as_array([features[clip] for clip in videos["clip"]])
