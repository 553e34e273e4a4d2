"""The nouns of access, one file each."""

from enrollments.models.enrollment import Enrollment, LessonProgress
from enrollments.models.grant import Grant, Outcome
from enrollments.models.import_batch import ImportBatch

__all__ = ["Enrollment", "Grant", "ImportBatch", "LessonProgress", "Outcome"]
