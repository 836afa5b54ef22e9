"""The rows of `results.json`."""

import json

from toolbox.files import whole_file

import pandas as pd


def record_results(path, notebook, rows):
    """Write a notebook's rows into `results.json`, replacing the rows it had there; returns all
    rows as a DataFrame.
    """
    others = (
        [row for row in json.loads(path.read_text(encoding="utf-8")) if row["notebook"] != notebook]
        if path.exists()
        else []
    )
    rows = sorted(
        others + [{"notebook": notebook, **row} for row in rows], key=lambda row: row["notebook"]
    )
    with whole_file(path) as temporary:
        temporary.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    return pd.DataFrame(rows)
