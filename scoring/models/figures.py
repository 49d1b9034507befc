"""Figures of hours that are over, so that no page counts their decisions again."""

from django.db import models


class HourFigures(models.Model):
    """How many decisions one hour (UTC) had. `counts`: rows of product slug, fifty points of score from 300, outcome, band, who answered,
    number. An hour without a decision has no row; decisions never change, so neither does a row."""

    hour = models.DateTimeField(primary_key=True)
    counts = models.JSONField()

    def __str__(self) -> str:
        return f"{self.hour:%Y-%m-%d %H}:00"
