"""Putting the installed updater into an existing checkout, and taking it out again.

`plan_adoption` and `plan_undo` look and change nothing; `carry_out` does what they found. A process
that is killed meanwhile leaves a checkout that works, and that either of them goes on from.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from updaters._adopted import MODULE
from updaters.adopt import block, checkout, files, git, probe, requirements
from updaters.adopt.checkout import FILES, INIT, LEGACY, OLD
from updaters.adopt.files import Record, Step
from updaters.adopt.probe import Installed
from updaters.errors import ConfigurationError, UpdaterError

__all__ = ["Plan", "carry_out", "plan_adoption", "plan_undo", "to_commit"]

LOGS = "logs"


@dataclass
class Plan:
    """What is to be done in a checkout, in this order; without steps there is nothing to do."""

    folder: Path
    undo: bool
    steps: list[Step] = field(default_factory=list)
    #: What a person should know, a line each.
    notes: list[str] = field(default_factory=list)
    #: What stays the checkout's own.
    stays: list[str] = field(default_factory=list)
    #: Of an undo: whether the checkout holds a record of an adoption, which goes with it.
    leftover: bool = False
    #: Of an adoption: the checkout's interpreter, and our package as it has it.
    python: Path | None = None
    installed: Installed | None = None

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        there = self.installed
        return {
            "path": str(self.folder),
            "undo": self.undo,
            "python": self.python and str(self.python),
            "version": there and there.version,
            "installed": there and there.folder,
            "steps": [
                {"do": step.do, "path": step.path, "to": step.to or None, "why": step.why}
                for step in self.steps
            ],
            "notes": self.notes,
            "stays": self.stays,
        }


def plan_adoption(path: str, python: str | None = None) -> Plan:
    """What adopting needs. Raises `ConfigurationError` where `path` is no checkout of our kind, or
    has no interpreter; `UpdaterError` where something stands in the way."""
    folder = checkout.find(path)
    plan = Plan(folder, undo=False)
    init, old, legacy = (checkout.read(folder, name) for name in (INIT, OLD, LEGACY))
    record = files.read_record(folder)
    present = block.text_of(init or b"")
    bare = block.remove(init or b"", str(folder / INIT))
    bare = (init or b"") if bare is None else bare
    _check_old(folder, old, legacy, adopted=present is not None, record=record)
    plain = bare if init is not None else b""
    kept_apart, bound = checkout.in_both(folder, _parsed(plain, folder))
    checkout.refuse_clash(folder, block.bound_names(plain))
    checkout.refuse_unwritable(folder, ".", "updaters")
    plan.python = probe.interpreter(folder, python)
    plan.installed = probe.installed(plan.python, folder)
    _look_for_wanting(plan, folder)

    if not (folder / LOGS).is_dir():
        if (folder / LOGS).is_symlink() or (folder / LOGS).exists():
            raise UpdaterError(f"{folder / LOGS} should be a folder, for the logs")
        plan.steps.append(Step("mkdir", LOGS, "for the daily logs"))
    _plan_requirement(plan, plan.installed.requirement)
    made = init is None or (present is not None and block.made_for_it(init))
    wanted = block.block(bound, made=made)
    if present != wanted:
        after = block.insert(plain, wanted, str(folder / INIT))
        why = "a marked block that has updaters.daily_updater be the installed one"
        if init is None:
            why = f"a new file: {why}"
        plan.steps.append(Step("write", INIT, why, init, after, again=present is not None))
    if old is not None:
        if legacy is not None:
            why = "it came back with a newer old module, which replaces this one"
            plan.steps.append(Step("delete", LEGACY, why, before=legacy))
        plan.steps.append(Step("rename", OLD, "kept under another name", to=LEGACY))

    plan.stays = [name for name in checkout.THEIRS if (folder / name).exists()]
    plan.stays += [f"updaters.{name}" for name in checkout.neighbours(folder)]
    same = [f"updaters.{name}" for name in sorted(kept_apart | bound)]
    if same:
        plan.notes.append(
            f"hearing-updater has modules named {', '.join(same)}, too: these names stay the "
            "checkout's, and hearing-updater's own modules get theirs"
        )
    _note_uncommitted(plan)
    return plan


def _check_old(
    folder: Path, old: bytes | None, legacy: bytes | None, *, adopted: bool, record: Record | None
) -> None:
    if old is None and legacy is not None and (adopted or record):
        return
    if old is None:
        raise ConfigurationError(f"{folder} is no checkout to adopt: it has no {OLD}")
    if (folder / OLD).with_suffix("").is_dir():
        raise UpdaterError(f"{(folder / OLD).with_suffix('')} is a folder beside {OLD}: remove one")
    if legacy is None or legacy == old:
        return
    if not adopted:
        raise UpdaterError(f"{folder / LEGACY} is in the way: give it another name")
    if record is None or not record.is_as_before(OLD, legacy):
        raise UpdaterError(
            f"{folder / OLD} is there again, and {LEGACY} is not what was kept under that name: "
            "remove the one that you do not need"
        )


def _parsed(source: bytes, folder: Path) -> bytes:
    """The source, once it is sure that the block has a place in it."""
    block.insert(source, block.block(), str(folder / INIT))
    return source


def _plan_requirement(plan: Plan, requirement: str) -> None:
    source = checkout.read(plan.folder, requirements.FILE)
    if source is None:
        plan.notes.append(f"there is no {requirements.FILE}; the line for it is: {requirement}")
    elif not requirements.names_us(source):
        trouble = requirements.why_not(source)
        if trouble:
            plan.notes.append(
                f"{requirements.FILE} {trouble}: add this line by hand: {requirement}"
            )
            return
        after = requirements.insert(source, requirement)
        step = Step("write", requirements.FILE, f"the line {requirement}", source, after)
        plan.steps.append(step)


def _look_for_wanting(plan: Plan, folder: Path) -> None:
    """Tell of names that the installed module lacks; a neighbour that imports one is an error."""
    assert plan.installed is not None
    for file, name, imported in checkout.wanting(folder, plan.installed.names):
        told = f"{file} uses {name} of updaters.{MODULE}, which the installed module lacks"
        if imported and file.startswith("updaters/"):
            raise UpdaterError(
                f"{told}: let it try updaters.{MODULE}_legacy first, and updaters.{MODULE} on "
                "ImportError; nothing was changed"
            )
        plan.notes.append(f"{told}: it is in updaters.{MODULE}_legacy then")


def _note_uncommitted(plan: Plan) -> None:
    concerned = {step.path for step in plan.steps} & {*FILES}
    for name in sorted(git.changed(plan.folder, sorted(concerned)) if concerned else ()):
        plan.notes.append(f"{name} has changes that are not committed")


def plan_undo(path: str) -> Plan:
    """What puts a checkout back as it was; what was edited since keeps the edits, and a note says
    so. Raises like `plan_adoption`, also where the block or the old module is gone."""
    folder = checkout.find(path)
    plan = Plan(folder, undo=True)
    init, old, legacy = (checkout.read(folder, name) for name in (INIT, OLD, LEGACY))
    record = files.read_record(folder)
    bare = block.remove(init or b"", str(folder / INIT))
    if bare is None and record is None:
        return plan
    plan.leftover = record is not None
    record = record or Record()
    checkout.refuse_unwritable(folder, ".", "updaters")
    _plan_old_back(plan, old, legacy, record)
    if init is not None and bare is not None:
        if block.made_for_it(init) and not bare.strip():
            why = "it was made for the block"
            plan.notes.append(
                f"without {INIT} the installed package comes before the folder updaters: to have "
                "the old module, uninstall hearing-updater where this checkout runs"
            )
            plan.steps.append(Step("delete", INIT, why, before=init))
        else:
            _plan_back(plan, record, INIT, init, bare, "without the block")
    source = checkout.read(folder, requirements.FILE)
    if source is not None and requirements.remove(source) != source:
        bare = requirements.remove(source)
        _plan_back(plan, record, requirements.FILE, source, bare, "without its line")
    if LOGS in record.made and (folder / LOGS).is_dir():
        if any((folder / LOGS).iterdir()):
            plan.notes.append(f"{LOGS}/ stays, as there is something in it")
        else:
            plan.steps.append(Step("rmdir", LOGS, "it was made for the logs"))
    _note_uncommitted(plan)
    return plan


def _plan_old_back(plan: Plan, old: bytes | None, legacy: bytes | None, record: Record) -> None:
    if old is None and legacy is None:
        raise UpdaterError(
            f"{plan.folder / LEGACY} is gone, so there is nothing to put back as {OLD}: "
            "get one of them back (from git, say), then run this again; nothing was changed"
        )
    if legacy is None:
        return
    if old is None:
        if not record.is_as_before(OLD, legacy):
            plan.notes.append(f"{LEGACY} was edited since: it keeps the edits")
        plan.steps.append(Step("rename", LEGACY, "the old module again", to=OLD))
    elif old == legacy:
        plan.steps.append(Step("delete", LEGACY, f"it is the same as {OLD}", before=legacy))
    else:
        plan.notes.append(f"{OLD} is there again, and is not {LEGACY}: both stay as they are")


def _plan_back(
    plan: Plan, record: Record, name: str, before: bytes, after: bytes, why: str
) -> None:
    if not record.is_as_before(name, after):
        plan.notes.append(f"{name} was edited since: it keeps the edits")
    times = record.times(name, after)
    plan.steps.append(Step("write", name, why, before, after, times=times))


def carry_out(plan: Plan) -> None:
    """Do what was planned. An adoption that fails, or does not stand its check, is undone."""
    with files.alone(plan.folder):
        files.clear_unfinished(plan.folder)
        if plan.undo:
            _undo(plan)
            return
        try:
            record = files.read_record(plan.folder) or Record()
            for step in plan.steps:
                record.remember(plan.folder, step)
                files.write_record(plan.folder, record)
                files.do(plan.folder, step)
            trouble = _check(plan)
            if trouble:
                raise UpdaterError(trouble)
        except BaseException as exc:
            if not plan.steps:
                raise
            _put_back(plan, exc)
            raise


def _undo(plan: Plan) -> None:
    for step in plan.steps:
        files.do(plan.folder, step)
    files.forget(plan.folder)


def _put_back(plan: Plan, why: BaseException) -> None:
    """After a failure; raises `UpdaterError`, but for an interruption, which goes on its way."""
    try:
        _undo(plan_undo(str(plan.folder)))
    except (OSError, UpdaterError) as exc:
        raise UpdaterError(
            f"{_text(why)}; and not everything could be put back ({_text(exc)}): "
            f"run hearing-updater adopt --undo {plan.folder}"
        ) from why
    if isinstance(why, OSError | UpdaterError):
        raise UpdaterError(f"{_text(why)}; everything was put back as it was") from why


def _text(error: BaseException) -> str:
    return str(error).strip() or type(error).__name__


def _check(plan: Plan) -> str:
    assert plan.python is not None and plan.installed is not None
    theirs = checkout.neighbours(plan.folder)
    return probe.check(plan.python, plan.folder, plan.installed, theirs)


def to_commit(plan: Plan) -> list[str]:
    """The lines for git, to be run in the checkout, once the plan is carried out."""
    if plan.undo and not {OLD, LEGACY} & set(git.changed(plan.folder, FILES)):
        # The adoption was never committed.
        return []
    return git.to_commit(plan.folder, FILES)
