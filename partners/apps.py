"""Partners: who they are, where they answer, what their plan allows."""

from django.apps import AppConfig


class PartnersConfig(AppConfig):
    name = "partners"
    default_auto_field = "django.db.models.BigAutoField"
    verbose_name = "Partners"
    # The role of the public state may read these; only the owner writes them.
    read_only_tables = ("partners_partner", "partners_domain")
