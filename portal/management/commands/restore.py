"""`manage.py restore`: the whole system or one partner as a backup has them."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from partners.console import Result
from partners.models import Partner
from portal.backups.archive import extract
from portal.backups.console import SystemCommand
from portal.backups.errors import BackupRefused
from portal.backups.moments import as_of, moment_of
from portal.backups.place import read_key, staging
from portal.backups.restoring import Restored, restore_partner, restore_system


class Command(SystemCommand):
    """`manage.py restore FILE [--partner SLUG] --yes`."""

    help = "Bring the whole system, or one partner beside the others, back from a backup. What was written since then goes."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, nargs="?", metavar="FILE", help="what `backup` has written")
        parser.add_argument("--at", metavar="TIME", help="instead of a FILE: as of this moment, such as 2026-11-21T09:30:00+03:00")
        parser.add_argument("--partner", metavar="SLUG", help="this partner alone; the others go on meanwhile")
        parser.add_argument("--yes", action="store_true", help="really put it in the place of what is there")

    def run(self, partner: Partner | None, options: dict[str, Any]) -> Result:
        """Prints what came back. Without --yes it only says whether the archive is whole and ours, and what would go."""
        with staging() as staged:
            manifest = self._manifest(staged, options)
            whom = options["partner"] or ("everybody" if manifest["scope"] == "system" else "")
            if not whom:
                raise BackupRefused(f"This backup is of one partner: restore it with --partner {manifest['scope']}.")
            if not options["yes"]:
                said = f"The archive is whole and ours, made {manifest['made_at']}. What {whom} wrote since then goes: say --yes."
                return Result({"made_at": manifest["made_at"], "partner": whom, "restored": False}, said)
            done = self._restore(staged, manifest, options["partner"])
        values = {"made_at": manifest["made_at"], "restored": True, "partners": done.partners, "rows": done.rows,
                  "seconds": round(done.seconds, 2), "kept_database": done.kept_database}  # fmt: skip
        lines = [f"{', '.join(done.partners)}: {done.rows:,} rows as of {manifest['made_at']}, checked, in {done.seconds:.1f} s."]
        if done.kept_database:
            lines.append(f"The database as it was is kept: DROP DATABASE {done.kept_database}; when you need it no more.")
        return Result(values, *lines)

    def _manifest(self, staged: Path, options: dict[str, Any]) -> dict[str, Any]:
        if (options["file"] is None) == (options["at"] is None):
            raise BackupRefused("Name the FILE that `backup` has written, or a moment with --at TIME.")
        if options["at"] is not None:
            return as_of(moment_of(options["at"]), staged, slug=options["partner"], report=self.progress)
        self.progress("reading the archive")
        return extract(options["file"], staged, read_key(options["key_file"]))

    def _restore(self, staged: Path, manifest: dict[str, Any], slug: str | None) -> Restored:
        if slug is not None:
            return restore_partner(staged, manifest, slug, actor=self.actor, report=self.progress)
        return restore_system(staged, manifest, actor=self.actor, report=self.progress)
