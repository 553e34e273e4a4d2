"""ImportBatch: one members file that was read in, and what became of its rows."""

from __future__ import annotations

from django.db import models
from django.utils.timezone import now

from accounts.models import User
from offers.models import Offer


class ImportBatch(models.Model):
    """One file, one run. Its pk names the source of the grants it makes: `import:<pk>`."""

    file_name = models.CharField(max_length=255)
    offers = models.ManyToManyField(Offer, related_name="+")
    started_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    started_at = models.DateTimeField(default=now)
    finished_at = models.DateTimeField(null=True)
    counts = models.JSONField(default=dict)  # outcome -> number of rows

    def __str__(self) -> str:
        return f"{self.file_name} #{self.pk}"

    @property
    def source(self) -> str:
        return f"import:{self.pk}"
