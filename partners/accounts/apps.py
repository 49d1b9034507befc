"""People and machines that may act for a partner: users, API keys, tokens."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "partners.accounts"
    label = "accounts"
    default_auto_field = "django.db.models.BigAutoField"
    verbose_name = "Accounts"


class WithoutTables(AppConfig):
    """What allauth.mfa imports of its sister app. Its own configuration would ask for a middleware; nothing else of it is used."""

    name = "allauth.account"
    label = "account"
    default_auto_field = "django.db.models.AutoField"
