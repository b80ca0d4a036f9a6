"""The pages in `docs/`: what is generated is up to date, links lead somewhere, commands parse."""

import importlib.util
import re
import shlex
from pathlib import Path
from types import ModuleType

import pytest

from updaters.cli import build_parser

ROOT = Path(__file__).parent.parent
#: Commands that need more, named in running text.
NAMES = ("adopt", "history", "record", "trial-gate", "rollback")
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["configuration.md", "commands.md"])
def test_generated_pages_are_up_to_date(generate: ModuleType, name: str) -> None:
    written = (ROOT / "docs" / name).read_text(encoding="utf-8")
    assert written == generate.PAGES[name](), "run make docs"


def test_every_command_has_its_section(generate: ModuleType) -> None:
    text = generate.commands()
    for command in ("update", "init", "rollback", "doctor", "sandbox", "trial-gate"):
        assert f"## `hearing-updater {command}`" in text
    assert "## `python3 -m scripts.verify_updates`" in text


def anchors(page: Path) -> set[str]:
    """What a link into the page can name, as GitHub makes it of the headings."""
    found = set()
    fenced = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    for heading in re.findall(r"^#+ (.*)$", fenced, re.M):
        plain = re.sub(r"[^\w\- ]", "", heading.lower())
        found.add(plain.strip().replace(" ", "-"))
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"https?://", target):
            # Not asked for here: tests do not reach the internet.
            assert re.fullmatch(r"https://[\w./-]+(#[\w-]+)?", target), target
            continue
        path, _, anchor = target.partition("#")
        other = page if not path else (page.parent / path)
        assert other.exists(), f"{page.name}: {target}"
        if anchor:
            assert anchor in anchors(other), f"{page.name}: {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_parse(page: Path) -> None:
    """Ours, in blocks and in running text; other tests run them."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"^```bash\n(.*?)^```", text, re.M | re.S)
    lines = [line for block in blocks for line in block.splitlines()]
    lines += re.findall(r"`(hearing-updater [a-z][^`]*)`", text)
    for line in lines:
        words = shlex.split(line, comments=True)
        while words and re.match(r"\w+=", words[0]):
            del words[0]
        if words[:1] != ["hearing-updater"] or (len(words) == 2 and words[1] in NAMES):
            continue
        numbers = ["1" if word in ("N", "K", "SECONDS") else word for word in words[1:]]
        assert build_parser().parse_args(numbers).command == words[1], line
