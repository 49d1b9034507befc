"""Routes of exports."""

from django.urls import path

from portal.exports.api.views import ExportFileView, ExportLinkView, ExportsView, ExportView

urlpatterns = [
    path("exports", ExportsView.as_view(), name="exports"),
    path("exports/<str:export_id>", ExportView.as_view(), name="export"),
    path("exports/<str:export_id>/link", ExportLinkView.as_view(), name="export-link"),
    path("exports/<str:export_id>/file", ExportFileView.as_view(), name="export-file"),
]
