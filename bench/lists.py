"""Lists over a million decisions: every list page with its filters, over HTTP, and what-if over opened decisions; `python -m bench lists`.

Not part of the default run: BENCH_LISTS_ROWS (1,000,000) decisions and as many applications are put there first, some minutes. Pages
are asked one after the other by somebody who is signed in; beside the time there is the processor time of the workers and of
PostgreSQL, which does not grow when others work on the same machine."""

import http.client
import json
import os
import re
import statistics
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from bench.site import Site, family, output, processor_seconds, row, running, services, state_folder

ROWS = int(os.environ.get("BENCH_LISTS_ROWS", "1000000"))
SLUG, ROLE = "soleil", "admin"
EACH, WARMING = 40, 2    # times that each page is asked for, and before that
MOST_MS, MOST_SECONDS = 100.0, 5.0    # of a page at the 95th percentile, of what-if over 100,000 opened decisions
_ALL = "/applications?tab=all"
_DECIDED = "/applications?tab=decided"
PAGES = (
    "/", "/summary", "/summary?months=12", "/applications", "/applications?sort=newest", "/applications?sort=largest",
    "/applications?tab=mine", "/applications?tab=second", _DECIDED, f"{_DECIDED}&sort=largest", _ALL, f"{_ALL}&sort=smallest",
    "/applications?state=needs_information&band=VERY_HIGH", "/applications?product=tontine-credit", "/applications?due=late",
    "/applications?due=soon", "/applications?due=snoozed", "/applications?to=me", "/applications?to=nobody", "/applications?tag=visit",
    "/applications?min=4000000", f"{_DECIDED}&band=VERY_HIGH", f"{_DECIDED}&product=tontine-credit&band=VERY_HIGH", f"{_DECIDED}&to=me",
    f"{_DECIDED}&tag=visit", f"{_DECIDED}&tag=second-loan", f"{_ALL}&state=expired&band=VERY_HIGH", f"{_ALL}&tag=nothing",
    f"{_DECIDED}&min=4000000&max=4100000", "/applications?q=0000-0AB1", "/applications?q=S-0001", "/applications?q=Awa+Diop",
    "/applications/notices", "/decisions", "/decisions?product=tontine-credit", "/decisions?band=VERY_HIGH", "/decisions?outcome=decline",
    "/decisions?outcome=approve&band=VERY_HIGH", "/decisions?answered_by=rules", "/decisions?score_from=800",
    "/decisions?score_from=300&score_below=310", "/decisions?product=tontine-credit&score_from=500&score_below=550&outcome=decline",
    "/decisions?reference=S-0001", "/applicants", "/applicants?q=S-0001", "/batches", "/products", "/models",
)  # fmt: skip


def run() -> list[dict[str, Any]]:
    """A row for each page, its 95th percentile against what is asked; a table with medians and processor time on stderr."""
    with state_folder() as (folder, environment), services(environment, folder):
        environment["VOUCH_RELAXED_SIGN_IN"] = "1"    # somebody who signs in by a password alone, as in the demo
        for command in ("migrate", "seed_demo"):
            output([sys.executable, "manage.py", command], environment)
        passwords = json.loads((folder / "home" / "demo.json").read_text())[SLUG]["passwords"]
        began = time.monotonic()
        many = [sys.executable, "-W", "ignore", "-m", "bench.many", SLUG]
        filled = json.loads(output([*many, str(ROWS)], environment).splitlines()[-1])
        print(f"{ROWS:,} decisions and applications put there in {time.monotonic() - began:.0f} s", file=sys.stderr)
        with running(folder, environment, [filled["request"]]) as site:
            found = list(_pages(site, passwords[f"{ROLE}@{SLUG}.example"]))
        tried = json.loads(output([*many, "what-if"], environment).splitlines()[-1])
    print(_table(found), file=sys.stderr)
    return [
        *(row(f"lists, {one['page']}", one["p95"], "ms", at_most=MOST_MS) for one in found),
        row(f"what-if over {tried['opened']:,} opened decisions", tried["seconds"], "s", at_most=MOST_SECONDS),
    ]


class Browser:
    """Somebody who is signed in."""

    def __init__(self, port: int) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.host, self.cookies = f"{SLUG}.localhost:{port}", dict[str, str]()

    def sign_in(self, email: str, password: str) -> None:
        """As a person does. Raises AssertionError when it is refused."""
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', self.ask("/login")[1])
        assert token is not None
        said = urlencode({"csrfmiddlewaretoken": token[1], "email": email, "password": password})
        status, _text = self.ask("/login", said)
        assert status == http.client.FOUND, f"signing in was answered with {status}"

    def ask(self, path: str, body: str | None = None) -> tuple[int, str]:
        """Status and text; cookies are kept."""
        headers = {"Host": self.host, "Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        if body is not None:
            headers |= {"Content-Type": "application/x-www-form-urlencoded", "Origin": f"http://{self.host}"}
        self.connection.request("GET" if body is None else "POST", path, body, headers)
        answer = self.connection.getresponse()
        text = answer.read().decode()
        for name, value in answer.getheaders():
            if name.lower() == "set-cookie":
                cookie, _sign, rest = value.partition("=")
                self.cookies[cookie] = rest.partition(";")[0]
        return answer.status, text


def _pages(site: Site, password: str) -> Iterator[Mapping[str, Any]]:
    browser = Browser(site.port)
    browser.sign_in(f"{ROLE}@{SLUG}.example", password)
    busy = [*family(site.environment["VOUCH_HOME"], "granian"), *family(site.environment["VOUCH_HOME"], "portal.embedded")]
    for page in PAGES:
        for _ in range(WARMING):
            browser.ask(page)
        took, before = [], processor_seconds(busy)
        for _ in range(EACH):
            began = time.perf_counter()
            status, _text = browser.ask(page)
            took.append(1000 * (time.perf_counter() - began))
            assert status == http.client.OK, f"{page} was answered with {status}"
        spent = 1000 * (processor_seconds(busy) - before) / EACH
        yield {"page": page, "p50": statistics.median(took), "p95": sorted(took)[int(EACH * 0.95)], "cpu": spent}


def _table(found: list[Mapping[str, Any]]) -> str:
    lines = ["| page | p50, ms | p95, ms | processor, ms |", "|---|---|---|---|"]
    lines += [f"| `{one['page']}` | {one['p50']:.0f} | {one['p95']:.0f} | {one['cpu']:.0f} |" for one in found]
    return "\n".join(lines)
