"""The whole decision over HTTP with a model as the commands train it: statements, memory, start, throughput and latency."""

import http.client
import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.site import (
    PATH,
    Site,
    family,
    first_answer,
    free_port,
    load,
    manage,
    output,
    processor_seconds,
    row,
    running,
    server,
    state_folder,
    workers,
)  # fmt: skip

SLUG, PRODUCT = "bench", "market-loan"
TRAINING_ROWS = 3_000
NOT_INPUTS = {"loan_id", "defaulted", "gender"}
WARMING, ALONE, TOGETHER, STEADY = 300, 1_500, 4_000, 1_500


def run() -> list[dict[str, Any]]:
    """The rows of one run."""
    with state_folder() as (folder, environment):
        request = _made_partner(folder, environment)
        with running(folder, environment, [request]) as site:
            return _measured(site)


def _made_partner(folder: Path, environment: Mapping[str, str]) -> dict[str, Any]:
    """The partner, its key and a promoted model, by the commands an operator uses; returns what a client sends."""
    from scoring.engine.synthetic import market_loans, write_table

    table = folder / "loans.csv"
    write_table(table, market_loans(TRAINING_ROWS, seed=1))
    manage(environment, "create_partner", SLUG, "--name", "Bench", "--country", "KE", "--currency", "KES", "--plan", "enterprise")
    key = manage(environment, "create_api_key", SLUG, "--name", "bench")
    manage(environment, "create_product", SLUG, PRODUCT, "--from-csv", str(table), "--target", "defaulted", "--positive", "1",
           "--id", "loan_id", "--protected", "gender")  # fmt: skip
    manage(environment, "train_model", SLUG, PRODUCT, "--csv", str(table))
    manage(environment, "promote_model", SLUG, PRODUCT, "1")
    inputs = {name: value for name, value in market_loans(1, seed=99)[0].items() if name not in NOT_INPUTS}
    headers = {"Host": f"{SLUG}.localhost", "X-API-Key": key["api_key"]}
    return {"path": PATH, "headers": headers, "body": {"product": PRODUCT, "inputs": inputs}}


def _measured(site: Site) -> list[dict[str, Any]]:
    load(site.port, site.folder, site.requests, clients=8, total=WARMING)
    alone = load(site.port, site.folder, site.requests, clients=1, total=ALONE)
    before = _spent(site)
    together = load(site.port, site.folder, site.requests, clients=8, total=TOGETHER)
    each = {part: 1e6 * (seconds - before[part]) / TOGETHER for part, seconds in _spent(site).items()}
    half = load(site.port, site.folder, site.requests, clients=8, total=STEADY, rate=float(together["per_second"]) / 2)
    memory = max(one.memory_info().rss for one in workers(site)) / 2**20
    return [
        row("decision, 1 client", alone["per_second"], "req/s"),
        row("decision, 1 client, p50", alone["p50_ms"], "ms"),
        row("decision, 1 client, p99", alone["p99_ms"], "ms"),
        row("decision, 8 clients", together["per_second"], "req/s"),
        row("decision, 8 clients, p50", together["p50_ms"], "ms"),
        row("decision, 8 clients, p99", together["p99_ms"], "ms"),
        row("decision, 8 clients at half that rate, p99", half["p99_ms"], "ms", at_most=25),
        row("decision, processor time of the web workers", each["web"], "us CPU"),
        row("decision, processor time of PostgreSQL and Redis", each["services"], "us CPU"),
        row("decision, statements", _statements(site), "per request", at_most=3),
        row("web worker, resident", memory, "MiB", at_most=250),
        row("web worker, start to first answer", _seconds_to_first_answer(site), "s", at_most=3),
    ]


def _spent(site: Site) -> dict[str, float]:
    home = site.environment["VOUCH_HOME"]
    return {"web": processor_seconds(family(home, "granian")), "services": processor_seconds(family(home, "portal.embedded"))}


def _statements(site: Site) -> int:
    file, request = site.folder / "request.json", site.requests[0]
    file.write_text(json.dumps({
        "host": request["headers"]["Host"], "key": request["headers"]["X-API-Key"], "path": PATH, "body": request["body"],
    }))  # fmt: skip
    environment = {**site.environment, "DATABASE_URL": "", "REDIS_URL": ""}
    counted = json.loads(output([sys.executable, "-m", "bench.statements", str(file)], environment).splitlines()[-1])
    if counted["status"] != http.client.CREATED:
        raise AssertionError(f"the counted request was not answered: {counted}")
    return int(counted["statements"])


def _seconds_to_first_answer(site: Site) -> float:
    """From the start of a fresh web server with one worker to its first decision; the best of three."""
    port = free_port()
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--port", str(port), "--workers", "1", "--blocking-threads", "4",
               "--no-ws", "--log-level", "warning", "portal.wsgi:application"]  # fmt: skip
    seconds = []
    for _ in range(3):
        began = time.perf_counter()
        with server(command, site.environment, site.folder / "start.log"):
            first_answer(port, site.requests[0])
            seconds.append(time.perf_counter() - began)
    return min(seconds)
