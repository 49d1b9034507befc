"""In which language a caller reads reasons."""

from rest_framework.request import Request

SPOKEN = ("en", "fr")


def language_of(request: Request) -> str:
    """The best of our languages for the caller's Accept-Language; English when none fits."""
    wanted = request._request.META.get("HTTP_ACCEPT_LANGUAGE", "")
    if not wanted:
        return SPOKEN[0]
    best, best_weight = SPOKEN[0], 0.0
    for part in wanted[:200].split(","):
        tag, _, weight = part.partition(";q=")
        language = tag.strip().lower().partition("-")[0]
        value = _weight(weight)
        if language in SPOKEN and value > best_weight:
            best, best_weight = language, value
    return best


def _weight(text: str) -> float:
    try:
        return float(text) if text else 1.0
    except ValueError:
        return 0.0
