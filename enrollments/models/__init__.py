"""The nouns of access, one file each."""

from enrollments.models.comment import Comment
from enrollments.models.enrollment import Enrollment, LessonProgress, Unlock
from enrollments.models.grant import Grant
from enrollments.models.grant_terms import Outcome
from enrollments.models.import_batch import IfHeld, ImportBatch, ImportFile, ImportRow, RowOutcome
from enrollments.models.quiz_attempt import QuizAttempt
from enrollments.models.rating import Rating

__all__ = [
    "Comment",
    "Enrollment",
    "Grant",
    "IfHeld",
    "ImportBatch",
    "ImportFile",
    "ImportRow",
    "LessonProgress",
    "Outcome",
    "QuizAttempt",
    "Rating",
    "RowOutcome",
    "Unlock",
]
