"""The task queue: messages are JSON, name their partner, and are handed on when a worker dies."""

import logging
import os
from importlib import import_module
from typing import Any

from celery.exceptions import Reject
from kombu.entity import Queue
from tenant_schemas_celery.app import CeleryApp, get_schema_name_from_task
from tenant_schemas_celery.task import TenantTask

from partners.errors import NoPartner
from partners.queues import QUEUES, count_ended
from partners.tenancy import current_schema

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

DEAD_LETTERS = Queue("vouch.dead")  # type: ignore[no-untyped-call]
log = logging.getLogger(__name__)


class PartnerMissing(Exception):
    """A message names no partner. It is refused: the library's habit would run it in the public schema."""


def _schema_here() -> str | None:
    try:
        return current_schema()
    except NoPartner:
        return None


class PartnerTask(TenantTask):
    """A task that runs in the schema its message names, and nowhere without one."""

    abstract = True

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Runs in the named partner's schema; without one the message becomes a dead letter."""
        schema = get_schema_name_from_task(self, named)
        # The library switches in a signal, whose errors Celery only logs: where the connection stands is what counts.
        if not schema or _schema_here() != schema:
            self._bury(arguments, named, schema)
            raise Reject(PartnerMissing(self.name), requeue=False)
        try:
            return super().__call__(*arguments, **named)
        finally:
            import_module("audit.alerts").tell_of_broken_seals()    # it needs the models, and this module comes before them

    def on_success(self, _result: Any, _task_id: str, _arguments: Any, _named: Any) -> None:
        """The partner's figures of the queue have one more."""
        count_ended(self._queue(), has_failed=False)

    def on_failure(self, _error: Any, _task_id: str, _arguments: Any, _named: Any, _trace: Any) -> None:
        """The same for what failed."""
        count_ended(self._queue(), has_failed=True)

    def _queue(self) -> str:
        return str((self.request.delivery_info or {}).get("routing_key", ""))

    def _bury(self, arguments: tuple[Any, ...], named: dict[str, Any], schema: str | None) -> None:
        log.error("task without its partner", extra={"task": self.name, "schema": schema})
        letter = {"task": self.name, "id": self.request.id, "args": arguments, "kwargs": named, "schema": schema}
        with self.app.producer_or_acquire() as producer:
            producer.publish(letter, routing_key=DEAD_LETTERS.name, declare=[DEAD_LETTERS], serializer="json")


class QueueApp(CeleryApp):
    """Celery with PartnerTask as the only kind of task."""

    task_cls = "portal.celery:PartnerTask"

    def send_task(self, name: str, args: Any = None, kwargs: Any = None, **options: Any) -> Any:
        """Sends a message that names the current partner. Raises PartnerMissing outside one."""
        if _schema_here() is None and "_schema_name" not in (options.get("headers") or {}):
            raise PartnerMissing(name)
        return super().send_task(name, args=args, kwargs=kwargs, **options)


app = QueueApp("vouch")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.task_queues = [Queue(name, routing_key=name) for name in QUEUES.values()]  # type: ignore[no-untyped-call]
app.autodiscover_tasks()
