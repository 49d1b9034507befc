"""The record: events, their proof, the keys that seal personal data, and what leaves the house (outbox)."""

from importlib import import_module

from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "audit"
    default_auto_field = "django.db.models.BigAutoField"
    verbose_name = "Record"
    # A partner's role may INSERT and SELECT here and nothing else; a trigger refuses the rest to everybody.
    append_only_tables = (
        "audit_event", "audit_leaf", "audit_checkpoint", "audit_subtree", "audit_privacystep", "audit_privacyterms", "audit_erasure",
    )  # fmt: skip

    def ready(self) -> None:
        """What the record itself keeps of applicants is erased too."""
        import_module("audit.privacy.answers").register()
