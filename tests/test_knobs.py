"""toolbox.page.knobs, and the knobs of the notebooks."""

import ast
import re

from toolbox.page.knobs import check_knobs

import nbformat
import pytest
from clips import COURSE


def test_knobs_in_their_range_pass():
    check_knobs(LOW=(0.1, 0.1, 0.5), WHOLE_FOR_A_NUMBER=(1, 0.5, 10.0))
    check_knobs(WHOLE=(16, 1, 16), THREADS=(None, 1, 16, None))
    check_knobs(WAY=(None, [None, "keras"]), SPLIT=("a", ["b", "a"]))


ODD = [(30, 0.1, 0.5), (-1, 0.5, 10.0), (float("nan"), 0.5, 10.0), ("1", 0.5, 10.0)]
ODD += [(2.5, 1, 16), (True, 1, 16), (None, 1, 16), (0, 1, 16, None), ("c", ["a", "b"])]


@pytest.mark.parametrize("knob", ODD)
def test_others_are_told_with_their_range(knob):
    with pytest.raises(ValueError, match="KNOB = ") as caught:
        check_knobs(FINE=(1, 1, 2), KNOB=knob)
    told = knob[1] if isinstance(knob[1], list) else knob[1:3]
    assert all(str(end) in str(caught.value) for end in told)


@pytest.mark.parametrize("path", sorted((COURSE / "notebooks").glob("*.ipynb")))
def test_the_ranges_that_a_page_prints_are_those_it_checks(path):
    """The range stands in the comment above a knob or behind it: "(4 to 64)",
    "(FRAMES to 128)".
    """
    cells = [c for c in nbformat.read(path, 4).cells if c.cell_type == "code"]
    [page] = [c.source for c in cells if "parameters" in c.metadata.get("tags", [])]
    values, printed, checked = {}, {}, {}
    exec(page, values)
    knobs = re.findall(r"((?:^#.*\n)*)^(\w+) = (.*)", page, re.MULTILINE)
    for above, name, behind in knobs:
        text = above.replace("\n# ", " ") + behind.partition("#")[2]
        if ends := re.search(r"\(([\w.]+) to ([\d.]+)[;,)]", text):
            printed[name] = [eval(end, values) for end in ends.groups()]
    checks = "\n".join(c.source for c in cells if "check_knobs(" in c.source)
    for call in ast.walk(ast.parse(checks)):
        if isinstance(call, ast.Call) and ast.unparse(call.func).endswith(
            "check_knobs"
        ):
            for knob in call.keywords:
                if len(knob.value.elts) > 2:
                    low, high = map(ast.unparse, knob.value.elts[1:3])
                    checked[knob.arg] = [eval(low, values), eval(high, values)]
    for name in printed.keys() - {"CLASSES", "GROUPS"}:  # which the download checks
        assert printed[name] == checked[name], name
    assert all(name in page for name in checked)
