"""Notebook 05's evaluation as one function, for the comparisons here."""

from toolbox.clips import extract_frames
from toolbox.models import extract_features, predict_features

from lessons.frame_table import build_frame_table
from lessons.frames import extract_clip
from lessons.voting import majority_vote


def vote(videos, source, network, head, scale, folder):
    """Classify clips by majority vote. Returns the indices of their classes (None for a
    clip that has no frames) and how many frames voted.

    videos: DataFrame as of `make_video_table`; source: the folder of its videos; head:
    of notebook 04, for features divided by `scale`; folder: for frames and features,
    which stay there.
    """
    frames_folder, target = folder / "frames", folder / "features.npy"
    extract_frames(extract_clip, videos, source, frames_folder)
    table, _ = build_frame_table(frames_folder, videos)
    extract_features(
        [frames_folder / image for image in table["image"]], network, target
    )
    probabilities = predict_features(head, target, scale)
    rows = table.groupby("video").indices
    votes = {video: majority_vote(probabilities[mine]) for video, mine in rows.items()}
    return [votes.get(video) for video in videos["video"]], len(table)
