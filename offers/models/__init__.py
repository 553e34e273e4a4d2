"""The nouns of what is given, one file each."""

from offers.models.course import Course, Lesson, Module
from offers.models.offer import Offer, OfferCourse

__all__ = ["Course", "Lesson", "Module", "Offer", "OfferCourse"]
