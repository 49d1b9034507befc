"""What the commands of this package have in common: no partner as their first word, and a key file."""

from argparse import ArgumentParser
from pathlib import Path

from partners.console import PartnerCommand

WITHOUT_ROOT_KEY = "The root key is not in it: keep that apart, for without it this copy opens for nobody."


class SystemCommand(PartnerCommand):
    """A command about the whole system, or about the partner that --partner names."""

    takes_existing_partner = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        """What this command takes, then what all of them take."""
        self.add_own_arguments(parser)
        parser.add_argument("--key-file", type=Path, metavar="FILE", help="32 bytes as hex that seal the archive (VOUCH_BACKUP_KEY)")
        parser.add_argument("--json", action="store_true", help="print one JSON object on stdout and nothing else")


def size_of(count: float) -> str:
    """Bytes, as people read them."""
    return f"{count / 1024**2:,.1f} MiB"

