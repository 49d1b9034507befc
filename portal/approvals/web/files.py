"""Files on an application: brought in memory only, given back as attachments."""

import uuid

from django.contrib import messages
from django.core.files.uploadedfile import UploadedFile
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.utils.decorators import method_decorator
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt, csrf_protect

from partners.accounts.roles import Permission
from partners.accounts.web.access import Page
from portal.approvals.errors import FileMissing, FileRefused
from portal.approvals.services.files import LARGEST, add_file, read_file
from portal.approvals.web.desk import DeskPage
from portal.approvals.web.work import address_of, found_by
from portal.uploads import InMemory

_FORM = 64 * 1024    # what a form holds besides the file


@method_decorator(csrf_exempt, name="dispatch")    # the token is looked at once the handler stands ready: reading it reads the file
class FileAddPage(DeskPage):
    """A file is added to an application."""

    permission = Permission.APPLICATION_DECIDE

    def post(self, request: HttpRequest, number: str) -> HttpResponseBase:
        """Keeps it, and goes to the application; or says on it why not."""
        application, handler = found_by(number), InMemory(request, largest=LARGEST)
        request.upload_handlers = [handler]

        def kept() -> HttpResponse:
            given = request.FILES.get("file")
            if handler.is_too_large:
                return _refuse_too_large()
            if not isinstance(given, UploadedFile) or given.name is None:
                raise FileRefused(fields={"file": _("Choose a file first; nothing was stored.")})
            add_file(application_id=application.id, name=given.name, content=given.read(), actor=self.actor)
            messages.success(request, _("The file is kept, sealed under the applicant's own key."))
            return HttpResponseRedirect(address_of(application))

        if int(request.META.get("CONTENT_LENGTH") or 0) > LARGEST + _FORM:    # not a byte of it is read
            return self.done_or_told(request, number, {}, _refuse_too_large)
        return csrf_protect(lambda _asked: self.done_or_told(request, number, {}, kept))(request)


def _refuse_too_large() -> HttpResponse:
    raise FileRefused(fields={"file": _("The file is larger than 10 MB: make it smaller, or bring it in parts.")})


class FilePage(Page):
    """A file of an application."""

    permission = Permission.APPLICANT_READ

    def get(self, request: HttpRequest, number: str, file_id: uuid.UUID) -> HttpResponse:
        """The file, to be saved and never shown by the browser itself; that it was read is recorded."""
        try:
            found = read_file(application_id=found_by(number).id, file_id=file_id, actor=self.actor)
        except FileMissing as error:
            raise Http404 from error
        answer = HttpResponse(found.content, content_type=found.media_type)
        answer["Content-Disposition"] = content_disposition_header(True, found.name)
        answer["X-Content-Type-Options"] = "nosniff"
        answer["Content-Security-Policy"] = "default-src 'none'; sandbox"
        return answer
