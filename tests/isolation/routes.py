"""Every address of the portal with its methods, as the resolver has them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.resolvers import RegexPattern, RoutePattern

_PARAMETER = re.compile(r"<(?:[^:<>]+:)?([a-z_]+)>")


@dataclass(frozen=True)
class Route:
    """One address: its pattern with named parameters, its methods, and whether it belongs to the API."""

    pattern: str
    name: str
    methods: tuple[str, ...]
    parameters: tuple[str, ...]

    @property
    def is_api(self) -> bool:
        return self.pattern.startswith("/api/")

    def path(self, values: dict[str, Any]) -> str:
        """The address with these values in the place of its parameters."""
        return _PARAMETER.sub(lambda match: str(values[match[1]]), self.pattern)


def routes(urlconf: Any) -> list[Route]:
    """Every route of the URL configuration, written as text patterns; regular expressions only where they have no parameter."""
    return list(_walk(get_resolver(urlconf).url_patterns, "/"))


def _walk(patterns: list[URLPattern | URLResolver], prefix: str) -> Iterator[Route]:
    for one in patterns:
        here = prefix + _text(one.pattern)
        if isinstance(one, URLResolver):
            yield from _walk(one.url_patterns, here)
        else:
            yield Route(here, one.name or "", _methods(one), tuple(_PARAMETER.findall(here)))


def _text(pattern: Any) -> str:
    if isinstance(pattern, RoutePattern):
        return str(pattern)
    assert isinstance(pattern, RegexPattern)
    assert not pattern.regex.groups, f"{pattern} has parameters that cannot be filled in"
    return str(pattern).strip("^$")


def _methods(pattern: URLPattern) -> tuple[str, ...]:
    view = getattr(pattern.callback, "cls", None) or getattr(pattern.callback, "view_class", None)
    if view is None:
        return ("GET", "POST")
    names = getattr(pattern.callback, "initkwargs", {}).get("http_method_names", view.http_method_names)
    return tuple(name.upper() for name in names if hasattr(view, name) and name not in {"options", "head"})
