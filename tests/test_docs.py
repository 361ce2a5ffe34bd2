"""The pages tell the truth about the tree: paths that they name exist, links lead somewhere, none is left out of the index."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
ROOMS = ("edgekit/", "converters/", "runtimes/", "tests/", "scripts/", "examples/", "docs/")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_links_lead_to_files(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text("utf-8"))
    local = [link for link in links if "://" not in link and not link.startswith("mailto:")]
    assert [link for link in local if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_links_into_a_page_lead_to_one_of_its_headings(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]*)#([^)\s]+)\)", page.read_text("utf-8"))
    local = [(page.parent / target if target else page, anchor) for target, anchor in links if "://" not in target]
    assert [(target.name, anchor) for target, anchor in local if anchor not in anchors(target)] == []


def anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def test_every_path_that_the_architecture_page_names_exists() -> None:
    text = (DOCS / "architecture.md").read_text("utf-8")
    named = [code for code in re.findall(r"`([^`\s]+)`", text) if code.startswith(ROOMS)]
    assert len(named) > 40
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_every_file_name_that_the_architecture_page_names_exists() -> None:
    named = set(re.findall(r"`([a-z_]+\.py)`", (DOCS / "architecture.md").read_text("utf-8")))
    known = {path.name for room in ("edgekit", "converters", "runtimes") for path in (ROOT / room).rglob("*.py")}
    assert named <= known


def test_the_index_lists_every_page() -> None:
    index = (DOCS / "README.md").read_text("utf-8")
    top = [page.name for page in DOCS.glob("*.md") if page.name != "README.md"]
    assert [name for name in top if f"({name})" not in index] == []


def test_every_command_has_a_page_for_its_json() -> None:
    page = (DOCS / "json.md").read_text("utf-8") + "".join(
        path.read_text("utf-8") for path in (DOCS / "json").iterdir()
    )
    schemas = {
        match
        for path in (ROOT / "edgekit").rglob("*.py")
        for match in re.findall(r'SCHEMA = "(edgekit\.[a-z]+/\d+)"', path.read_text("utf-8"))
    }
    assert len(schemas) >= 8
    assert [schema for schema in sorted(schemas) if schema not in page] == []
