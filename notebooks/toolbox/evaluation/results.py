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
