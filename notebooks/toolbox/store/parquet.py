"""What many processes computed of many clips: a folder of Parquet files, on a disk or
in a cloud.

A row is a clip, with all of its features; a file, or part, holds a few rows and is
whole or not there. The rows are the only memory of a run: whoever starts again finds in
them what is left to do.
"""

from pathlib import Path
from uuid import uuid4

from toolbox.page import progress
from toolbox.store.made import digest_of

import numpy as np
import pandas as pd
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
        # how many were looked at; 0 for a clip that can't be read
        "frames": pa.int32(),
        "features": pa.list_(pa.list_(pa.float32(), 512)),  # a row for each frame
    }
)


ABOUT = [name for name in SCHEMA.names if name != "features"]


UNFINISHED = ".partial-"


def clips_to_do(videos, source, of, per_second):
    """The work to do: a DataFrame of clip, class, group, path and version, a row for
    each clip.

    videos: DataFrame with `clip`, `class`, `group` and `video` (a path below `source`);
    of: what the features of a frame depend on, such as a network's `facts`. The
    version, a digest, changes with them, with the rate, and with the video's size and
    date.
    """
    paths = [Path(source) / video for video in videos["video"]]
    return videos[["clip", "class", "group"]].assign(
        path=[str(path) for path in paths],
        version=[digest_of(path, per_second, of)[:16] for path in paths],
    )


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
            self.files, self.root = (
                fs.LocalFileSystem(),
                Path(where).resolve().as_posix(),
            )
        self.files.create_dir(self.root)

    @property
    def local(self):
        """Whether the parts are files of this machine, or mounted here."""
        return isinstance(self.files, fs.LocalFileSystem)

    def listed(self):
        """The pyarrow FileInfo of all files in the folder, by name."""
        found = self.files.get_file_info(fs.FileSelector(self.root))
        return sorted(
            (info for info in found if info.is_file), key=lambda info: info.base_name
        )

    def paths(self):
        """The paths of the parts, sorted; files under a temporary name are left out."""
        return [
            info.path
            for info in self.listed()
            if info.extension == "parquet" and not info.base_name.startswith(UNFINISHED)
        ]

    @property
    def megabytes(self):
        """The size of all parts together."""
        return sum(info.size for info in self.listed()) / 1e6

    def write(self, rows, features):
        """Write clips as one part, whole or not at all. The same clips give the same
        file name again, so that work done twice is there once.

        rows: a dict of columns: clip, class, group, version and problem; features: a
        list of float32 arrays (frames, 512), with no frames for a clip that can't be
        read.
        """
        columns = {name: rows[name] for name in ABOUT if name != "frames"}
        columns["frames"] = [len(of_clip) for of_clip in features]
        values = pa.array(np.concatenate(features).astype("float32").ravel())
        starts = pa.array(np.cumsum([0, *columns["frames"]]).astype("int32"))
        by_frame = pa.FixedSizeListArray.from_arrays(values, 512)
        columns["features"] = pa.ListArray.from_arrays(starts, by_frame)
        content = pa.BufferOutputStream()
        pq.write_table(pa.table(columns, schema=SCHEMA), content)
        name = f"{digest_of(rows['clip'], rows['version'])[:16]}.parquet"
        # on a disk it is renamed when it's complete; in a cloud's store an object
        # appears when it's complete
        first = f"{UNFINISHED}{uuid4().hex[:8]}-{name}" if self.local else name
        with self.files.open_output_stream(f"{self.root}/{first}") as file:
            file.write(content.getvalue())
        if self.local:
            self.files.move(f"{self.root}/{first}", f"{self.root}/{name}")

    def tables(self, columns):
        """Yield (path, table) of all parts, with some columns; parts that were cut
        off or have other columns, as of an older version of the course, are removed,
        as are files under a temporary name.
        """
        useless = [
            info.path for info in self.listed() if info.base_name.startswith(UNFINISHED)
        ]
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
            print(f"files deleted in {self.root}, {reason}: {len(paths)}")

    def keep_finished(self, clips):
        """The names of the clips that are finished, a set; parts in which a clip is not
        are removed, so that all of their clips are done again.

        clips: DataFrame as from `clips_to_do`. A clip is finished if it's there with
        frames, in the version that the table names, once. Clips that the table doesn't
        name count as finished, too, but aren't returned.
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
        version, problem and frames, in the order of clips.
        """
        tables = [table for _, table in self.tables(ABOUT)]
        table = (
            pa.concat_tables(tables) if tables else SCHEMA.empty_table().select(ABOUT)
        )
        return table.to_pandas().sort_values("clip", ignore_index=True)

    def features(self):
        """The features of all clips that have frames: a dict from clip to float32
        (frames, 512).
        """
        found = {}
        for _, table in self.tables(["clip", "frames", "features"]):
            numbers = table["features"].combine_chunks().flatten().flatten().to_numpy()
            ends = np.cumsum(table["frames"].to_numpy())[:-1]
            of_clips = np.split(numbers.reshape(-1, 512), ends)
            found |= dict(zip(table["clip"].to_pylist(), of_clips, strict=True))
        return {clip: features for clip, features in found.items() if len(features)}

    def problems(self, clips):
        """What was odd about clips: a DataFrame of clip, frames (how many could be
        had) and problem. A clip of the table that has no row is listed, too.
        """
        rows = self.about()
        odd = rows.loc[
            rows["clip"].isin(clips["clip"]) & rows["problem"].ne(""),
            ["clip", "frames", "problem"],
        ]
        lost = clips.loc[~clips["clip"].isin(rows["clip"]), ["clip"]]
        lost = lost.assign(
            frames=0, problem="nothing came of it: its process died, or was stopped"
        )
        return pd.concat([odd, lost], ignore_index=True)


def go_on(clips, parts, compute, name="features"):
    """Compute what is not finished among the parts, with a progress bar; yields
    reports.

    clips: DataFrame as from `clips_to_do`; compute: a function from such a table to
    reports, dicts with `clips` (how many are done). Stopped at any moment, it goes on
    there when it's called again.
    """
    finished = parts.keep_finished(clips)
    todo = clips[~clips["clip"].isin(finished)]
    with progress(
        total=len(clips), initial=len(finished), desc=name, unit="clip"
    ) as bar:
        for report in compute(todo) if len(todo) else ():
            bar.update(report["clips"])
            yield report
