"""All texts, of notebooks and beside them: links lead somewhere, words are spelled."""

import re
import subprocess
import sys
from itertools import chain
from urllib.parse import unquote

import nbformat
import pytest
from clips import COURSE

LISTED = subprocess.run(
    ["git", "ls-files", "*.md", "*.ipynb", "*.py"],
    cwd=COURSE,
    capture_output=True,
    text=True,
)
FILES = [COURSE / name for name in LISTED.stdout.split() if (COURSE / name).exists()]
PAGES = [path for path in FILES if path.suffix != ".py"]
LINK = re.compile(r"""\]\(<?([^)\s>]+)>?\)|(?:href|src)=["']([^"']+)["']""")


def cells_of(path):
    """The sources of a file's cells, markdown and code; of another file, its text as
    the one markdown.
    """
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".ipynb":
        return [text], []
    cells = nbformat.reads(text, as_version=4).cells
    kinds = ("markdown", "code")
    return [[c.source for c in cells if c.cell_type == kind] for kind in kinds]


def prose_of(path):
    """A file's markdown, without what is shown as code."""
    text = "\n\n".join(cells_of(path)[0])
    return re.sub(r"(?ms)^\s*```.*?^\s*```|`[^`\n]*`|<pre>.*?</pre>", "", text)


def anchors_of(path):
    """The anchors that code hosts give to a page's headings."""
    headings = re.findall(r"(?m)^#+ (.*)$", "\n\n".join(cells_of(path)[0]))
    plain = [re.sub(r"\]\([^)]*\)|[`*\[]", "", heading) for heading in headings]
    return {re.sub(r"[^\w\- ]", "", one).lower().replace(" ", "-") for one in plain}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(COURSE)))
def test_links_within_the_course_lead_somewhere(path):
    for pair in LINK.findall(prose_of(path)):
        place, _, anchor = unquote("".join(pair)).partition("#")
        if re.match(r"\w+:", place):
            continue
        target = path.parent / place if place else path
        assert target.exists(), place
        if anchor and target.suffix == ".md":
            assert anchor in anchors_of(target), f"{place}#{anchor}"


def test_words_are_spelled(tmp_path):
    for path in FILES:
        copy = tmp_path / path.relative_to(COURSE).with_suffix(f"{path.suffix}.txt")
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text("\n\n".join(chain(*cells_of(path))), encoding="utf-8")
    command = [sys.executable, "-m", "codespell_lib", "."]
    command += ["--toml", COURSE / "pyproject.toml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
