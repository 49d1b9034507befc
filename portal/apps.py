"""Registers the wiring's system checks."""

from importlib import import_module

from django.apps import AppConfig

from scoring.observers import observe


class PortalConfig(AppConfig):
    """The project itself: it has commands, templates and checks, and no tables."""

    name = "portal"

    def ready(self) -> None:
        """The checks are known before the first command runs, and decisions are counted."""
        import_module("portal.checks")
        metrics = import_module("portal.metrics")
        observe(decisions=metrics.count_decisions, loads=metrics.model_loaded.set, refusals=metrics.model_refused_total.inc)
