"""Figures of months, counted by the clock, so that no page counts applications."""

from django.db import models


class MonthFigures(models.Model):
    """One month of applications as it was at `counted_at`: a `Month` as data. `seconds`: what counting took. Months of zones that begin
    at the same moment are one row."""

    begins_at = models.DateTimeField(primary_key=True)
    ends_at = models.DateTimeField()
    figures = models.JSONField()
    counted_at = models.DateTimeField()
    seconds = models.FloatField()

    def __str__(self) -> str:
        return f"{self.begins_at:%Y-%m}"
