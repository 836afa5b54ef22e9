"""Extracting the frames of many clips, once and into one folder."""

from toolbox.clips.clip_table import clip_names, find_videos
from toolbox.clips.extract import extract_frames

import pytest
from clips import cut, files_of, make_dataset, write_clip

from lessons.frames import extract_clip


def table_of(folder):
    """The clips of a dataset, without opening them."""
    videos = find_videos(folder)
    videos["clip"] = clip_names(videos)
    return videos


@pytest.fixture
def extracted(tmp_path):
    """A dataset whose frames were extracted: (videos, source, folder)."""
    source = make_dataset(tmp_path / "set", groups=2, clips=1, frames=51)
    videos = table_of(source)
    report = extract_frames(extract_clip, videos, source, tmp_path / "train_1")
    assert report["clip"].tolist() == videos["clip"].tolist()
    assert set(report["frames"]) == {3} and set(report["problem"]) == {""}
    return videos, source, tmp_path / "train_1"


def times_of(folder):
    """When each file of a folder was written."""
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}


def test_all_frames_of_a_dataset_are_there_and_kept(extracted):
    videos, _, folder = extracted
    before = times_of(folder)
    assert set(before) == {
        f"{clip}_frame{k}.jpg" for clip in videos["clip"] for k in range(3)
    }
    assert extract_frames(extract_clip, *extracted)["frames"].tolist() == [3] * 4
    assert times_of(folder) == before


def test_another_clip_rate_or_table_is_another_folder(extracted):
    videos, source, folder = extracted
    write_clip(source / videos["video"][1], frames=5)
    report = extract_frames(extract_clip, *extracted)
    assert report["frames"].tolist() == [3, 1, 3, 3] and len(files_of(folder)) == 10
    report = extract_frames(extract_clip, *extracted, per_second=5)
    assert report["frames"].tolist() == [11, 1, 11, 11] and len(files_of(folder)) == 34
    extract_frames(extract_clip, videos[1:], source, folder)
    assert len(files_of(folder)) == 7


def test_bad_clips_are_reported_each_time_and_the_rest_extracted(tmp_path):
    folder = make_dataset(tmp_path / "set", groups=2, clips=1, frames=60)
    (folder / "Run" / "a_empty.avi").write_bytes(b"")
    (folder / "Run" / "b_missing.avi").write_bytes(b"")
    write_clip(folder / "Run" / "wide.mkv", frames=2, size=(65_600, 16), codec="MPNG")
    cut(write_clip(folder / "Walk" / "z_half.avi", 100, size=(320, 240)), 0.6)
    videos = table_of(folder)
    (folder / "Run" / "b_missing.avi").unlink()
    for _ in range(2):
        report = extract_frames(extract_clip, videos, folder, tmp_path / "train_1")
        report = report.set_index("clip")
        assert report.index.tolist() == videos["clip"].tolist()
        assert report["problem"]["a_empty"] == "the file is empty"
        assert report["problem"]["b_missing"] == "the file is missing"
        assert "too many for JPEG" in report["problem"]["wide"]
        assert report["problem"]["z_half"].startswith("breaks off after ")
        assert report["frames"]["z_half"] in (2, 3)
        assert report["frames"].drop("z_half").tolist() == [0, 0, 3, 3, 0, 3, 3]
        assert len(files_of(tmp_path / "train_1")) == report["frames"].sum()


def test_frames_before_an_undecodable_one_are_kept(tmp_path):
    def fails_at_the_third(path, clip, folder, per_second):
        extract_clip(path, clip, folder, 25)
        (folder / f"{clip}_frame2.jpg").unlink()
        raise ValueError("frame 2 can't be decoded")

    source = make_dataset(tmp_path / "set", groups=1, clips=1, frames=3)
    place = table_of(source), source, tmp_path / "train_1"
    report = extract_frames(fails_at_the_third, *place)
    told = [2, "frame 2 can't be decoded"]
    assert report[["frames", "problem"]].to_numpy().tolist() == [told, told]
    assert len(files_of(tmp_path / "train_1")) == 4
