"""Pages about the record."""

from django.urls import path

from portal.record.web import files, pages

app_name = "record"
urlpatterns = [
    path("audit", pages.EventListPage.as_view(), name="event-list"),
    path("audit/summary", pages.RecordSummaryPage.as_view(), name="record-summary"),
    path("audit/check", pages.RecordCheckPage.as_view(), name="record-check"),
    path("audit/export", files.RecordExport.as_view(), name="record-export"),
    path("audit/bundle", files.BundlePage.as_view(), name="record-bundle"),
    path("audit/verify.py", files.Verifier.as_view(), name="record-verifier"),
    path("audit/keys.json", files.PublicKeys.as_view(), name="record-keys"),
    path("audit/<uuid:event_id>", pages.EventDetailPage.as_view(), name="event-detail"),
]
