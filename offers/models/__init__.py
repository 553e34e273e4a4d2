"""The nouns of what is given, one file each."""

from offers.models.cohort import Cohort, CohortDate
from offers.models.course import Completion, Course, Module
from offers.models.lesson import Attachment, Lesson, LessonKind, Requirement
from offers.models.offer import Offer, OfferCourse
from offers.models.quiz import Choice, Question, QuestionKind, Quiz, Reveal

__all__ = [
    "Attachment",
    "Choice",
    "Cohort",
    "CohortDate",
    "Completion",
    "Course",
    "Lesson",
    "LessonKind",
    "Module",
    "Offer",
    "OfferCourse",
    "Question",
    "QuestionKind",
    "Quiz",
    "Requirement",
    "Reveal",
]
