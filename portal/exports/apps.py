"""Exports: lists taken away as files, once or by the clock."""

from importlib import import_module

from django.apps import AppConfig


class ExportsConfig(AppConfig):
    name = "portal.exports"
    label = "exports"
    default_auto_field = "django.db.models.BigAutoField"
    verbose_name = "Exports"

    def ready(self) -> None:
        """The lists of the apps below can be taken away; what is in their files is erased with the applicants."""
        for name in ("of_scoring", "of_partners", "of_record", "of_figures"):
            import_module(f"portal.exports.lists.{name}").declare_lists()    # they need the models, which are there only now
        import_module("portal.exports.privacy").register()
