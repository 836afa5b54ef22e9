"""What many processes computed of many clips: a folder of Parquet files, or parts, on a
disk or in a cloud. A row is a clip; the rows are the only memory of a run.
"""

from pathlib import Path
from uuid import uuid4

from toolbox.page import progress
from toolbox.store.made import digest_of

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

SCHEMA = pa.schema(
    {
        "clip": pa.string(),
        "class": pa.string(),
        "group": pa.string(),
        "version": pa.string(),  # what the features depend on
        "problem": pa.string(),  # what was odd about the clip, or ""
        "frames": pa.int32(),  # looked at; 0 for a clip that can't be read
        "features": pa.list_(pa.list_(pa.float32())),  # a row for each frame
    }
)
ABOUT = [name for name in SCHEMA.names if name != "features"]
UNFINISHED = ".partial-"


def clips_to_do(videos, source, of, per_second):
    """The work to do: a DataFrame of clip, class, group, path and version, a row for
    each clip. videos: DataFrame with `clip`, `class`, `group` and `video` (a path below
    `source`); of: what features depend on beside the video and the rate, see
    `digest_of`; the version is a digest of all three.
    """
    paths = [Path(source) / video for video in videos["video"]]
    versions = [digest_of(path, per_second, of)[:16] for path in paths]
    table = videos[["clip", "class", "group"]]
    return table.assign(path=[*map(str, paths)], version=versions)


