"""What answers in the public schema, outside any partner: includes only."""

from django.urls import URLPattern, URLResolver

urlpatterns: list[URLPattern | URLResolver] = []
