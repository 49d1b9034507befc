"""Routes of webhooks."""

from django.urls import path

from partners.webhooks.api.views import (
    WebhookDeliveriesView,
    WebhookDeliveryView,
    WebhookResendView,
    WebhookRotationView,
    WebhooksView,
    WebhookTestView,
    WebhookView,
)

urlpatterns = [
    path("webhooks", WebhooksView.as_view(), name="webhooks"),
    path("webhooks/<str:webhook_id>", WebhookView.as_view(), name="webhook"),
    path("webhooks/<str:webhook_id>/rotate", WebhookRotationView.as_view(), name="webhook-rotate"),
    path("webhooks/<str:webhook_id>/test", WebhookTestView.as_view(), name="webhook-test"),
    path("webhooks/<str:webhook_id>/deliveries", WebhookDeliveriesView.as_view(), name="webhook-deliveries"),
    path("webhooks/<str:webhook_id>/deliveries/<str:delivery_id>", WebhookDeliveryView.as_view(), name="webhook-delivery"),
    path("webhooks/<str:webhook_id>/deliveries/<str:delivery_id>/resend", WebhookResendView.as_view(), name="webhook-resend"),
]
