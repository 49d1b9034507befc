"""Routes of the queue, of new applications and of files."""

from django.urls import path

from portal.approvals.web import files, new, queue, work

routes = [
    path("applications", queue.ApplicationListPage.as_view(), name="application-list"),
    path("applications/new", new.ApplicationNewPage.as_view(), name="application-new"),
    path("applications/take-next", queue.TakeNextPage.as_view(), name="application-take"),
    path("applications/chosen", queue.ChosenPage.as_view(), name="application-chosen"),
    path("applications/views", queue.ViewSavePage.as_view(), name="view-save"),
    path("applications/views/<uuid:view_id>/remove", queue.ViewRemovePage.as_view(), name="view-remove"),
    path("applications/<str:number>/work", work.ApplicationWorkPage.as_view(), name="application-work"),
    path("applications/<str:number>/files", files.FileAddPage.as_view(), name="file-add"),
    path("applications/<str:number>/files/<uuid:file_id>", files.FilePage.as_view(), name="file-read"),
]
