"""Pages about applications and the letters that follow from them."""

from django.urls import path, register_converter

from portal.approvals.web import desk, letters
from portal.approvals.web.numbers import NumberConverter

register_converter(NumberConverter, "number")

app_name = "approvals"
urlpatterns = [
    path("applications/<number:number>", desk.ApplicationDetailPage.as_view(), name="application-detail"),
    path("applications/<number:number>/letter", letters.LetterPage.as_view(), name="letter"),
    path("applications/<number:number>/letter.pdf", letters.LetterPdf.as_view(), name="letter-pdf"),
    path("applications/notices", letters.NoticeListPage.as_view(), name="notice-list"),
    path("applications/notices/settings", letters.NoticeSettingsPage.as_view(), name="notice-settings"),
]
