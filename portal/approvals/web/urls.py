"""Pages about applications and the letters that follow from them."""

from django.urls import URLPattern, path, register_converter

from portal.approvals.web import desk, files, letters, new, policy, queue, work
from portal.approvals.web.numbers import NumberConverter

register_converter(NumberConverter, "number")

app_name = "approvals"
urlpatterns: list[URLPattern] = [
    path("applications", queue.ApplicationListPage.as_view(), name="application-list"),
    path("applications/new", new.ApplicationNewPage.as_view(), name="application-new"),
    path("applications/take-next", queue.TakeNextPage.as_view(), name="application-take"),
    path("applications/chosen", queue.ChosenPage.as_view(), name="application-chosen"),
    path("applications/views", queue.ViewSavePage.as_view(), name="view-save"),
    path("applications/views/<uuid:view_id>/remove", queue.ViewRemovePage.as_view(), name="view-remove"),
    path("applications/notices", letters.NoticeListPage.as_view(), name="notice-list"),
    path("applications/notices/settings", letters.NoticeSettingsPage.as_view(), name="notice-settings"),
    path("applications/<number:number>", desk.ApplicationDetailPage.as_view(), name="application-detail"),
    path("applications/<number:number>/work", work.ApplicationWorkPage.as_view(), name="application-work"),
    path("applications/<number:number>/files", files.FileAddPage.as_view(), name="file-add"),
    path("applications/<number:number>/files/<uuid:file_id>", files.FilePage.as_view(), name="file-read"),
    path("applications/<number:number>/letter", letters.LetterPage.as_view(), name="letter"),
    path("applications/<number:number>/letter.pdf", letters.LetterPdf.as_view(), name="letter-pdf"),
    path("products/<slug:slug>/approval-policy", policy.ApprovalPolicyPage.as_view(), name="policy"),
]
