"""What stands against a backup or a restore."""

from audit.errors import DomainError


class BackupRefused(DomainError):
    """The backup cannot be made, or not be used; nothing was changed."""

    code = "backup_refused"
