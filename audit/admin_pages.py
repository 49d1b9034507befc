"""What every list of the admin is made of: rows that are looked at and never changed, counted only so far, found by indexes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.forms import Media
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.functional import Promise, cached_property

MOST_COUNTED = 10_000


class BoundedPaginator(Paginator):  # type: ignore[type-arg]  # the class takes none at run time
    """Never counts further than 10,000: what lies behind is found by searching."""

    most = MOST_COUNTED

    @cached_property
    def count(self) -> int:
        """How many there are, 10,000 at most."""
        return int(self.object_list[:MOST_COUNTED].count())  # type: ignore[attr-defined]


def column(title: Any, read: Callable[[Any], object]) -> Any:
    """One value of a row, under this title in lists and on the row's own page."""

    @admin.display(description=title, empty_value="–")
    def shown(row: Any) -> object:
        return read(row)

    return shown


def deed(view: Callable[..., HttpResponse], *, takes_file: bool = False) -> Callable[..., HttpResponse]:
    """The view may be sent a form: it changes something, through a service that records it. One that takes a file looks at the form's
    token itself, once it stands ready for the file."""

    def doing(request: HttpRequest, *arguments: Any, **named: Any) -> HttpResponse:
        return view(request, *arguments, **named)

    doing.is_deed, doing.csrf_exempt = True, takes_file  # type: ignore[attr-defined]
    return doing


@dataclass(frozen=True, slots=True)
class Button:
    """Something that can be done: where it leads, and whether pressing it does it (a form) or asks first (a link)."""

    address: str
    text: str | Promise
    does: bool = False


class ReadOnly(admin.ModelAdmin):  # type: ignore[type-arg]
    """A list and a page for each row; there is no address at which one could be added, changed or removed.

    `list_display` are the columns, `fields` what the page shows; both are made by `column`. Who may look holds `permission`."""

    permission: ClassVar[str]
    title: ClassVar[str | Promise]
    about: ClassVar[str | Promise] = ""    # one sentence under the title
    key_kind: ClassVar[str] = "uuid"    # of the ids in addresses
    show_full_result_count = False
    paginator = BoundedPaginator
    list_per_page = 50
    list_max_show_all = 0
    sortable_by = ()
    actions = None

    @property
    def media(self) -> Media:
        """No scripts: there is nothing to fill in."""
        return Media()

    def get_urls(self) -> list[URLPattern]:
        """Two addresses, and what a subclass adds."""
        return [
            path("", self.admin_site.admin_view(self.changelist_view), name=self.route("changelist")),
            path(f"<{self.key_kind}:object_id>/", self.admin_site.admin_view(self.change_view), name=self.route("change")),
        ]

    def route(self, kind: str) -> str:
        """The name of one of its addresses."""
        return f"{self.opts.app_label}_{self.opts.model_name}_{kind}"

    @property
    def address(self) -> str:
        """Where the list is."""
        return reverse(f"admin:{self.route('changelist')}")

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Whoever holds `permission`."""
        allows: Callable[[str], bool] = getattr(request.user, "allows", lambda _permission: False)
        return allows(self.permission)

    def has_module_permission(self, request: HttpRequest) -> bool:
        """The same."""
        return self.has_view_permission(request)

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody."""
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:
        """All of them."""
        return self.fields or ()

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        """Nothing is looked up by an address but what `search` finds."""
        return False

    def search(self, found: QuerySet[Any], term: str) -> QuerySet[Any]:
        """The rows that a term means, by an index; none for a term that means nothing."""
        return found.none()

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> tuple[QuerySet[Any], bool]:
        """As `search` says."""
        term = search_term.strip()
        return (self.search(queryset, term) if term else queryset), False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The list."""
        context = {"title": self.title, "about": self.about, "buttons": self.buttons(request), **(extra_context or {})}
        return super().changelist_view(request, context)

    def change_view(
        self, request: HttpRequest, object_id: Any, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """One row. 404 where there is none. Raises PermissionDenied before it looks."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        row = self.get_object(request, str(object_id))
        if row is None:
            raise Http404
        context = {"title": str(row), "kind": self.title, "list": self.address, "told": self.told(row), **(extra_context or {})}
        context["buttons"], context["is_live"] = self.deeds(request, row), self.is_live(row)
        return super().change_view(request, str(object_id), form_url, context)

    def is_live(self, row: Any) -> bool:
        """Whether the row moves by itself, so that its page looks again."""
        return False

    def told(self, row: Any) -> tuple[bool, str | Promise] | None:
        """What is to be said above the row: whether it is good, and the sentence."""
        return None

    def deeds(self, request: HttpRequest, row: Any) -> list[Button]:
        """What this person may do about the row."""
        return []

    def buttons(self, request: HttpRequest) -> list[Button]:
        """What this person may do above the list."""
        return []
