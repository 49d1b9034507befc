"""Pages about applications."""

from django.urls import URLPattern

from portal.approvals.web import queue_urls

app_name = "approvals"
urlpatterns: list[URLPattern] = [*queue_urls.routes]
