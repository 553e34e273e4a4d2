"""What may be asked about a course and its modules, and what is valid."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from offers import ordering
from offers.forms.careful import SluggishForm, VersionedForm, day_field
from offers.models import Course, Module
from offers.models.course import next_position
from portal.events import Name
from portal.models import FileKind
from portal.uploads import UploadField


class CourseForm(SluggishForm[Course], VersionedForm[Course]):
    """What a course is called, how it looks, and how one goes through it."""

    updated = Name.COURSE_UPDATED

    cover = UploadField(
        kind=FileKind.IMAGE, label=_("Cover"), required=False, help_text=_("Wide: 16 to 9.")
    )

    class Meta:
        model = Course
        fields: ClassVar[list[str]] = [
            "title",
            "slug",
            "description",
            "completion",
            "enforces_order",
        ]
        widgets: ClassVar[dict[str, Any]] = {
            "description": forms.Textarea(attrs={"rows": 4}),
            "completion": forms.RadioSelect,
        }

    field_order = ("title", "slug", "description", "cover", "completion", "enforces_order")

    @transaction.atomic
    def save(self, commit: bool = True) -> Course:
        """Write what changed as the next version. Raises Overtaken."""
        is_new = self.instance.pk is None
        if not is_new:
            self.claim()
        files = self.settle_uploads()  # now that nothing takes back what it stores
        if is_new:
            self.insert()
        else:
            self.update(self.written() | files)
        return self.instance


class ModuleForm(VersionedForm[Module]):
    """A module: what it is called, and when it opens."""

    updated = Name.MODULE_UPDATED
    version_field = forms.CharField

    opens_on = day_field(label=_("Opens on"), help_text=_("For everybody, on this day."))

    class Meta:
        model = Module
        fields: ClassVar[list[str]] = ["title", "opens_after", "opens_on"]

    def __init__(self, *args: Any, course: Course, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.instance.course = course

    @transaction.atomic
    def save(self, commit: bool = True) -> Module:
        """Write what changed; a new module stands at the end. Raises Overtaken."""
        if self.instance.pk is None:
            ordering.lock(self.instance.course)
            self.instance.position = next_position(self.instance.course.modules.all())
        else:
            self.claim()
        return super().save()
