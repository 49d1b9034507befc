"""Registers the wiring's system checks."""

from importlib import import_module

from django.apps import AppConfig


class PortalConfig(AppConfig):
    """The project itself: it has commands, templates and checks, and no tables."""

    name = "portal"

    def ready(self) -> None:
        """The checks are known before the first command runs."""
        import_module("portal.checks")
