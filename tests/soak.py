"""Kills the updater for as long as asked, everywhere it can be killed: `make soak TIME=600`.

Round by round: a scene (an update of some kind, a rollback, a restore, ...) is killed at a point,
at a moment, or several times in a row; what is left is judged, and so is the end of the next run.
The rounds are the seed's: a finding keeps its folder, and says how to repeat it.
"""

import argparse
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

from crash.play import Kill, Play, Played
from crash.scenes import Stage, scenes, stage
from updaters import _native


class Soak:
    """The rounds, and what they came to."""

    def __init__(self, root: Path, made: Stage, seed: int) -> None:
        self._root, self._stage, self._seed = root, made, seed
        self._scenes = scenes(real=True)
        self._plays: dict[str, Play] = {}
        self.kills = self.runs = self.findings = self.rounds = 0
        #: Scene and point, as often as a process died there.
        self.points: set[str] = set()

    def _play(self, number: int) -> Play:
        scene = self._scenes[number % len(self._scenes)]
        if scene.name not in self._plays:
            folder = self._root / scene.name.replace(" ", "-")
            self._plays[scene.name] = Play(scene, self._stage, folder)
        return self._plays[scene.name]

    def _plan(self, play: Play, number: int) -> tuple[list[Kill], bool]:
        """Points in an order of the seed, each once before any comes again; moments in between."""
        turn = number // len(self._scenes)
        dice = random.Random(f"{self._seed} {number}")
        points = play.points()
        named = [kill for kill in points if not kill.is_write]
        writes = [kill for kill in points if kill.is_write]
        order = random.Random(f"{self._seed} {play.scene.name}")
        order.shuffle(named)
        order.shuffle(writes)
        way, step = turn % 4, turn // 4
        reader = dice.random() < 0.4
        if way == 0 and named:
            return [named[step % len(named)]], reader
        if way < 2 and writes:
            return [writes[step % len(writes)]], reader
        if way == 2:
            return [play.at_random(dice)], reader
        count = dice.choice((2, 3))
        return [dice.choice([*named, *writes[: len(named)]]) for _ in range(count)], reader

    def round(self, number: int) -> str | None:
        """-> what was found"""
        play = self._play(number)
        kills, reader = self._plan(play, number)
        played = play.play(*kills, reader=reader)
        self._count(play, played)
        if not played.findings:
            return None
        self.findings += 1
        kept = self._root / f"finding-{number}"
        shutil.copytree(play.folder, kept)
        where = ", then ".join(map(str, kills))
        return f"{play.scene.name}, killed {where}: {'; '.join(played.findings[:5])} (kept: {kept})"

    def _count(self, play: Play, played: Played) -> None:
        self.rounds += 1
        self.kills += played.kills
        self.runs += played.runs
        self.points.update(f"{play.scene.name} {point}" for point in played.points)

    def __str__(self) -> str:
        return (
            f"{self.kills} kills in {self.runs} runs, {len(self.points)} points in "
            f"{len(self._plays)} scenes, {self.findings} findings"
        )


def main() -> int:
    """As the command line says. -> 1 where something was found"""
    parser = argparse.ArgumentParser(description="Kill the updater everywhere it can be killed.")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--round", type=int, help="only this round of the seed")
    args = parser.parse_args()
    if not _native.CRASH_POINTS:
        print("this build cannot kill itself: run make dev", file=sys.stderr)
        return 2
    root = Path(tempfile.mkdtemp(prefix="soak-"))
    began = told = time.monotonic()
    print(f"seed {args.seed}, in {root}", flush=True)
    with stage(root) as made:
        soak = Soak(root, made, args.seed)
        number = args.round or 0
        while time.monotonic() - began < args.seconds:
            if found := soak.round(number):
                print(f"FINDING (--seed {args.seed} --round {number}): {found}", flush=True)
            if args.round is not None:
                break
            number += 1
            if time.monotonic() - told >= 60:
                told = time.monotonic()
                print(f"{(told - began) / 60:.0f} min: {soak}", flush=True)
    print(f"{(time.monotonic() - began) / 60:.1f} min: {soak}")
    if soak.findings:
        return 1
    shutil.rmtree(root, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
