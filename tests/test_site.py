"""The site as a reader has it: built from the committed outputs, opened from disk."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest
from bs4 import BeautifulSoup
from clips import COURSE

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
THEME_TELLS = '"[PST]: '  # what it did: no errors
PARTS = "link[href], script[src], img[src], video[src], source[src], iframe[src]"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the site's pages; a warning of the build is an error."""
    built = tmp_path_factory.mktemp("site")
    build = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-c", "site"]
    build += ["-d", built / "doctrees", ".", built / "html"]
    done = subprocess.run(build, cwd=COURSE, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 0, done.stderr
    return built / "html"


@pytest.fixture(scope="module")
def pages(site):
    """All pages but those of code, as a dict from path to BeautifulSoup."""
    listed = [
        path
        for path in site.rglob("*.html")
        if not {"_modules", "_static"} & {*path.parts}
    ]
    return {path: BeautifulSoup(path.read_bytes(), "html.parser") for path in listed}


@pytest.mark.slow
def test_all_notebooks_answers_and_references_are_there(site, pages):
    for page in (COURSE / "notebooks").rglob("[0-9]*.ipynb"):
        assert site / page.relative_to(COURSE).with_suffix(".html") in pages
    for name, known in (("lessons", "majority_vote"), ("toolbox", "open_dataset")):
        found = pages[site / "site" / f"{name}.html"].select("dt.sig")
        assert any(known in one.get("id", "") for one in found)


@pytest.mark.slow
def test_nothing_is_fetched_from_elsewhere_and_every_picture_is_described(site, pages):
    for path, page in pages.items():
        for part in page.select(PARTS):
            place = part.get("src") or part.get("href")
            if part.name == "link" and part.get("rel") == ["canonical"]:
                continue
            assert not re.match(r"(https?:)?//", place), (path, place)
            if place != "#" and not place.startswith("data:"):
                assert (path.parent / unquote(place).split("?")[0]).exists(), place
        for picture in page.select("article img"):
            assert len(picture.get("alt", "")) > 10, (path, str(picture)[:200])


@pytest.mark.slow
def test_links_within_the_site_lead_somewhere(site, pages):
    anchors = {
        path: {one["id"] for one in page.select("[id]")} for path, page in pages.items()
    }
    for path, page in pages.items():
        for link in page.select("a[href]"):
            place, _, anchor = unquote(link["href"]).partition("#")
            if re.match(r"\w+:", place):
                continue
            target = Path(path.parent, place).resolve() if place else path
            assert target.exists(), (path, link["href"])
            if anchor and target in anchors:
                assert anchor in anchors[target], (path, link["href"])


@pytest.mark.slow
def test_one_gets_from_the_landing_page_to_the_last_notebook_by_next(site, pages):
    path, seen = site / "site" / "index.html", []
    while not path.name.startswith("12"):
        path = Path(path.parent, pages[path].select_one("a.right-next")["href"])
        path = path.resolve()
        seen.append(path.name[:2])
    assert seen == [f"{number:02}" for number in range(13)]


def opened(page, profile):
    """What Chromium makes of a page, and what goes wrong by its console."""
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    command += ["--enable-logging=stderr", "--virtual-time-budget=20000"]
    command += [f"--user-data-dir={profile}", page]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    said = re.findall(r"CONSOLE.*", done.stderr)
    return done.stdout, [line for line in said if THEME_TELLS not in line]


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")
def test_a_browser_opens_it_from_disk_without_an_error(site, tmp_path):
    names = ["index", "site/index", "site/toolbox"]
    names += [f"notebooks/{path.stem}" for path in (site / "notebooks").glob("*.html")]
    for name in names:
        dom, errors = opened((site / f"{name}.html").as_uri(), tmp_path)
        assert errors == [], (name, errors)
        assert "bd-article" in dom
    dom, errors = opened(f"{(site / 'search.html').as_uri()}?q=majority+vote", tmp_path)
    found = BeautifulSoup(dom, "html.parser").select("ul.search li a")
    assert any("05_evaluate_by_majority_vote" in one["href"] for one in found)
    assert errors == []
