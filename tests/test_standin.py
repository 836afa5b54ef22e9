"""The stand-in for UCF101 that the benchmarks run on."""

from ucf101_standin import MOCAP, build

from framevote.videos import make_video_table


def test_a_stand_in_has_the_names_of_the_lists_over_built_in_clips(tmp_path):
    lists = tmp_path / "lists"
    lists.mkdir()
    names = [
        f"{label}/v_{label}_g{group:02}_c{take:02}.avi"
        for label in ("Archery", "Diving", "Punch")
        for group in (1, 8, 25)
        for take in (1, 2, 7)
    ]
    for part, groups in (("train", ("g08", "g25")), ("test", ("g01",))):
        mine = [name for name in names if name.split("_")[-2] in groups]
        (lists / f"{part}list01.txt").write_text("\n".join(mine))
    assert build(lists, tmp_path / "standin") == len(names)
    assert build(lists, tmp_path / "standin") == len(names)  # what is there stays
    table, unreadable = make_video_table(tmp_path / "standin")
    assert unreadable.empty
    assert sorted(f"{row['class']}/{row['clip']}.avi" for _, row in table.iterrows()) == names
    assert set(table.loc[table["part"] == "test", "group"]) == {"g01"}
    known = {path.read_bytes() for path in MOCAP.glob("*/*.avi")}
    assert all((tmp_path / "standin" / "UCF-101" / name).read_bytes() in known for name in names)
