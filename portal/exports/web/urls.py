"""Pages of exports."""

from django.urls import path

from portal.exports.web import pages

app_name = "exports"
urlpatterns = [
    path("exports", pages.ExportListPage.as_view(), name="export-list"),
    path("exports/new", pages.ExportNewPage.as_view(), name="export-new"),
    path("exports/<uuid:export_id>", pages.ExportDetailPage.as_view(), name="export-detail"),
    path("exports/<uuid:export_id>/link", pages.ExportLinkPage.as_view(), name="export-link"),
    path("exports/<uuid:export_id>/file", pages.ExportFilePage.as_view(), name="export-file"),
    path("exports/schedules/<uuid:schedule_id>/stop", pages.ScheduleStopPage.as_view(), name="schedule-stop"),
]
