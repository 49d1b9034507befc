"""When a product is trained again by itself, on how its own decisions turned out."""

from django.db import models
from django.db.models import Q

from audit.ids import uuid7
from scoring.models.product import Product


class RetrainingPlan(models.Model):
    """One product's plan. Without a weekday it is trained only when somebody asks; `next_on` is the next day by itself.

    `tables` names the original table and its files of events on this machine, if its operator gave them: {"csv": ..., "events": {...}}."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    product = models.OneToOneField(Product, on_delete=models.PROTECT, related_name="retraining_plan")
    weekday = models.PositiveSmallIntegerField(null=True)    # 0 is Monday
    next_on = models.DateField(null=True)
    tables = models.JSONField(default=dict)
    changed_at = models.DateTimeField(auto_now=True)
    changed_by = models.CharField(max_length=200)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(weekday=None, next_on=None) | Q(weekday__lte=6, next_on__isnull=False), name="retrainingplan_day_known"
            )
        ]

    def __str__(self) -> str:
        return f"plan of {self.product_id}"
