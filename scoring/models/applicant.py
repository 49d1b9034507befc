"""The people and businesses that are scored, sealed under a key of their own."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class Applicant(models.Model):
    """One applicant. The id is a keyed hash of the partner's own reference, so a known applicant is found without reading first.

    Without `wrapped_key` the applicant is erased: nothing sealed under that key can be opened any more, here or in a backup's row."""

    id = models.UUIDField(primary_key=True, editable=False)
    data_key_id = models.UUIDField(null=True)
    wrapped_key = models.BinaryField(null=True)
    sealed_profile = models.BinaryField(null=True)
    phone_index = models.BinaryField(null=True, max_length=16)
    national_id_index = models.BinaryField(null=True, max_length=16)
    name_index = models.BinaryField(null=True, max_length=16)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [
            models.Index(fields=["created_at", "id"], name="applicant_by_time"),
            models.Index(fields=["phone_index"], condition=~Q(phone_index=None), name="applicant_by_phone"),
            models.Index(fields=["national_id_index"], condition=~Q(national_id_index=None), name="applicant_by_national_id"),
            models.Index(fields=["name_index"], condition=~Q(name_index=None), name="applicant_by_name"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(data_key_id__isnull=False, wrapped_key__isnull=False)
                | Q(data_key_id=None, wrapped_key=None, sealed_profile=None, phone_index=None, national_id_index=None, name_index=None),
                name="applicant_erased_whole",
            )
        ]

    def __str__(self) -> str:
        return str(self.id)

    @property
    def is_erased(self) -> bool:
        return self.wrapped_key is None
