"""A checkout under git: what to commit, so that the old module does not come back unnoticed."""

import json
import subprocess
from pathlib import Path

import pytest

from helpers_adopt import CLASHING, INIT, OLD_MODULE, Checkout, adopt
from updaters import adopt as package

LEGACY = "updaters/daily_updater_legacy.py"


@pytest.fixture
def checkout(clean_env: Path) -> Checkout:
    """Cloned from another one, whose `origin` goes on."""
    Checkout(clean_env / "upstream").commit()
    checkout = Checkout(clean_env / "my hearings")
    checkout.git("init", "--quiet", "--initial-branch=main")
    checkout.git("remote", "add", "origin", "../upstream")
    checkout.git("fetch", "--quiet", "origin")
    checkout.git("reset", "--quiet", "origin/main")
    checkout.git("branch", "--quiet", "--set-upstream-to=origin/main")
    return checkout


def commands(stdout: str) -> list[str]:
    """The lines to paste."""
    lines = stdout.partition("Commit this, ")[2].splitlines()[1:]
    return [line.strip() for line in lines if line.startswith("  ")]


def paste(checkout: Checkout, lines: list[str]) -> None:
    """Run them as they stand, from anywhere."""
    assert lines[0].startswith("cd ")
    checkout.run("-ec", "\n".join(["cd /", *lines]), program="sh")
    checkout.git("commit", "--quiet", "--message", "The native updater")
    assert checkout.git("status", "--porcelain") == ""


def upstream_changes(checkout: Checkout) -> None:
    upstream = checkout.folder.parent / "upstream"
    (upstream / "updaters/daily_updater.py").write_text(OLD_MODULE + "# newer\n")
    names = ["-c", "user.name=B", "-c", "user.email=b@example.org"]
    for words in (["add", "--all"], [*names, "commit", "--quiet", "--message", "newer"]):
        command = [*names, *words] if words[0] == "add" else words
        subprocess.run(["git", "-C", str(upstream), *command], check=True, env={"PATH": "/usr/bin"})


def is_native(checkout: Checkout) -> bool:
    code = "import updaters.daily_updater as m; print(hasattr(m, '_native'))"
    return checkout.run("-c", code).stdout.splitlines()[-1] == "True"


def test_what_is_told_is_all_that_there_is_to_commit(checkout: Checkout) -> None:
    paste(checkout, commands(adopt(checkout.folder, "--yes").stdout))
    upstream_changes(checkout)
    checkout.git("pull", "--quiet", "--no-rebase", "--no-edit")
    # What came from upstream went where the old module is now.
    assert checkout.read(LEGACY).endswith(b"# newer\n")
    assert not (checkout.folder / "updaters/daily_updater.py").exists()
    assert is_native(checkout)
    told = adopt(checkout.folder, "--undo", "--yes").stdout
    assert f"{LEGACY} was edited since: it keeps the edits" in told
    paste(checkout, commands(told))
    assert not is_native(checkout)
    assert checkout.git("diff", "--stat", "origin/main") == ""


def test_uncommitted_it_may_come_back_but_not_unnoticed(checkout: Checkout) -> None:
    adopt(checkout.folder, "--yes")
    checkout.git("checkout", "--quiet", "--", "updaters/daily_updater.py")
    done = checkout.run("-c", "import updaters.daily_updater")
    assert "updaters/daily_updater.py is there again and not used" in done.stderr
    assert is_native(checkout)
    # The module is run, too, and not the file beside it.
    assert "hearing-updater 0" in checkout.run("-m", "updaters.daily_updater", "--version").stdout
    upstream_changes(checkout)
    checkout.git("pull", "--quiet", "--no-rebase")
    told = adopt(checkout.folder, "--yes").stdout
    assert "it came back with a newer old module, which replaces this one" in told
    assert checkout.read(LEGACY).endswith(b"# newer\n")
    assert checkout.run("-c", "import updaters.daily_updater").stderr == ""
    adopt(checkout.folder, "--undo", "--yes")
    assert checkout.git("status", "--porcelain") == ""


def test_an_edited_old_module_is_not_replaced(checkout: Checkout) -> None:
    adopt(checkout.folder, "--yes")
    checkout.write(LEGACY, b"MINE = 1\n")
    checkout.git("checkout", "--quiet", "--", "updaters/daily_updater.py")
    now = checkout.tree()
    error = adopt(checkout.folder, "--yes", code=1).stderr
    assert f"is there again, and {LEGACY} is not what was kept" in error
    assert checkout.tree() == now
    told = adopt(checkout.folder, "--undo", "--yes").stdout
    assert "both stay as they are" in told
    assert checkout.read(LEGACY) == b"MINE = 1\n"
    assert checkout.read("updaters/__init__.py") == INIT
    assert not is_native(checkout)


def test_changes_that_are_not_committed_are_told(checkout: Checkout) -> None:
    checkout.write("updaters/__init__.py", INIT + b"MINE = 1\n")
    checkout.write("manage.py", checkout.read("manage.py") + b"# mine\n")
    found = json.loads(adopt(checkout.folder, "--dry-run", "--json").stdout)
    assert found["notes"] == ["updaters/__init__.py has changes that are not committed"]
    done = json.loads(adopt(checkout.folder, "--yes", "--json").stdout)
    assert done["commit"] == [
        "git rm --quiet -- updaters/daily_updater.py",
        f"git add -- requirements-local.txt updaters/__init__.py {LEGACY}",
    ]
    # Never committed, so there is nothing to take back; the edits are theirs to commit.
    assert json.loads(adopt(checkout.folder, "--undo", "--yes", "--json").stdout)["commit"] == []
    assert checkout.git("status", "--porcelain").split() == [
        "M",
        "manage.py",
        "M",
        "updaters/__init__.py",
    ]


def test_a_clone_of_an_adopted_one_is_adopted(checkout: Checkout, clean_env: Path) -> None:
    """What undoing needs is in the files, also where nobody took anything down."""
    paste(checkout, commands(adopt(checkout.folder, "--yes").stdout))
    clone = clean_env / "clone"
    checkout.git("clone", "--quiet", ".", str(clone))
    (checkout.folder / ".venv").rename(clone / ".venv")
    done = json.loads(adopt(clone, "--yes", "--json").stdout)
    assert [step["do"] for step in done["steps"]] == ["mkdir"]
    adopt(clone, "--undo", "--yes")
    assert (clone / "updaters/__init__.py").read_bytes() == INIT
    assert (clone / "updaters/daily_updater.py").read_bytes() == OLD_MODULE.encode()
    assert (clone / "requirements-local.txt").read_bytes() == b"click\nflask\n"


def test_in_a_part_of_a_repository(clean_env: Path) -> None:
    checkout = Checkout(clean_env / "all" / "a part", CLASHING)
    checkout.folder, part = checkout.folder.parent, checkout.folder
    checkout.commit()
    checkout.folder = part
    paste(checkout, commands(adopt(part, "--yes").stdout))
    assert is_native(checkout)


def test_without_git_nothing_is_said(clean_env: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkout = Checkout(clean_env / "plain")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(clean_env))
    assert "Commit this" not in adopt(checkout.folder, "--yes").stdout
    monkeypatch.setenv("PATH", str(clean_env))
    assert package.to_commit(package.plan_undo(str(checkout.folder))) == []
