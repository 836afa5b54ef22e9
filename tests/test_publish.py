"""The course's address: `make publish` writes it wherever a reader needs it."""

import re
import shutil

import glossary
import nbformat
import publish
import pytest
from clips import COURSE
from run_course import MINUTES

from notebook_code import code_digest, why_stale

ADDRESS = "https://github.com/someone/framevote"
FILES = ("pyproject.toml", "README.md", "CITATION.cff", "site/glossary.md")


@pytest.fixture
def course(tmp_path):
    """A copy of what `make publish` writes, without an address."""
    copy_course(tmp_path, [pages(COURSE)[0], pages(COURSE)[5]])
    publish.main(tmp_path, "none")
    return tmp_path


def copy_course(root, notebooks):
    for name in (*FILES, *(f"notebooks/{path.name}" for path in notebooks)):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(COURSE / name, root / name)


def pages(course):
    return sorted((course / "notebooks").glob("[0-9][0-9]_*.ipynb"))


def contents(course):
    return {path: path.read_bytes() for path in course.rglob("*") if path.is_file()}


def bootstrap_of(path):
    words, code = nbformat.read(path, as_version=4).cells[1:3]
    assert publish.is_bootstrap(words) and publish.is_bootstrap(code)
    return words.source, code.source


def test_an_address_is_written_once_and_taken_out_again(course):
    bare = contents(course)
    for address in (ADDRESS, f"{ADDRESS}.git", f"{ADDRESS}/", None):
        publish.main(course, address)
        written = contents(course)
        changed = {path for path in bare if bare[path] != written[path]}
        assert changed == {*pages(course), *(course / name for name in FILES[:3])}
        if address == ADDRESS:
            first = written
        assert written == first
    for name in FILES[:3]:
        assert (course / name).read_text(encoding="utf-8").count(ADDRESS) == 1
    publish.main(course, "none")
    assert contents(course) == bare


def test_what_is_committed_is_what_it_writes(tmp_path):
    copy_course(tmp_path, pages(COURSE))
    before = contents(tmp_path)
    publish.main(tmp_path)
    after = contents(tmp_path)
    changed = [path.name for path in before if before[path] != after[path]]
    assert not changed, "run make publish"


def test_the_cells_fetch_the_tag_and_say_what_they_run(course):
    publish.main(course, ADDRESS)
    tag = publish.course_facts(course)["project"]["version"]
    for path in pages(course):
        words, code = bootstrap_of(path)
        assert f'"{ADDRESS}", "v{tag}"' in code
        assert f'prepare("{path.name[:2]}")' in code
        links = re.findall(r"\[([^]]+)\]\(https://\S+?notebooks/(\S+?ipynb)\)", words)
        assert {file for _, file in links} == {path.name}
        assert [host for host, _ in links] == ["Colab", "Kaggle", "Binder"]
    words, _ = bootstrap_of(pages(course)[1])
    minutes = round(sum(MINUTES[:5]))
    assert f"runs notebooks 00 01 02 03 04: about {minutes} minutes" in words
    words, _ = bootstrap_of(pages(course)[0])
    assert "runs" not in words


def test_elsewhere_binder_opens_it(course):
    publish.main(course, "https://git.example.org/someone/framevote")
    words, _ = bootstrap_of(pages(course)[0])
    assert "git/https%3A%2F%2Fgit.example.org%2Fsomeone%2Fframevote/v1.0" in words
    assert "Colab" not in words


def test_outputs_stay_fresh(course):
    path = pages(course)[1]
    before, reason = nbformat.read(path, as_version=4), why_stale(path)
    publish.main(course, ADDRESS)
    after = nbformat.read(path, as_version=4)
    assert code_digest(before) == code_digest(after)
    assert why_stale(path) == reason
    code = [cell for cell in after.cells if cell.cell_type == "code"]
    for count, cell in enumerate(code, start=1):  # as `make outputs` leaves it
        cell.execution_count = count
    nbformat.write(after, path)
    assert why_stale(path) == reason


def test_words_of_the_glossary_are_linked_at_their_first_use_only(tmp_path):
    texts = {
        "00_first": [
            "# 00 · A split",
            "| a split |\n\nNo `split`, no [split](a.md): splits.",
        ],
        "01_then": [
            "# 01 · Then",
            "A split leaks.",
            "This **leak** is a **clip**. Clips.",
        ],
    }
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "site").mkdir()
    entries = (f"## {word}\n\nWhat it means." for word in ("Clip", "Fold", "Split"))
    path = tmp_path / "site" / "glossary.md"
    path.write_text("\n\n".join(["# Glossary", *entries]) + "\n")
    for name, sources in texts.items():
        notebook = nbformat.v4.new_notebook()
        notebook.cells = list(map(nbformat.v4.new_markdown_cell, sources))
        nbformat.write(notebook, tmp_path / "notebooks" / f"{name}.ipynb")
    for _ in range(2):
        assert glossary.link(tmp_path) == ["Fold"]
        written = [nbformat.read(page, as_version=4).cells for page in pages(tmp_path)]
        sources = [cell.source for cells in written for cell in cells]
        assert sum(text.count("glossary.md") for text in sources) == 2
        assert "no [split](a.md): [splits](../site/glossary.md#split)." in sources[1]
        assert "**[clip](../site/glossary.md#clip)**" in sources[4]
    said = path.read_text()
    assert "*First in [00 A split](../notebooks/00_first.ipynb).*" in said
    assert said.count("First in") == 2
