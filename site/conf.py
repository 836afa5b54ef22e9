"""How `make site` makes pages of the notebooks, their answers, the texts beside them,
and the reference: Sphinx with MyST-NB, from the committed outputs alone. The source
folder is the course's own, so a link that works there works on the site.
"""

import ast
import json
import re
import sys
import tomllib
from pathlib import Path

COURSE = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(COURSE / "notebooks"))

FACTS = tomllib.loads((COURSE / "pyproject.toml").read_text(encoding="utf-8"))
FOLDED = {"parameters": "Knobs", "bootstrap": "On a host without the course"}
HTML_LINK = r"""(href=["'](?!\w+:)[^"'#]+)\.(?:md|ipynb)"""  # MyST leaves those alone
CODE_LINK = r"\[([^]]+)\]\((?:\.\./)*(?:notebooks/)?(toolbox/[\w/]+)\.py\)"
ADDRESS = FACTS["tool"]["framevote"]["address"]

project = "Video classification, from frames to time"
author = "the authors of the course"
version = release = FACTS["project"]["version"]

root_doc = "site/index"
include_patterns = [
    "*.md",
    "site/*.md",
    "notebooks/*.ipynb",
    "notebooks/solutions/*.ipynb",
    *(f"{folder}/README.md" for folder in ("benchmarks", "data", "tools", "weights")),
    "data/mocap/README.md",
]
exclude_patterns = [".*", "site/_build", "executed", "classified", "data/*/[!R]*"]

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.viewcode"]
nb_execution_mode = "off"
nb_ipywidgets_js = {}  # they would come from another host
myst_heading_anchors = 3
suppress_warnings = ["mystnb.unknown_mime_type"]

autodoc_inherit_docstrings = False
autodoc_default_options = {"members": True}
autodoc_typehints = "none"
default_role = "literal"
toc_object_entries = False

html_theme = "sphinx_book_theme"
html_context = {"default_mode": "auto"}  # as the reader's system is, light or dark
html_title = project
html_static_path = ["_static"]
html_css_files = ["course.css"]
html_extra_path = ["_extra"]
html_copy_source = False
html_use_index = html_domain_indices = False  # the search does better
html_show_sphinx = False
html_show_search_summary = False  # fetched, which a browser forbids on disk
html_theme_options = {
    "use_download_button": False,
    "navbar_persistent": [],  # the search field is in the sidebar
    "repository_url": ADDRESS,
    "use_repository_button": bool(ADDRESS),
}


def setup(app):
    """Let Sphinx ask the functions below."""
    app.connect("source-read", prepare)
    app.connect("autodoc-skip-member", is_made_by_a_library)
    app.connect("autodoc-process-docstring", escape)


def prepare(app, name, source):
    """Make of a text what its page needs, before it is read."""
    if app.env.doc2path(name).suffix == ".ipynb":
        source[0] = json.dumps(readable(json.loads(source[0]), name))
        return
    source[0] = code_linked(source[0], name)
    if name == "site/index":
        source[0] = source[0].replace("COURSE_MAP", course_map())
    elif name == "README":  # the landing page has its title and its map
        text = re.sub(r"(?m)\A# .*$", "# Run it yourself", source[0])
        source[0] = re.sub(r"(?ms)^## The course\n.*?(?=^## )", "", text)
    elif name == "site/lessons":
        modules = sorted((COURSE / "notebooks" / "lessons").glob("[!_]*.py"))
        source[0] += "".join(map(reference_of, modules))


def code_linked(text, name):
    """The text of a page with links to the toolbox's code that lead to it as a page."""
    up = "../" * name.count("/")
    return re.sub(CODE_LINK, rf'<a href="{up}_modules/\2.html">\1</a>', text)


def readable(notebook, name):
    """A notebook (a dict) for readers: imports, knobs and what prepares a host folded,
    marks for the export left out, pictures with their alt texts.
    """
    for cell in notebook["cells"]:
        facts, text = cell["metadata"], "".join(cell["source"])
        if cell["cell_type"] == "code":
            cell["source"] = re.sub(r"(?m)^(#\| |%cd ).*\n?", "", text)
            tags = facts.setdefault("tags", [])
            shown = facts["mystnb"] = {"image": {"alt": facts.get("alt", "")}}
            folded = [what for tag, what in FOLDED.items() if tag in tags]
            folded += ["Imports"] * only_imports(cell["source"])
            if folded:
                shown["code_prompt_show"] = shown["code_prompt_hide"] = folded[0]
                tags.append("hide-input")
            if not cell["source"].strip():
                tags.append("remove-cell")
        else:  # a link to a folder works on code hosts and in JupyterLab alone
            text = text.replace("](lessons)", "](../site/lessons.md)")
            text = text.replace("](../README.md)", "](../site/index.md)")
            text = re.sub(HTML_LINK, r"\1.html", text)
            cell["source"] = code_linked(text, name)
    return notebook


def only_imports(text):
    """Whether a cell's code does hardly more than import."""
    try:
        lines = ast.parse(text).body
    except SyntaxError:  # a magic
        return False
    kinds = [isinstance(line, ast.Import | ast.ImportFrom) for line in lines]
    return bool(kinds) and sum(kinds) >= 0.7 * len(kinds)


def course_map():
    """The README's table of the course, a table for each part, with the minutes that
    each notebook takes.
    """
    runner = (COURSE / "tools" / "run_course.py").read_text(encoding="utf-8")
    found = ast.literal_eval(re.search(r"(?m)^MINUTES = (.*)$", runner)[1])
    readme = (COURSE / "README.md").read_text(encoding="utf-8")
    table = re.search(r"(?ms)^## The course\n\n(.*?)\n\n", readme)[1].splitlines()
    minutes = [f"{one:g}" if one >= 1 else "under 1" for one in found]
    lines = []
    for row, end in zip(table[2:], minutes, strict=True):
        part, rest = re.match(r"\| *([^|]*?) *(\|.*)", row).groups()
        if part:
            head = "| notebook | you learn to | minutes |\n|---|---|---|"
            lines.append(f"\n### {part.strip('*')}\n\n{head}")
        lines.append(f"{rest} {end} |")
    return "\n".join(lines).replace("](notebooks/", "](../notebooks/")


def reference_of(module):
    """The directive that documents a lesson's own functions."""
    name = f"lessons.{module.stem}"
    directive = f".. automodule:: {name}\n   :ignore-module-all:"
    return f"\n\n## {name}\n\n```{{eval-rst}}\n{directive}\n```\n"


def is_made_by_a_library(app, what, name, obj, skip, options):
    """Whether scikit-learn added a method to a class; None: autodoc decides."""
    return True if name.startswith("set_") and name.endswith("_request") else None


def escape(app, what, name, obj, options, lines):
    """Docstrings are prose with code in backticks: nothing else in them is markup."""
    for place, line in enumerate(lines):
        parts = re.split(r"(`[^`]*`)", line)
        parts[::2] = [re.sub(r"([*_|])", r"\\\1", part) for part in parts[::2]]
        lines[place] = "".join(parts)
