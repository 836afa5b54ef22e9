"""UCF11's public archive, laid out as the course reads it."""

import shutil
from pathlib import Path

from toolbox.clips import make_video_table

import pytest
import ucf11

MOCAP = Path(__file__).parent.parent / "data" / "mocap"


def archive_of(folder, classes=ucf11.CLASSES):
    """Named as in the archive: four groups of a class, two clips each, and a note."""
    clips = iter(sorted(MOCAP.glob("videos/*/*.avi")))  # all different
    for name in [*classes, "swing"]:
        for group in ("01", "02", "03", "04"):
            inside = folder / name / f"v_shot_{group}"
            inside.mkdir(parents=True)
            for number in ("01", "02"):
                shutil.copy(next(clips), inside / f"v_shot_{group}_{number}.avi")
        (folder / name / "Annotation").mkdir()
    return folder


def test_three_groups_of_nine_classes_are_copied_and_listed(tmp_path):
    target = tmp_path / "ucf11"
    found = ucf11.lay_out(archive_of(tmp_path / "archive"), target)
    assert len(found["trainlist01.txt"]) == 36 and len(found["testlist01.txt"]) == 18
    assert found["testlist01.txt"][0] == "Basketball/v_Basketball_g03_c01.avi"
    on_disk = {path.relative_to(target).as_posix() for path in target.glob("*/*")}
    assert on_disk == {copy for copies in found.values() for copy in copies}


def test_the_course_reads_its_groups_and_its_parts(tmp_path):
    ucf11.lay_out(archive_of(tmp_path / "archive"), tmp_path / "ucf11")
    videos, unreadable = make_video_table(tmp_path / "ucf11")
    assert unreadable.empty
    assert set(videos["class"]) == set(ucf11.CLASSES.values())
    parts = videos.groupby("part")["group"].unique().map(sorted).to_dict()
    assert parts == {"test": ["g03"], "train": ["g01", "g02"]}


def test_a_class_without_clips_is_named(tmp_path):
    archive = archive_of(tmp_path, ["basketball"])
    with pytest.raises(FileNotFoundError, match="biking"):
        ucf11.lay_out(archive, tmp_path / "ucf11")
