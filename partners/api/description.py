"""What OpenAPI says about a view, from the same structs that read its bodies and write its answers."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema

from partners.api.queries import LONGEST_TEXT, MOST, PAGE, PLAIN

F = TypeVar("F", bound=Callable[..., Any])
Struct = type[msgspec.Struct]

STRUCTS: dict[str, Struct] = {}  # every struct that some description names, for the components of the schema

_MEANING = {
    400: "The body is not JSON, or a parameter or the Idempotency-Key cannot be used.",
    401: "No credential, or none of this partner.",
    403: "The credential may not do that.",
    404: "There is no such thing.",
    406: "The caller accepts no JSON.",
    409: "Something stands against it.",
    411: "The body's length is missing.",
    412: "Another version is in force than the one that If-Match names.",
    413: "The body is too large.",
    415: "The body is not declared as JSON.",
    422: "Some fields cannot be used: each is named under `errors`.",
    428: "If-Match is missing.",
    429: "The plan's requests of this hour are used up.",
    500: "Our fault; nothing was stored.",
    503: "The database is away or busy; nothing was stored.",
}
_ALWAYS = (406, 500, 503)
_WITH_CREDENTIAL = (401, 403, 429)
_WITH_BODY = (400, 411, 413, 415, 422)


def described(  # noqa: PLR0913 - a description has as many parts
    summary: str,
    *,
    gives: Struct | None = None,
    takes: Struct | None = None,
    status: int = 200,
    refuses: Iterable[int] = (),
    parameters: Sequence[OpenApiParameter] = (),
    example: Mapping[str, Any] | None = None,
    is_open: bool = False,
    text: str = "",
    operation: str = "",
) -> Callable[[F], F]:
    """The method's description: what it takes and gives, and every status it may refuse with."""
    refusals = {*_ALWAYS, *(() if is_open else _WITH_CREDENTIAL), *(_WITH_BODY if takes else ()), *refuses}
    responses: dict[int, Any] = {status: OpenApiResponse(response=None if gives is None else reference(gives), description=summary)}
    for code in sorted(refusals):
        responses[code, "application/problem+json"] = OpenApiResponse(  # type: ignore[index]
            response={"$ref": "#/components/schemas/Problem"}, description=_MEANING[code]
        )
    decorate: Callable[[F], F] = extend_schema(
        operation_id=operation or None,
        summary=summary,
        description=text or None,
        request=None if takes is None else {"application/json": reference(takes)},
        responses=responses,
        parameters=[*parameters],
        examples=[OpenApiExample("example", value=example, request_only=True)] if example else None,
        auth=[] if is_open else None,
    )
    return decorate


def reference(kind: Struct) -> dict[str, str]:
    """A reference to the struct's component, which the schema then holds."""
    STRUCTS[kind.__name__] = kind
    return {"$ref": f"#/components/schemas/{kind.__name__}"}


def query(name: str, description: str, **schema: Any) -> OpenApiParameter:
    """A query parameter; any `text` unless its schema is given."""
    text = {"type": "string", "minLength": 1, "maxLength": LONGEST_TEXT, "pattern": PLAIN}
    return OpenApiParameter(name, schema or text, OpenApiParameter.QUERY, description=description)


def path(name: str, description: str, **schema: Any) -> OpenApiParameter:
    """A part of the path."""
    return OpenApiParameter(name, schema or {"type": "string"}, OpenApiParameter.PATH, description=description, required=True)


def paging(**cursor: Any) -> tuple[OpenApiParameter, ...]:
    """What a list that comes in pages takes; what its cursors look like."""
    limit = query("limit", "How many at most.", type="integer", minimum=1, maximum=MOST, default=PAGE)
    return limit, query("cursor", "`next_cursor` of the last page.", **cursor)


BY_ID = paging(type="string", format="uuid")
