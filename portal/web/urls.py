"""Pages that join several apps."""

from django.urls import path

from portal.web.pages import OverviewPage

app_name = "portal"
urlpatterns = [path("", OverviewPage.as_view(), name="overview")]
