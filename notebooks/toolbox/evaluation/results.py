"""The rows of `results.json`: one for each measured number of the course."""

import json

from toolbox.store import read_json, whole

import pandas as pd


def read_results(path):
    """All rows of `results.json` as a DataFrame (notebook, method, level, part,
    accuracy, low, high, n, groups, chance), in the notebooks' order; empty if there is
    no file.

    Raises ValueError, with the file's name, if it is damaged.
    """
    return pd.DataFrame(read_json(path, list))


def record_results(path, notebook, rows):
    """Write a notebook's rows (a list of dicts) into `results.json`, in place of
    those that it had there; returns all rows as a DataFrame, as `read_results` does.
    """
    others = [row for row in read_json(path, list) if row["notebook"] != notebook]
    rows = sorted(
        others + [{"notebook": notebook, **row} for row in rows],
        key=lambda row: row["notebook"],
    )
    with whole(path) as temporary:
        temporary.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    return read_results(path)


def side_by_side(folder, notebook, part):
    """The accuracies that a notebook measured on each dataset below a folder, in per
    cent: a DataFrame with a row for each method and a column for each `results.json`.

    part: which rows count: "validation", "test" or "all groups".
    """
    columns = []
    for path in sorted(folder.glob("*/results.json")):
        rows = read_results(path)
        rows = rows[(rows["notebook"] == notebook) & (rows["part"] == part)]
        column = 100 * rows.set_index("method")["accuracy"]
        columns.append(column.rename(f"{path.parent.name}, n = {rows['n'].max()}"))
    columns = [column for column in columns if len(column)]
    return pd.concat(columns, axis=1) if columns else pd.DataFrame()
