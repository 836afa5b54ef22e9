"""Extracting the frames of many clips, once and into one folder."""

from toolbox.clips.clip_table import clip_names, find_videos
from toolbox.clips.extract import extract_frames

from clips import cut, files_of, make_dataset, write_clip

from lessons.frames import extract_clip


def table_of(folder):
    """The clips of a dataset, without opening them."""
    videos = find_videos(folder)
    return videos.assign(clip=clip_names(videos))


def test_frames_are_kept_until_a_clip_the_rate_or_the_table_changes(tmp_path):
    source = make_dataset(tmp_path / "set", groups=2, clips=1, frames=51)
    videos, folder = table_of(source), tmp_path / "train_1"

    def frames(videos=videos, per_second=1):
        report = extract_frames(extract_clip, videos, source, folder, per_second)
        assert report["clip"].tolist() == videos["clip"].tolist()
        assert set(report["problem"]) == {""}
        assert len(files_of(folder)) == report["frames"].sum()
        written = [path.stat().st_mtime_ns for path in folder.iterdir()]
        return report["frames"].tolist(), written

    first = frames()
    names = {f"{clip}_frame{k}.jpg" for clip in videos["clip"] for k in range(3)}
    assert first[0] == [3, 3, 3, 3] and set(files_of(folder)) == names
    assert frames() == first
    write_clip(source / videos["video"][1], frames=5)
    assert frames()[0] == [3, 1, 3, 3]
    assert frames(per_second=5)[0] == [11, 1, 11, 11]
    assert frames(videos[1:])[0] == [1, 3, 3]


def test_bad_clips_are_reported_each_time_and_the_rest_extracted(tmp_path):
    source, folder = tmp_path / "set", tmp_path / "train_1"
    write_clip(source / "Run" / "missing.avi")
    write_clip(source / "Run" / "wide.mkv", frames=2, size=(65_600, 16), codec="MPNG")
    write_clip(source / "Run" / "good.avi")
    cut(write_clip(source / "Walk" / "half.avi", 100, size=(320, 240)), 0.6)
    videos = table_of(source)
    (source / "Run" / "missing.avi").unlink()
    odd = {"missing": "is missing", "wide": "too many for JPEG", "half": "breaks off"}
    for _ in range(2):
        report = extract_frames(extract_clip, videos, source, folder)
        report = report.set_index("clip")
        assert all(odd[clip] in report["problem"][clip] for clip in odd)
        assert report["problem"]["good"] == "" and report["frames"]["half"] in (2, 3)
        assert len(files_of(folder)) == report["frames"].sum()
