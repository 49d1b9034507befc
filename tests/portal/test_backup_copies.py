"""Copies by the clock: made when due, the newest few kept, missing and old ones named."""

import fcntl
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings

from portal.backups import copies
from portal.management.commands import doctor
from tests.conftest import House
from tests.portal.test_backups import Partners, told


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    with override_settings(BACKUPS=str(tmp_path / "copies"), BACKUP_HOURS=24, BACKUP_COPIES=2):
        yield tmp_path / "copies"


def put(folder: Path, hours: float) -> Path:
    """A copy that is so old."""
    folder.mkdir(exist_ok=True)
    made = folder / f"vouch-system-{(datetime.now(UTC) - timedelta(hours=hours)).strftime('%Y%m%dT%H%M%SZ')}.vouch-backup"
    made.write_bytes(b"")
    return made


def test_a_due_copy_is_made_once_and_only_the_newest_stay(folder: Path, new_partner: Partners) -> None:
    new_partner()
    oldest, older, other = put(folder, 72), put(folder, 25), folder / "mine.txt"
    other.write_text("mine")
    (folder / ".vouch-system-x.part").write_bytes(b"killed")

    first, again = told("backup", due=True), told("backup", due=True)

    assert again["file"] is None
    assert {path for path in folder.iterdir() if path.name != ".lock"} == {older, other, Path(first["file"])}
    assert not oldest.exists()


def test_nothing_is_begun_when_none_is_due_or_asked_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[object] = []

    class Process:
        def __init__(self, command: list[str], **options: object) -> None:
            begun.append(command[2:])

        def poll(self) -> None:
            return None

    monkeypatch.setattr("portal.backups.copies.subprocess.Popen", Process)
    monkeypatch.setattr(copies, "_running", [])
    put(folder, 1)
    copies.begin_due_backup()
    with override_settings(BACKUPS=""):
        copies.begin_due_backup()
    assert begun == []

    with override_settings(BACKUP_HOURS=1):
        copies.begin_due_backup()
        copies.begin_due_backup()

    assert begun == [["backup", "--due", "--json"]]


def test_one_process_makes_the_copy(folder: Path, new_partner: Partners) -> None:
    folder.mkdir()
    with open(folder / ".lock", "ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)

        assert told("backup", due=True)["file"] is None

    assert os.listdir(folder) == [".lock"]


def test_without_a_folder_the_clock_makes_no_copies(db: None) -> None:
    with pytest.raises(CommandError, match="VOUCH_BACKUPS"):
        call_command("backup", "--due")


def test_the_doctor_names_a_missing_and_an_old_copy(folder: Path, north: House) -> None:
    def seen() -> list[tuple[str, bool]]:
        return [(finding.seen, finding.is_fault) for finding in doctor.examine() if finding.part == "backups"]

    assert seen() == [(f"there is no copy in {folder}", True)]
    put(folder, 60)
    assert seen() == [(f"the newest of 1 copies in {folder} is 60 hours old", True)]
    put(folder, 30)
    assert seen() == [(f"the newest of 2 copies in {folder} is 30 hours old", False)]
    with override_settings(BACKUPS=""):
        assert seen() == []
