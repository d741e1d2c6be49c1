"""What the pages name exists: files, links, commands, options."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from testkit.pages import PAGES, ROOT, anchors, blocks, code_spans, links

FOLDERS = "docs|samples|server|runtime|transpiler|tests|bench|demo|changelog\\.d|\\.ci|\\.venv/bin"
PATH = re.compile(rf"(?<![\w/.])((?:{FOLDERS})/[\w./*-]*[\w/*])")
COMMAND = re.compile(r"(?:^|[\s`/$])moonpost ((?:[a-z]+)\b[^`|#&>]*)")
MADE_BY_TESTS = ("samples/var", "samples/sign/private.key")  # and by the demo
each_page = pytest.mark.parametrize(
    "page", PAGES, ids=lambda page: str(page.relative_to(ROOT)) if isinstance(page, Path) else ""
)


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    wrong = []
    for target in links(page):
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        name, _, anchor = target.partition("#")
        found = (page.parent / name).resolve() if name else page
        if not found.exists() or (anchor and anchor not in anchors(found)):
            wrong.append(target)
    assert wrong == []


@each_page
def test_paths_exist(page: Path) -> None:
    named = {path for span in code_spans(page) for path in PATH.findall(span)}
    wrong = [
        path
        for path in sorted(named)
        if not path.startswith(MADE_BY_TESTS)
        and not ((ROOT / path).exists() or ("*" in path and list(ROOT.glob(path))))
    ]
    assert wrong == []


@cache
def options_of(command: str) -> frozenset[str]:
    """The options that `moonpost COMMAND --help` lists; fails when there is no such command."""
    done = subprocess.run(
        [sys.executable, "-m", "moonpost", command, "--help"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, f"moonpost {command}: {done.stderr.splitlines()[-1]}"
    return frozenset(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", done.stdout))


@each_page
def test_commands_and_options_exist(page: Path) -> None:
    for span in code_spans(page):
        for words in COMMAND.findall(span):
            command, *rest = words.split()
            known = options_of(command)
            for option in re.findall(r"(?<![\w-])--?[a-z][a-z-]*(?=[\s=\]]|$)", " ".join(rest)):
                assert option in known, f"moonpost {command} has no {option}: {span}"


EXCERPTS = [block for page in PAGES for block in blocks(page) if block.kind == "excerpt"]


@pytest.mark.parametrize("block", EXCERPTS, ids=lambda block: f"{block.page.name}:{block.line}")
def test_an_excerpt_stands_in_its_file(block) -> None:
    text = (ROOT / block.what).read_text(encoding="utf-8")
    assert block.text in text, f"{block.page.name}:{block.line} is not what {block.what} says now"


def test_make_targets_and_what_they_run_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    programs = re.findall(r"(?:bench|demo|tests)/[\w./]+", makefile)
    assert [program for program in programs if not (ROOT / program).exists()] == []
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.M))
    for page in PAGES:
        for span in code_spans(page):
            for target in re.findall(r"^\$? ?make ([a-z-]+)", span):
                assert target in targets, f"{page.name}: make {target}"


def test_the_readme_counts_what_the_coverage_page_counts() -> None:
    page = (ROOT / "docs" / "reference" / "coverage.md").read_text(encoding="utf-8")
    total, provided, missing = re.findall(r"Of (\d+) .* (\d+) are provided and (\d+) are", page)[0]
    (assumed,) = re.findall(r"For (\d+) the documents", page)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    claims = [f"{provided} of {total} documented forms", f"{assumed} rest on an assumption"]
    if missing != "0":
        claims.append(f"{missing} are missing")
    for claim in claims:
        assert claim in readme, f"README.md has to say {claim!r} now, and which are missing"


def test_every_option_word_of_stories_is_on_its_page() -> None:
    from moonpost.testing.stories import MOMENTS, WORDS

    text = (ROOT / "docs" / "stories.md").read_text(encoding="utf-8")
    for word in [*WORDS, *(f"expect {moment}" for moment in MOMENTS)]:
        assert f"`{word}:" in text, f"docs/stories.md does not list {word!r}"
