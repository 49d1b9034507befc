"""The peers' own Python: a virtual environment below this folder, made once for each version of requirements.txt."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
PYTHON = FOLDER / ".venv" / "bin" / "python"


def python() -> Path:
    """The interpreter that has what requirements.txt pins. Raises CalledProcessError when the packages cannot be had."""
    pinned, mark = FOLDER / "requirements.txt", FOLDER / ".venv" / ".installed"
    digest = hashlib.sha256(pinned.read_bytes() + sys.version.encode()).hexdigest()
    if not mark.exists() or mark.read_text() != digest:
        print("making the peers' environment ...", file=sys.stderr, flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(FOLDER / ".venv")], check=True)
        if not _by_uv(pinned):
            pip = [str(PYTHON), "-m", "pip", "--disable-pip-version-check", "--quiet", "install", "--require-hashes", "-r", str(pinned)]
            subprocess.run(pip, check=True)
        mark.write_text(digest)
    return PYTHON


def _by_uv(pinned: Path) -> bool:
    """Whether uv, which is several times faster, managed it; as requirements/install does."""
    uv = Path(sys.executable).with_name("uv")
    if not uv.exists():
        return False
    index = subprocess.run([sys.executable, "-m", "pip", "config", "get", "global.index-url"], capture_output=True, text=True, check=False)
    environment = {**os.environ, "UV_DEFAULT_INDEX": index.stdout.strip()} if index.returncode == 0 else dict(os.environ)
    command = [str(uv), "pip", "install", "--quiet", "--python", str(PYTHON), "--require-hashes", "-r", str(pinned)]
    return subprocess.run(command, env=environment, check=False).returncode == 0
