"""Write where the course can be cloned from wherever a reader needs it: `make publish
ADDRESS=https://...`. Without ADDRESS, what pyproject.toml says is written again; with
ADDRESS=none, it is taken out.

pyproject.toml keeps the address, README.md and CITATION.cff name it, and each notebook
gets two cells tagged `bootstrap` after its header: links that open it on hosts, and
the lines that fetch the course there. The site reads pyproject.toml when it is built.
Words of the glossary are linked where the notebooks first use them.
"""

import re
import sys
from urllib.parse import quote

from course import COURSE

import glossary
import nbformat
from hosted import course_facts, runs_before
from run_course import MINUTES

CLONE_IN_WORDS = "Clone this repository. In its folder:"
CLONE = "```sh\ngit clone {address} framevote && cd framevote\n```"
WORDS = """\
Open this page in {links}. The cell below does nothing where the course is. Where it \
isn't, it fetches the course{and_runs}."""
CODE = """\
import sys
from pathlib import Path

if not Path("toolbox").exists():
    course, tag = "{address}", "{tag}"
    !test -d framevote || git clone -q --depth 1 --branch {{tag}} {{course}} framevote
    %cd -q framevote/notebooks
    sys.path.append("../tools")
    import hosted

    hosted.prepare("{number}")"""


def main(course, address=None):
    """Write the address into the course in this folder; None: the one it has."""
    facts = course_facts(course)
    if address is None:
        address = facts["tool"]["framevote"]["address"]
    address = "" if address == "none" else address
    address = address.removesuffix("/").removesuffix(".git")
    tag = f"v{facts['project']['version']}"
    replace(
        course / "pyproject.toml", r'(?m)^address = ".*?"', f'address = "{address}"'
    )
    clone = CLONE.format(address=address) if address else CLONE_IN_WORDS
    way = r"(?s)(?<=<!-- address -->\n).*?(?=\n<!-- /address -->)"
    replace(course / "README.md", way, clone)
    line = f'repository-code: "{address}"\n' if address else ""
    way = r"(?m)(^repository-code: .*\n)?^license:"
    replace(course / "CITATION.cff", way, f"{line}license:")
    for path in sorted((course / "notebooks").glob("[0-9][0-9]_*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        cells = [cell for cell in notebook.cells if not is_bootstrap(cell)]
        new = bootstrap_cells(path, address, tag) if address else []
        notebook.cells = [*cells[:1], *new, *cells[1:]]
        nbformat.write(notebook, path)
    unused = glossary.link(course)
    print(
        f"No notebook uses these words of the glossary: {', '.join(unused) or 'none'}"
    )
    print(f"The course's address: {address or 'none'}")
    if address:
        print(f"Notebooks fetch the tag {tag}: commit, `git tag {tag}`, and push both.")


def replace(path, pattern, text):
    """Put a text where a pattern is found in a file, which must be once."""
    old = path.read_text(encoding="utf-8")
    new, count = re.subn(pattern, lambda found: text, old)
    if count != 1:
        sys.exit(f"{path.name} has {count} places for the address; it should have one.")
    path.write_text(new, encoding="utf-8", newline="\n")


def is_bootstrap(cell):
    """Whether a cell prepares a host."""
    return "bootstrap" in cell.metadata.get("tags", [])


def bootstrap_cells(path, address, tag):
    """The two cells that open and prepare the notebook at a path on a host."""
    number, runs = path.name[:2], ""
    if needed := runs_before(path):
        minutes = max(1, round(sum(MINUTES[int(one)] for one in needed)))
        which = f"notebook{'s' * (len(needed) > 1)} {' '.join(needed)}"
        runs = f" and runs {which}: about {minutes} minute{'s' * (minutes > 1)}"
    *links, last = hosts(f"notebooks/{path.name}", address, tag)
    links = " or ".join(filter(None, [", ".join(links), last]))
    words = WORDS.format(links=links, and_runs=runs)
    code = CODE.format(address=address, tag=tag, number=number)
    kept = {"metadata": {"tags": ["bootstrap"]}}
    return [
        nbformat.v4.new_markdown_cell(words, id=f"{number}-host-words", **kept),
        nbformat.v4.new_code_cell(code, id=f"{number}-host", **kept),
    ]


def hosts(file, address, tag):
    """Links that open a file of the course on hosts. All of them know GitHub, and
    Binder knows any address.
    """
    if not (found := re.fullmatch(r"https://github\.com/([^/]+/[^/]+)", address)):
        place = f"https://mybinder.org/v2/git/{quote(address, safe='')}"
        return [f"[Binder]({place}/{tag}?labpath={file})"]
    name, blob = found[1], f"{address}/blob/{tag}/{file}"
    return [
        f"[Colab](https://colab.research.google.com/github/{name}/blob/{tag}/{file})",
        f"[Kaggle](https://kaggle.com/kernels/welcome?src={blob})",
        f"[Binder](https://mybinder.org/v2/gh/{name}/{tag}?labpath={file})",
        f"[a code space](https://codespaces.new/{name}?ref={tag})",
    ]


if __name__ == "__main__":
    main(COURSE, *sys.argv[1:2])
