"""Probes and metrics: on any host, quick, and right about what is wrong."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client, override_settings
from prometheus_client.parser import text_string_to_metric_families

from portal import metric_files
from tests.conftest import House

HOSTS = ["localhost", "127.0.0.1", "10.1.2.3:8000", "north.localhost", "nobody.example"]


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("path", ["/live", "/health", "/ready", "/health/detailed", "/metrics"])
def test_probes_answer_on_every_host(path: str, host: str, north: House) -> None:
    answer = Client(HTTP_HOST=host).get(path)

    assert answer.status_code == 200


def test_alive_and_healthy_ask_nothing_of_the_database() -> None:
    # no `db` fixture: a query would fail the test
    assert Client().get("/live").json() == {"status": "alive"}
    assert Client().get("/health").json()["status"] == "healthy"


def test_unready_while_the_database_is_away(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    connection.close()
    monkeypatch.setitem(connection.settings_dict, "HOST", "/nowhere")

    ready, detailed = Client().get("/ready"), Client().get("/health/detailed")

    assert (ready.status_code, ready.json()) == (503, {"status": "unready", "database": "OperationalError"})
    assert (detailed.status_code, detailed.json()["status"]) == (503, "unhealthy")


def test_only_degraded_while_redis_is_away(db: None) -> None:
    with override_settings(REDIS_URL="unix:///nowhere/redis.sock"):
        ready, detailed = Client().get("/ready"), Client().get("/health/detailed")

    assert ready.status_code == 200
    assert (detailed.status_code, detailed.json()["status"]) == (200, "degraded")


def test_a_token_closes_details_and_metrics_when_one_is_set(db: None) -> None:
    with override_settings(METRICS_TOKEN="t0ken"):
        for path in ("/metrics", "/health/detailed"):
            assert Client().get(path).status_code == 401
            assert Client(HTTP_AUTHORIZATION="Bearer wrong").get(path).status_code == 401
            assert Client(HTTP_AUTHORIZATION="Bearer t0ken").get(path).status_code == 200
        assert Client().get("/ready").status_code == 200


@pytest.mark.parametrize("path", ["/metrics", "/health/detailed"])
@pytest.mark.parametrize(
    "meta", [{"REMOTE_ADDR": "203.0.113.7"}, {"HTTP_X_FORWARDED_FOR": "127.0.0.1"}, {"HTTP_FORWARDED": "for=127.0.0.1"}]
)
def test_without_a_token_figures_are_for_this_machine_only(db: None, path: str, meta: dict[str, Any]) -> None:
    assert Client().get(path).status_code == 200
    assert Client(**meta).get(path).status_code == 401
    with override_settings(PRODUCTION=True):
        assert Client().get(path).status_code == 401


@pytest.mark.parametrize("path", ["/live", "/health", "/ready", "/health/detailed", "/metrics"])
def test_probes_are_only_asked(path: str, db: None) -> None:
    assert Client().post(path).status_code == 405
    assert Client().head(path).status_code == 200


def test_invented_methods_are_counted_as_one(db: None) -> None:
    for number in range(3):
        Client().generic(f"INVENTED{number}", "/live")

    text = Client().get("/metrics").content.decode()
    assert 'method="OTHER"' in text
    assert "INVENTED" not in text


def test_requests_are_counted_by_route_and_never_by_id(north: House) -> None:
    def unmatched() -> float:
        families = text_string_to_metric_families(Client().get("/metrics").content.decode())
        return sum(
            sample.value
            for family in families
            for sample in family.samples
            if sample.name == "api_requests_total" and sample.labels["route"] == "unmatched" and sample.labels["status"] == "404"
        )

    before = unmatched()
    north.client().get("/nothing/0199aaaa-17")
    text = Client().get("/metrics").content.decode()

    assert unmatched() == before + 1
    assert "0199aaaa-17" not in text
    assert "north" not in text


@pytest.mark.parametrize(
    "name",
    ["api_requests_total", "api_request_duration_seconds_bucket", "predictions_total", "prediction_latency_seconds_count",
     "prediction_probability_count", "model_prediction_errors_total", "rate_limit_exceeded_total", "model_loaded",
     "process_resident_memory_bytes", "system_memory_usage_bytes", "system_cpu_usage_percent"],
)  # fmt: skip
def test_metrics_have_their_names(name: str) -> None:
    text = Client().get("/metrics").content.decode()

    assert f"# TYPE {name.removesuffix('_bucket').removesuffix('_count').removesuffix('_total')}" in text


def test_a_full_disk_takes_figures_and_never_the_worker(tmp_path: Path) -> None:
    """The limit on a file's size stands for a full disk: neither has room for another byte."""
    count = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({room}, resource.RLIM_INFINITY))\n"
        "from portal import metrics\n"
        "for number in range(1000): metrics.requests_total.labels('GET', f'/{{number}}/' + 'x' * 90, '200').inc()\n"
        "metrics.rate_limited_total.labels('free').inc(3); metrics.rate_limited_total.labels('free').inc(4)\n"
        "print(metrics.exposition().decode())\n"
    )
    found = {}
    for room in (1_000, 70_000, 10_000_000):
        (tmp_path / str(room)).mkdir()
        environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path / str(room))}
        source = count.format(room=room)
        done = subprocess.run([sys.executable, "-c", source], env=environment, capture_output=True, text=True, check=True)
        samples = [sample for family in text_string_to_metric_families(done.stdout) for sample in family.samples]
        found[room] = sum(sample.name == "api_requests_total" for sample in samples)
        files = list((tmp_path / str(room)).iterdir())
        assert all(file.stat().st_blocks * 512 >= file.stat().st_size for file in files), "a hole is left"

    assert found[1_000] == 0
    assert 100 < found[70_000] < 1_000
    assert found[10_000_000] == 1_000


