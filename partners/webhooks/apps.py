"""Webhooks: where a partner wants to be told of events, and what became of each delivery."""

from django.apps import AppConfig


class WebhooksConfig(AppConfig):
    name = "partners.webhooks"
    label = "webhooks"
    default_auto_field = "django.db.models.BigAutoField"
    verbose_name = "Webhooks"