class Parts:
    """A folder of parts. where: its path, or a URI that pyarrow knows
    (s3://bucket/folder, gs://..., fsspec+...://...); it is made if it isn't there.
    Raises OSError, ValueError or pyarrow's errors if it can't be reached.
    """

    def __init__(self, where):
        where = str(where)
        if "://" in where:
            self.files, self.root = fs.FileSystem.from_uri(where)
        else:
            self.files, self.root = fs.LocalFileSystem(), Path(where).resolve()
            self.root = self.root.as_posix()
        self.files.create_dir(self.root)

    @property
    def local(self):
        """Whether the parts are files of this machine, or mounted here."""
        return isinstance(self.files, fs.LocalFileSystem)

    def listed(self):
        """The pyarrow FileInfo of all Parquet files in the folder, by name."""
        found = self.files.get_file_info(fs.FileSelector(self.root))
        found = (info for info in found if info.extension == "parquet")
        return sorted(found, key=lambda info: info.base_name)

    def paths(self, finished=True):
        """The paths of the parts, or of those under their temporary names, sorted."""
        named = ((info.path, info.base_name) for info in self.listed())
        return [path for path, n in named if n.startswith(UNFINISHED) != finished]

    @property
    def megabytes(self):
        """The size of all parts together."""
        return sum(info.size for info in self.listed()) / 1e6

    def write(self, rows, features):
        """Write clips as one part, whole or not at all; the same ones under the same
        name. rows: a dict of columns: clip, class, group, version and problem;
        features: a list of float32 (frames, d), no frames where a clip is unreadable.
        """
        columns = {name: rows[name] for name in ABOUT if name != "frames"}
        columns["frames"] = [len(of_clip) for of_clip in features]
        of_frames = np.concatenate(features).astype("float32")
        ends = np.arange(len(of_frames) + 1) * of_frames.shape[1]
        starts = np.cumsum([0, *columns["frames"]])
        of_frames = pa.ListArray.from_arrays(ends.astype("int32"), of_frames.ravel())
        of_clips = pa.ListArray.from_arrays(starts.astype("int32"), of_frames)
        columns["features"] = of_clips
        content = pa.BufferOutputStream()
        pq.write_table(pa.table(columns, schema=SCHEMA), content)
        name = f"{digest_of(rows['clip'], rows['version'])[:16]}.parquet"
        # a cloud's store shows an object when it's complete; on a disk, a new name does
        first = f"{UNFINISHED}{uuid4().hex[:8]}-{name}" if self.local else name
        with self.files.open_output_stream(f"{self.root}/{first}") as file:
            file.write(content.getvalue())
        if self.local:
            self.files.move(f"{self.root}/{first}", f"{self.root}/{name}")

    def tables(self, columns):
        """Yield (path, table) of all parts, with some columns; parts that were cut
        off, lack columns or have a temporary name are removed.
        """
        useless = self.paths(finished=False)
        for path in self.paths():
            try:
                table = pq.read_table(path, columns=columns, filesystem=self.files)
            except (pa.ArrowInvalid, EOFError):
                useless.append(path)  # Parquet's table of contents stands at the end
            else:
                yield path, table
        self.delete(useless, "half-written, or of an older version of the course")

    def delete(self, paths, reason):
        """Delete files, and print a line that says how many and why."""
        for path in paths:
            self.files.delete_file(path)
        if paths:
            print(f"files deleted in {Path(self.root).name}, {reason}: {len(paths)}")

    def keep_finished(self, clips):
        """The names of those clips (a DataFrame as from `clips_to_do`) that are there
        with frames, in their version, once: a set. Parts in which one is not are
        removed, so that all of their clips are done again.
        """
        version = dict(zip(clips["clip"], clips["version"], strict=True))
        finished, stale = set(), []
        for path, table in self.tables(["clip", "version", "frames"]):
            rows = [row for row in table.to_pylist() if row["clip"] in version]
            if all(
                row["frames"] > 0
                and row["version"] == version[row["clip"]]
                and row["clip"] not in finished
                for row in rows
            ):
                finished |= {row["clip"] for row in rows}
            else:
                stale.append(path)
        self.delete(stale, "whose clips are done again")
        return finished

    def about(self):
        """What there is, without the features: a DataFrame of clip, class, group,
        version, problem and frames, in the order of clips. A clip that two parts hold,
        since a process was killed before it could report the first, counts once.
        """
        tables = [SCHEMA.empty_table().select(ABOUT)]
        tables += [table for _, table in self.tables(ABOUT)]
        table = pa.concat_tables(tables).to_pandas()
        table = table.drop_duplicates(["clip", "version"])
        return table.sort_values("clip", ignore_index=True)

    def features(self):
        """The features of clips that have frames: a dict to float32 (frames, d)."""
        found = {}
        for _, table in self.tables(["clip", "frames", "features"]):
            numbers = table["features"].combine_chunks().flatten().flatten().to_numpy()
            ends = np.cumsum(table["frames"].to_numpy())[:-1]
            count = table["frames"].to_numpy().sum()
            rows = numbers.reshape(count, len(numbers) // max(count, 1))
            of_clips = np.split(rows, ends)
            found |= dict(zip(table["clip"].to_pylist(), of_clips, strict=True))
        return {clip: features for clip, features in found.items() if len(features)}

    def problems(self, clips):
        """What was odd about clips, those without a row among them: a DataFrame of
        clip, frames (how many could be had) and problem.
        """
        rows = clips[["clip"]].merge(self.about(), "left", on="clip")
        lost = {"frames": 0, "problem": "nothing came of it: its process was stopped"}
        rows = rows[["clip", "frames", "problem"]].fillna(lost)
        return (
            rows[rows["problem"] != ""].astype({"frames": int}).reset_index(drop=True)
        )


def go_on(clips, parts, compute, name="features"):
    """Compute what is not finished among the parts, with a progress bar; yields the
    reports of `compute`, a function from a DataFrame as from `clips_to_do` to dicts
    with `clips` (how many are done). Stopped at any moment, it goes on there.
    """
    finished = parts.keep_finished(clips)
    todo = clips[~clips["clip"].isin(finished)]
    bar = {"total": len(clips), "initial": len(finished), "desc": name, "unit": "clip"}
    with progress(**bar) as bar:
        for report in compute(todo) if len(todo) else ():
            bar.update(report["clips"])
            yield report
