"""Link each word of site/glossary.md where the notebooks first use it, and say in the
glossary which notebook that is: a part of `make publish`. Links of an earlier run are
taken out first.
"""

import re

import nbformat

GLOSSARY = "../site/glossary.md#"
LINK = re.compile(r"\[([^]]+)\]\(" + re.escape(GLOSSARY) + r"[\w-]+\)")
FIRST = re.compile(r"\n\n\*First in .*\*$")
# what is no prose: code, links and pictures, tags, and lines of headings and tables
SKIPPED = re.compile(
    r"(?ms)^```.*?^```|`[^`\n]*`|!?\[[^]]*\]\([^)]*\)|<[^>]*>|^[|#].*?$|\*Part I.*?$"
)


def link(course):
    """Link the words in the notebooks of the course in this folder; returns the words
    that no notebook uses.
    """
    path, found = course / "site" / "glossary.md", {}
    head, *entries = path.read_text(encoding="utf-8").rstrip().split("\n\n## ")
    words = [entry.split("\n", 1)[0] for entry in entries]
    pages = sorted((course / "notebooks").glob("[0-9][0-9]_*.ipynb"))
    notebooks = {page: nbformat.read(page, as_version=4) for page in pages}
    texts = [
        (page, cell)
        for page, notebook in notebooks.items()
        for cell in notebook.cells
        if cell.cell_type == "markdown"
        and "bootstrap" not in cell.metadata.get("tags", [])
    ]
    for _, cell in texts:
        cell.source = LINK.sub(r"\1", cell.source)
    for word in words:
        if first := first_use(word, texts):
            page, cell, start, end = first
            anchor = word.lower().replace(" ", "-")
            linked = f"[{cell.source[start:end]}]({GLOSSARY}{anchor})"
            cell.source = cell.source[:start] + linked + cell.source[end:]
            title = notebooks[page].cells[0].source.split("\n")[0].strip("# ")
            found[word] = f"[{title.replace(' ·', '')}](../notebooks/{page.name})"
    for page, notebook in notebooks.items():
        nbformat.write(notebook, page)
    entries = [FIRST.sub("", entry) for entry in entries]
    entries = [
        f"{entry}\n\n*First in {found[word]}.*" if word in found else entry
        for word, entry in zip(words, entries, strict=True)
    ]
    path.write_text("\n\n## ".join([head, *entries]) + "\n", encoding="utf-8")
    return [word for word in words if word not in found]


def first_use(word, texts):
    """Where a word is defined, which is where it first stands in bold, else where
    it first stands: (page, cell, start, end), or None.
    """
    plain = r"\b" + word.replace(" ", r"\s") + r"(s|es)?\b"
    for way in (rf"(?<=\*\*){plain}(?=\*\*)", plain):
        for page, cell in texts:
            prose = SKIPPED.sub(lambda part: " " * len(part[0]), cell.source)
            if match := re.search(way, prose, re.IGNORECASE):
                return page, cell, *match.span()
    return None
