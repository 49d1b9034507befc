"""Training in a process of its own: a request as JSON on stdin, progress on stderr, the result as files in the request's folder."""

import json
import sys
from pathlib import Path
from typing import Any

from scoring.engine.tables import TableError
from scoring.engine.training.estimators import LearnerMissing
from scoring.engine.training.matrix import TrainingError
from scoring.engine.training.train import TrainingRequest, train


def main() -> int:
    """Writes bundle and result.json, or result.json with the error; 0 or 1."""
    given: dict[str, Any] = json.load(sys.stdin)
    folder = Path(given.pop("folder"))
    try:
        trained = train(TrainingRequest.from_dict(given), progress=lambda line: print(line, file=sys.stderr, flush=True))  # noqa: T201
    except (TrainingError, TableError, LearnerMissing) as error:
        (folder / "result.json").write_text(json.dumps({"error": str(error), "code": error.code}))
        return 1
    (folder / "bundle").write_bytes(trained.bundle)
    (folder / "result.json").write_text(json.dumps({"metrics": trained.metrics, "warnings": trained.warnings}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
