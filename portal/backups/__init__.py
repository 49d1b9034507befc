"""Backups: archives of the whole system or of one partner, their restore, and going back to a moment (docs/operators.md).

An archive is one file: the database as pg_dump writes it, the partners' files, and a manifest that every partner in it has signed. The keys
in it are wrapped by the root key, which is never inside."""
