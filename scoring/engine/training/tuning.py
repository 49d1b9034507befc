"""Searches an estimator's settings with Optuna. What was tried is kept in a journal, so a search that was killed goes on where it ended."""

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import optuna

from scoring.engine.training.estimators import ESTIMATORS
from scoring.engine.training.evidence import fingerprint
from scoring.engine.training.trials import Candidates, Choice, Range, Settings, Trial

optuna.logging.set_verbosity(optuna.logging.ERROR)


class Tuning:
    """The estimator's own candidates, then so many trials of Optuna's TPE; the least log-loss on the inner folds wins.

    The seed decides what is tried after which loss, and a loss that the journal holds is not measured again: a search that was killed
    ends with the settings it would have found. `folder` holds settings and losses, nothing of the rows."""

    def __init__(self, trials: int, folder: Path, progress: Callable[[str], None]) -> None:
        self.trials, self.folder, self.progress = trials, folder, progress
        self._journals: list[_Journal] = []

    def choose(self, choice: Choice[Settings]) -> Trial[Settings]:
        """The best of all trials, measured in this process."""
        journal = _Journal(self.folder / _journal_name(choice))
        self._journals.append(journal)
        if journal.losses:
            self.progress(f"tuning {choice.estimator}: {len(journal.losses)} trials were done before")
        best, found = Candidates().choose(choice), None
        loss = best.loss
        study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=choice.seed))
        for number in range(1, self.trials + 1):
            asked = study.ask()
            changed = {name: _suggested(asked, name, allowed) for name, allowed in choice.space.items()}
            known = journal.losses.get(_key(changed))
            if known is None:
                trial = choice.attempt(_with(choice, changed))
                journal.add(changed, known := trial.loss)
            if known < loss:
                loss, found = known, changed
            study.tell(asked, known)
            self.progress(f"tuning {choice.estimator}: {number} of {self.trials}, log-loss {known:.5f}, best {loss:.5f}")
        return best if found is None else choice.attempt(_with(choice, found))

    def forget(self) -> None:
        """Removes the journals of this search: it has ended well."""
        for journal in self._journals:
            journal.path.unlink(missing_ok=True)


class _Journal:
    """The losses by settings, one line each, on the disk before the next trial begins."""

    def __init__(self, path: Path) -> None:
        self.path, self.losses = path, dict[str, float]()
        for line in path.read_text().splitlines() if path.exists() else ():
            try:
                written = json.loads(line)
                self.losses[_key(written["settings"])] = float(written["loss"])
            except (ValueError, KeyError, TypeError):
                continue    # the line that was being written when the process was killed

    def add(self, settings: Mapping[str, float], loss: float) -> None:
        self.losses[_key(settings)] = loss
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab") as file:
            # A line of its own even after one that was cut off.
            file.write(b"\n" + json.dumps({"settings": settings, "loss": loss}).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())


def _journal_name(choice: Choice[Any]) -> str:
    """By all that decides about a loss: the rows, the estimator, the seed, what is tried, and the libraries."""
    packages = {name: version(name) for name in ("optuna", "numpy", *ESTIMATORS[choice.estimator].packages)}
    about = [fingerprint(choice.samples), choice.samples.monotone, choice.seed, repr(choice.candidates), repr(choice.space), packages]
    return f"{choice.estimator}-{hashlib.sha256(json.dumps(about).encode()).hexdigest()[:32]}.jsonl"


def _key(settings: Mapping[str, float]) -> str:
    return json.dumps(settings, sort_keys=True)


def _suggested(asked: optuna.Trial, name: str, allowed: Range) -> float:
    if allowed.is_whole:
        return int(asked.suggest_int(name, int(allowed.low), int(allowed.high), log=allowed.is_log))
    return float(asked.suggest_float(name, allowed.low, allowed.high, log=allowed.is_log))


def _with(choice: Choice[Settings], changed: Mapping[str, float]) -> Settings:
    return cast(Settings, replace(cast(Any, choice.candidates[0]), **changed))
