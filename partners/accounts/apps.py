"""People and machines that may act for a partner: users, API keys, tokens."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "partners.accounts"
    label = "accounts"
    default_auto_field = "django.db.models.BigAutoField"
    verbose_name = "Accounts"
