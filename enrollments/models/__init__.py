"""The nouns of access, one file each."""

from enrollments.models.enrollment import Enrollment, LessonProgress
from enrollments.models.grant import Grant, Outcome
from enrollments.models.import_batch import IfHeld, ImportBatch, ImportFile, ImportRow, RowOutcome

__all__ = [
    "Enrollment",
    "Grant",
    "IfHeld",
    "ImportBatch",
    "ImportFile",
    "ImportRow",
    "LessonProgress",
    "Outcome",
    "RowOutcome",
]
