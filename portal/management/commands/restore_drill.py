"""`manage.py restore_drill`: makes a backup, restores it beside what is there, compares, and throws both away."""

import time
from argparse import ArgumentParser
from typing import Any

from partners.console import Result
from partners.models import Partner
from portal.backups.archive import extract
from portal.backups.console import SystemCommand, size_of
from portal.backups.making import make_backup
from portal.backups.place import read_key, staging
from portal.backups.restoring import side_database


class Command(SystemCommand):
    """`manage.py restore_drill`."""

    help = "Show that a backup can be restored: make one, restore it beside the system, compare rows and trees; nothing stays."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        """Nothing of its own."""

    def run(self, partner: Partner | None, options: dict[str, Any]) -> Result:
        """Prints seconds and bytes."""
        key, began = read_key(options["key_file"]), time.monotonic()
        with staging() as staged:
            made = make_backup(slug=None, target=staged / "drill.vouch-backup", key=key, actor=self.actor, report=self.progress)
            backed_up = time.monotonic()
            (staged / "out").mkdir()
            manifest = extract(made.path, staged / "out", key)
            with side_database(staged / "out", manifest, report=self.progress):
                restored = time.monotonic()
        rows = sum(sum(one["rows"].values()) for one in manifest["facts"].values())
        values = {"bytes": made.bytes, "partners": made.partners, "rows": rows, "backup_seconds": round(backed_up - began, 2),
                  "restore_seconds": round(restored - backed_up, 2), "equal": True}  # fmt: skip
        return Result(
            values, f"Backup: {size_of(made.bytes)} ({made.bytes:,} bytes) of {made.partners} partners in {values['backup_seconds']} s.",
            f"Restore: {rows:,} rows in {values['restore_seconds']} s; row counts and trees are equal, and nothing stays.",
        )  # fmt: skip