def test_each_run_has_figures_of_its_own_and_leaves_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metric_files, "MEMORY", tmp_path)
    stray, young = tmp_path / "vouch-metrics-stray", tmp_path / "vouch-metrics-young"
    for folder in (stray, young):
        folder.mkdir()
    os.utime(stray, (0, 0))

    with metric_files.run_folder(tmp_path) as first, metric_files.run_folder(tmp_path) as second:
        assert first is not None
        assert second is not None
        os.utime(first, (0, 0))
        with metric_files.run_folder(tmp_path):
            left = sorted(tmp_path.iterdir())
            assert {first, second, young} <= set(left)
            assert stray not in left
        assert first.stat().st_mode & 0o777 == 0o700

    assert list(tmp_path.iterdir()) == [young]


def test_figures_go_below_the_state_folder_or_nowhere_without_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metric_files, "MEMORY", tmp_path / "absent")

    with metric_files.run_folder(tmp_path) as folder:
        assert folder is not None
        assert folder.parent == tmp_path / "metrics"
    (tmp_path / "metrics").rmdir()
    (tmp_path / "metrics").touch()
    with metric_files.run_folder(tmp_path) as none:
        assert none is None


def test_the_disk_measured_is_that_of_the_state_folder(db: None) -> None:
    here = Client().get("/health/detailed").json()["disk_free_share"]
    with override_settings(VOUCH_HOME=Path("/proc")):
        elsewhere = Client().get("/health/detailed").json()["disk_free_share"]

    assert here < 1.0
    assert elsewhere == 1.0


def test_workers_are_added_up_and_dead_ones_leave_the_gauges(tmp_path: Path) -> None:
    count = "from portal import metrics; metrics.model_loaded.inc(2); metrics.rate_limited_total.labels('free').inc(3)"
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    for source in (count, count, "from portal import metrics; print(metrics.exposition().decode())"):
        done = subprocess.run([sys.executable, "-c", source], env=environment, capture_output=True, text=True, check=True)

    samples = {sample.name: sample.value for family in text_string_to_metric_families(done.stdout) for sample in family.samples}

    assert samples["rate_limit_exceeded_total"] == 6
    assert samples.get("model_loaded", 0) == 0
