"""Pages about webhooks."""

from django.urls import path

from partners.webhooks.web.pages import DeliveryDetailPage, EndpointChangePage, EndpointDetailPage, EndpointFormPage, EndpointListPage

app_name = "webhooks"
urlpatterns = [
    path("developers/webhooks", EndpointListPage.as_view(), name="endpoint-list"),
    path("developers/webhooks/new", EndpointFormPage.as_view(), name="endpoint-new"),
    path("developers/webhooks/<uuid:webhook_id>", EndpointDetailPage.as_view(), name="endpoint-detail"),
    path("developers/webhooks/<uuid:webhook_id>/change", EndpointChangePage.as_view(), name="endpoint-change"),
    path("developers/webhooks/<uuid:webhook_id>/deliveries/<uuid:delivery_id>", DeliveryDetailPage.as_view(), name="delivery-detail"),
]
