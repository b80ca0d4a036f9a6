"""Kills the updater for as long as asked, everywhere it can be killed: `make soak TIME=600`.

Each round takes a scene (an update of some kind, a rollback, a restore, ...), kills it one to three
times at points or moments of a seeded choice, judges what is left, lets the next run finish, and
compares. A finding keeps its folder and says how to repeat it.
"""

import argparse
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

from crash import kills
from crash.scenes import MEETINGS, SCENES, Scene, filled
from updaters import _native
from updaters.sandbox import Sandbox


class Soak:
    """The rounds, and what they came to."""

    def __init__(self, root: Path, api: Sandbox, seed: int) -> None:
        self.root, self.seed = root, seed
        self.rounds = self.kills = self.findings = self.looks = 0
        self.points: set[str] = set()
        base = root / "base"
        filled(base, api)
        api.change(MEETINGS // 2, seed=2)
        api.add(7)
        self.scenes: list[Scene] = []
        self.length: dict[str, float] = {}
        for name, make in SCENES.items():
            folder = root / name.replace(" ", "-")
            scene = make(folder, api, base).prepare(folder / "scratch")
            scene.lay(folder / "timed")
            began = time.monotonic()
            scene.run(folder / "timed")
            self.length[name] = time.monotonic() - began
            self.scenes.append(scene)

    def round(self, number: int) -> str | None:
        """-> how to repeat it, where something was found"""
        choose = random.Random(f"{self.seed} {number}")
        scene = choose.choice(self.scenes)
        plan = [self._kill(scene, choose) for _ in range(choose.choice((1, 1, 2, 3)))]
        folder = self.root / f"round-{number}"
        told = ", ".join(text for text, _ in plan)
        try:
            watch = choose.random() < 0.3
            hit = kills.try_once(scene, folder, [kill for _, kill in plan], watch=watch)
        except (kills.Finding, AssertionError) as finding:
            self.findings += 1
            return f"round {number}, {scene.name}: {told}: {finding} (kept: {folder})"
        self.rounds += 1
        self.kills += hit
        shutil.rmtree(folder, ignore_errors=True)
        return None

    def _kill(self, scene: Scene, choose: random.Random) -> tuple[str, kills.Kill]:
        if choose.random() < 0.3:
            seconds = choose.uniform(0.05, 1.1) * self.length[scene.name]
            return f"after {seconds:.3f} s", lambda s, f: kills.at_moment(s, f, seconds)
        point = choose.choice(sorted(scene.passages))
        at = f"{point}:{choose.randint(1, scene.passages[point])}"
        if point == "write" and choose.random() < 0.5:
            at += ":torn"
        self.points.add(f"{scene.name} {at}")
        return f"at {at}", lambda s, f: kills.at_point(s, f, at)

    def __str__(self) -> str:
        return (
            f"{self.kills} kills in {self.rounds} rounds, {len(self.points)} points of "
            f"{len(self.scenes)} scenes, {self.findings} findings"
        )


def main() -> int:
    """As the command line says. -> 1 where something was found"""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--round", type=int, help="only this round of the seed")
    args = parser.parse_args()
    if not _native.CRASH_POINTS:
        print("this build cannot kill itself: run make dev", file=sys.stderr)
        return 2
    root = Path(tempfile.mkdtemp(prefix="soak-"))
    with Sandbox(MEETINGS, seed=11, rate_limit=10**6) as api:
        soak = Soak(root, api, args.seed)
        print(f"seed {args.seed}, in {root}", flush=True)
        began = told = time.monotonic()
        number = 0 if args.round is None else args.round
        while time.monotonic() - began < args.seconds:
            if found := soak.round(number):
                print(f"FINDING (--seed {args.seed} --round {number}): {found}", flush=True)
            if args.round is not None:
                break
            number += 1
            if time.monotonic() - told >= 60:
                told = time.monotonic()
                print(f"{(told - began) / 60:.0f} min: {soak}", flush=True)
        minutes = (time.monotonic() - began) / 60
    print(f"{minutes:.1f} min: {soak}")
    if soak.findings:
        return 1
    shutil.rmtree(root, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
