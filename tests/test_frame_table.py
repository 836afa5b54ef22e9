"""Notebook 02: a label for each frame."""

from toolbox.clips.clip_table import make_video_table
from toolbox.clips.extract import extract_frames

import pytest
from clips import make_dataset, write_clip

from lessons.frame_table import build_frame_table
from lessons.frames import extract_clip


@pytest.fixture
def frames(tmp_path):
    """The frames of a dataset: their folder, and the table of clips."""
    source = make_dataset(tmp_path / "set", groups=2, clips=1, frames=5)
    write_clip(source / "Run" / "v_Run_g03_c01.avi", frames=26, fps=2)
    videos, _ = make_video_table(source)
    extract_frames(extract_clip, videos, source, tmp_path / "train_1")
    return tmp_path / "train_1", videos


def test_each_frame_gets_its_clips_class_and_group_in_the_order_of_time(frames):
    folder, videos = frames
    table, left_out = build_frame_table(folder, videos)
    assert list(table.columns) == ["image", "class", "video", "group"]
    assert left_out.empty and len(table) == len(list(folder.iterdir()))
    for image, label, video, group in table.to_numpy():
        assert image.startswith(video.split("/")[1].removesuffix(".avi") + "_frame")
        assert video.split("/")[0] == label and f"_{group}_" in image
    long = table.loc[table["video"] == "Run/v_Run_g03_c01.avi", "image"]
    assert long.tolist() == [f"v_Run_g03_c01_frame{k}.jpg" for k in range(13)]


def test_what_cannot_be_used_is_left_out_with_a_reason(frames):
    folder, videos = frames
    whole = (folder / "v_Run_g01_c01_frame0.jpg").read_bytes()
    foreign = {"foreign.jpg", "v_Run_g09_c01_frame0.jpg", "v_Run_g01_c01_frameX.jpg"}
    for name in foreign:
        (folder / name).write_bytes(whole)
    (folder / "v_Walk_g01_c01_frame0.jpg").write_bytes(whole[:300])
    table, left_out = build_frame_table(folder, videos)
    reasons = left_out.set_index("image")["reason"]
    assert "not whole" in reasons.pop("v_Walk_g01_c01_frame0.jpg")
    assert set(reasons.index) == foreign and len(set(reasons)) == 1
    assert len(table) == 2 + 13 + 1 and not set(table["image"]) & set(left_out["image"])


def test_a_class_is_never_read_off_a_file_name(frames):
    folder, videos = frames
    name = "v_Walk_g01_frame1_frame0.jpg"
    (folder / "v_Run_g01_c01_frame0.jpg").rename(folder / name)
    odd = {"clip": "v_Walk_g01_frame1", "video": "Run/odd.avi", "class": "$5 vs 10"}
    table, _ = build_frame_table(folder, videos.iloc[:1].assign(**odd, group="g08"))
    assert table.to_numpy().tolist() == [[name, "$5 vs 10", "Run/odd.avi", "g08"]]


def test_no_frames_at_all(frames, tmp_path):
    (tmp_path / "empty").mkdir()
    for name in ("empty", "missing"):
        with pytest.raises(FileNotFoundError, match=rf"{name} holds .*Run notebook 01"):
            build_frame_table(tmp_path / name, frames[1])
