"""The first hour of an integration engineer: a key, a decision, an event that is verified, with what to paste."""

import json
import re
from functools import cache

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from partners.accounts.roles import Permission
from partners.accounts.web.access import Page
from scoring import registry, selectors
from scoring.api.examples import example_inputs


class GuidePage(Page):
    """The guide, with this partner's address and the first product's contract in its snippets."""

    permission = Permission.KEY_MANAGE

    def get(self, request: HttpRequest) -> HttpResponse:
        """The page."""
        address, product = f"{request.scheme}://{request.get_host()}", next(iter(selectors.products()), None)
        body = ""
        if product is not None:
            inputs = example_inputs(registry.current(product.slug).definition.contract)
            asked = {"product": product.slug, "applicant": {"reference": "your-reference-1"}, "inputs": inputs}
            body = json.dumps(asked, ensure_ascii=False, indent=1).replace("'", "\\u0027")    # within quotes of a shell
        return render(request, "scoring/guide.html", {"address": address, "body": body, "receiver": _receiver()})


@cache
def _receiver() -> str:
    """The receiver of docs/integrators.md, which is tested there."""
    text = (settings.BASE_DIR / "docs" / "integrators.md").read_text(encoding="utf-8")
    return str(re.findall(r"```python receiver\n(.*?)\n```", text, re.DOTALL)[0])
