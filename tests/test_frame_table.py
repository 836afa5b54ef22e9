"""Notebook 02: a label for each frame."""

from toolbox.clips.clip_table import make_video_table
from toolbox.clips.extract import extract_frames

import pytest
from clips import make_dataset, write_clip

from lessons.frame_table import build_frame_table
from lessons.frames import extract_clip


@pytest.fixture
def frames(tmp_path):
    """A dataset and its frames: (folder of frames, table of clips, source)."""
    source = make_dataset(tmp_path / "set", groups=2, clips=1, frames=5)
    write_clip(source / "Run" / "v_Run_g03_c01.avi", frames=26, fps=2)
    videos, _ = make_video_table(source)
    extract_frames(extract_clip, videos, source, tmp_path / "train_1")
    return tmp_path / "train_1", videos, source


def test_each_frame_gets_the_class_and_group_of_its_clip(frames):
    folder, videos, _ = frames
    table, left_out = build_frame_table(folder, videos)
    assert list(table.columns) == ["image", "class", "video", "group"]
    assert left_out.empty
    assert sorted(table["image"]) == sorted(path.name for path in folder.iterdir())
    for row in table.itertuples():
        assert row.image.startswith(
            row.video.split("/")[1].removesuffix(".avi") + "_frame"
        )
        assert row.video.split("/")[0] == table.loc[row.Index, "class"]
        assert f"_{row.group}_" in row.image


def test_frames_are_in_the_order_of_time(frames):
    folder, videos, _ = frames
    table, _ = build_frame_table(folder, videos)
    long = table.loc[table["video"] == "Run/v_Run_g03_c01.avi", "image"]
    assert long.tolist() == [f"v_Run_g03_c01_frame{k}.jpg" for k in range(13)]
    assert table.drop_duplicates("video")["video"].tolist() == videos["video"].tolist()


def test_what_cannot_be_used_is_left_out_with_a_reason(frames):
    folder, videos, _ = frames
    whole = (folder / "v_Run_g01_c01_frame0.jpg").read_bytes()
    for name in ("foreign.jpg", "v_Run_g09_c01_frame0.jpg", "v_Run_g01_c01_frameX.jpg"):
        (folder / name).write_bytes(whole)
    (folder / "v_Walk_g01_c01_frame0.jpg").write_bytes(whole[:300])
    (folder / "notes.txt").write_text("not a frame")
    table, left_out = build_frame_table(folder, videos)
    assert dict(zip(left_out["image"], left_out["reason"], strict=True)) == {
        "foreign.jpg": "of no known clip",
        "v_Run_g09_c01_frame0.jpg": "of no known clip",
        "v_Run_g01_c01_frameX.jpg": "of no known clip",
        "v_Walk_g01_c01_frame0.jpg": "not a complete JPEG file: run notebook 01 again",
    }
    assert len(table) == 2 + 13 + 1
    assert not set(table["image"]) & set(left_out["image"])


def test_a_class_is_never_read_off_a_file_name(frames):
    """Names that say Walk, and clip names that hold `_frame1`, mislead nobody."""
    folder, videos, _ = frames
    whole = (folder / "v_Run_g01_c01_frame0.jpg").read_bytes()
    for name in ("v_Walk_g01_frame1_frame0.jpg", "v_Walk_g01_frame1_frame10.jpg"):
        (folder / name).write_bytes(whole)
    odd = videos.iloc[:1].assign(
        clip="v_Walk_g01_frame1", video="Run/odd.avi", group="g08"
    )
    odd["class"] = "$5 vs 10"
    table, left_out = build_frame_table(folder, odd)
    assert table.to_numpy().tolist() == [
        ["v_Walk_g01_frame1_frame0.jpg", "$5 vs 10", "Run/odd.avi", "g08"],
        ["v_Walk_g01_frame1_frame10.jpg", "$5 vs 10", "Run/odd.avi", "g08"],
    ]
    assert set(left_out["reason"]) == {"of no known clip"}


@pytest.mark.parametrize("make", [True, False])
def test_no_frames_at_all(frames, tmp_path, make):
    if make:
        (tmp_path / "empty").mkdir()
    with pytest.raises(
        FileNotFoundError, match=r"empty holds no frames to use.*Run notebook 01 first"
    ):
        build_frame_table(tmp_path / "empty", frames[1])
