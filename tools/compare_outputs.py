"""Compare the numbers of your run with the committed ones: `make compare`, or `python
tools/compare_outputs.py [NUMBER ...]`, such as 05 06; default: all that were run on
mocap.

What a notebook printed comes from `executed/mocap/`, what it recorded from
`data/mocap/results.json`. Speeds, times and progress bars don't count.
"""

import math
import re
import sys
from itertools import chain

from course import COURSE, NOTEBOOKS, exit_with

from toolbox.evaluation import read_results

import nbformat
import pandas as pd

# In points of accuracy, and of other percentages. Other processors round otherwise
# (VGG16 works in bfloat16 on some), so a network's training takes another course: up
# to 6 points of the test clips, and 10 of the clips of two classes.
TOLERANCE = 10
# nothing is learned there yet: all numbers must be the same
EXACT = ("00", "01", "02", "03")
SPEED = r"[\d.,]+ ?(s|ms|min|minutes?|seconds?|MB|GB|[a-z]+/s|[a-z]+ a second)\b"
NOISE = rf"\x1b\[[\d;]*m|<[^>\n]*>|.*(%\||it/s).*|notebook \d\d|{SPEED}"
NUMBER = r"(?<![\w.])([-+]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?)(%|\b)"


def main():
    """Print the numbers that differ; the exit code is 1 if one is off by more than
    the tolerance, or missing.
    """
    executed, chosen = COURSE / "executed" / "mocap", sys.argv[1:] or [""]
    paths = [NOTEBOOKS.glob(f"{number}*.ipynb") for number in chosen]
    run = [path for path in sorted(chain(*paths)) if (executed / path.name).exists()]
    if not run:
        sys.exit("None of these was run on mocap yet: make course DATASET=mocap")
    print("compared:", " ".join(path.name[:2] for path in run))
    rows = pd.DataFrame([row for path in run for row in differences(path, COURSE)])
    failed = int(rows["off"].sum()) if len(rows) else 0
    print(rows.to_string(index=False) if len(rows) else "No number differs.")
    print(f"\nOff, by over {TOLERANCE} points or where nothing may differ: {failed}")
    return int(failed > 0)


def recorded(path, number):
    """The accuracies in per cent that a notebook recorded in `results.json`: a dict
    from the method, level and part.
    """
    rows = read_results(path)
    return {
        f"{row.method}, {row.level}, {row.part}": round(100 * row.accuracy, 1)
        for row in rows.itertuples()
        if row.notebook == number
    }


def differences(path, course):
    """What differs between the notebook at a path and its run on mocap, in what it
    recorded and in what its cells print: a list of dicts, one row for a recorded
    accuracy, one for a cell (its largest difference).
    """
    number, before = path.name[:2], nbformat.read(path, as_version=4)
    after = nbformat.read(course / "executed" / "mocap" / path.name, as_version=4)
    results = recorded(course / "data" / "mocap" / "results.json", number)
    known = before.metadata.get("framevote", {}).get("results", {})
    rows = [
        row_of(number, name, known.get(name), results.get(name), TOLERANCE)
        for name in (known | results if known else {})
    ]
    cells = {cell.id: cell for cell in after.cells}
    points, others = (0, 0) if number in EXACT else (TOLERANCE, math.inf)
    for cell in before.cells:
        old, new = printed(cell), printed(cells.get(cell.id, {}))
        if len(old) != len(new):
            old, new = [(len(old), "")], [(len(new), "")]  # how many there are
        found = [
            row_of(number, cell.id, one, other, points if unit == "%" else others)
            for (one, unit), (other, _) in zip(old, new, strict=True)
        ]
        rows += sorted(found, key=lambda row: (row["off"], abs(row["difference"])))[-1:]
    return [row for row in rows if row["difference"]]


def printed(cell):
    """The numbers that a cell printed, without those of speeds and progress bars: a
    list of (number, "%" or "").
    """
    outputs = cell.get("outputs", [])
    texts = [o.get("text") or o.get("data", {}).get("text/plain", "") for o in outputs]
    found = re.findall(NUMBER, re.sub(NOISE, "", "\n".join(texts)))
    return [(float(number.replace(",", "")), unit) for number, unit in found]


def row_of(number, where, committed, yours, limit):
    """A row of the table; a recorded accuracy that one side lacks is None, and off."""
    difference = math.nan if None in (committed, yours) else round(yours - committed, 6)
    row = {"notebook": number, "where": where, "committed": committed, "yours": yours}
    return row | {"difference": difference, "off": not abs(difference) <= limit}


if __name__ == "__main__":
    exit_with(main)
