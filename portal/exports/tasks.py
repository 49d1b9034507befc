"""What the queue's workers do for exports. A message names the partner and the export."""

import uuid

from celery import shared_task

from portal.exports.services import writing


@shared_task(name="exports.write_export")  # type: ignore[untyped-decorator]
def write_export(export_id: str) -> None:
    """The export has its file. Safe to run twice, and beside itself."""
    writing.write_export(uuid.UUID(export_id))
