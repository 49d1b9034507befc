"""Training a model version: in a process of its own, without the database and without keys; signed and stored only when it succeeded."""

import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings

from audit.context import Actor
from audit.vault import keyring
from scoring.engine.bundle import sign_bundle
from scoring.errors import TrainingRefused
from scoring.models import ModelVersion, Product
from scoring.services.definitions import definition_file, take_up_edits
from scoring.services.models import ranks_like_chance, store_model_version

SEED = 20_260_101
BEAT_MILLISECONDS = 1_000
_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "VIRTUAL_ENV", "NUMBA_CACHE_DIR", "LD_LIBRARY_PATH")
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")    # whatever the parent's are


@dataclass(frozen=True, slots=True)
class TrainedVersion:
    """A stored model version with what training had to say about it."""

    version: ModelVersion
    metrics: dict[str, Any]
    warnings: tuple[str, ...]
    edited: tuple[str, ...]


def train_model(  # noqa: PLR0913    keyword-only, and each is a word of the command
    *, product_slug: str, table: Path, estimator: str | None, folds: int, actor: Actor, progress: Callable[[str], None],
    tune: int = 0, events: Mapping[str, Path] | None = None, state: ModelVersion.State = ModelVersion.State.CANDIDATE,
) -> TrainedVersion:
    """The product has a new candidate, or draft, trained on the table, its file's edits taken up first. What ranks no better than chance
    is a draft whatever was asked for; a warning says so.

    Raises ProductUnknown, ProductFileRefused, and TrainingRefused when the table cannot train it; then no version is made."""
    product = Product.objects.filter(slug=product_slug).first()
    if product is None:
        raise Product.unknown(product_slug)
    edited = take_up_edits(product=product, actor=actor)
    if edited:
        progress(f"the edited definition was taken up: {', '.join(edited)} changed")
        product.refresh_from_db()
    estimator = estimator or product.definition["estimator"]
    bundle, result = train_bundle(
        definition=product.definition, table=table, estimator=estimator, folds=folds, tune=tune, events=events or {}, progress=progress,
    )  # fmt: skip
    if ranks_like_chance(result["metrics"]):
        state = ModelVersion.State.DRAFT
    version = store_model_version(
        product_slug=product_slug, bundle=bundle, estimator=estimator, metrics=result["metrics"], actor=actor, state=state,
    )
    return TrainedVersion(version, result["metrics"], tuple(result["warnings"]), tuple(edited))


def train_bundle(  # noqa: PLR0913    keyword-only
    *, definition: Mapping[str, Any], table: Path, estimator: str, progress: Callable[[str], None], folds: int = 5, tune: int = 0,
    events: Mapping[str, Path] | None = None, threads: int = 0, beat: Callable[[], None] = lambda: None,
) -> tuple[bytes, dict[str, Any]]:
    """The bundle under the partner's signature, and what training says of it: metrics and warnings. Nothing is stored.

    `beat` is called every second while it lasts; what it raises ends the training. Raises TrainingRefused."""
    request = {
        "product": definition, "table": str(table.resolve()), "estimator": estimator, "folds": folds, "seed": SEED,
        "threads": threads or len(os.sched_getaffinity(0)), "decided_on": datetime.now(UTC).date().isoformat(),
        "tune": tune, "journals": str(definition_file(definition["slug"]).parent.parent / "tuning" / definition["slug"]),
        "events": {name: str(file.resolve()) for name, file in (events or {}).items()},
        "memory": settings.TRAINING_MEMORY_MB * 1024**2 or None,
    }
    with tempfile.TemporaryDirectory(prefix="vouch-training-") as folder:
        code = _run({**request, "folder": folder}, progress, beat)
        result_file = Path(folder) / "result.json"
        if not result_file.exists():
            raise TrainingRefused(_ended(code))
        result: dict[str, Any] = json.loads(result_file.read_text())
        if "error" in result:
            raise TrainingRefused(result["error"])
        ring = keyring()
        return sign_bundle((Path(folder) / "bundle").read_bytes(), sign=ring.sign, key_id=ring.key_id), result


def _ended(code: int) -> str:
    if code == -signal.SIGKILL:
        return "Training was killed, as the kernel does when memory runs out: train on fewer rows, or on a machine with more memory."
    return f"Training stopped with exit code {code}; its last lines tell why."


def _end_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, int(signal.SIGKILL))  # PR_SET_PDEATHSIG


def _run(given: dict[str, Any], progress: Callable[[str], None], beat: Callable[[], None]) -> int:
    """Runs the training process to its end and hands its lines on. It sees no secret and no database of ours."""
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    environment |= {"OMP_WAIT_POLICY": "passive", "PYTHONHASHSEED": "0", **dict.fromkeys(_THREADS, str(given["threads"]))}
    process = subprocess.Popen(
        [sys.executable, "-m", "scoring.engine.training"], cwd=settings.BASE_DIR, env=environment,
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, preexec_fn=_end_with_parent,
    )
    with process:
        assert process.stdin is not None
        assert process.stderr is not None
        try:
            process.stdin.write(json.dumps(given).encode())
            process.stdin.close()
            for line in _lines(process.stderr.fileno(), beat):
                progress(line)
        except BaseException:
            process.kill()
            raise
    return process.returncode


def _lines(pipe: int, beat: Callable[[], None]) -> Iterator[str]:
    """What the process says, line by line, with a beat between and whenever it says nothing for a while."""
    waiting, rest = select.poll(), b""
    waiting.register(pipe, select.POLLIN)
    while True:
        beat()
        if not waiting.poll(BEAT_MILLISECONDS):
            continue
        if not (piece := os.read(pipe, 1 << 16)):
            yield from [rest.decode(errors="replace")] if rest else []
            return
        *lines, rest = (rest + piece).split(b"\n")
        yield from (line.decode(errors="replace").rstrip() for line in lines)
