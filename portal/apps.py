"""Registers the wiring's system checks."""

from importlib import import_module

from django.apps import AppConfig

from scoring.observers import observe


class PortalConfig(AppConfig):
    """The project itself: it has commands, templates and checks, and no tables."""

    name = "portal"

    def ready(self) -> None:
        """The checks are known before the first command runs, decisions are counted, and the record can be taken away."""
        import_module("portal.checks")
        import_module("portal.record.exports").declare_lists()    # it needs the models of all apps
        metrics = import_module("portal.metrics")
        observe(decisions=metrics.count_decisions, loads=metrics.model_loaded.set, refusals=metrics.model_refused_total.inc)
