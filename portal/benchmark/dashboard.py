"""The pages of the dashboard that the walk visits, and why it leaves out the others."""

from __future__ import annotations

from urllib.parse import urlencode

from django.urls import reverse

from accounts.models import BulkRun, Role, User
from enrollments.models import Comment, Grant, ImportBatch, QuizAttempt
from notifications.models import Message
from offers.models import Cohort, Course, Lesson, Module, Offer, Question
from portal.models import Event

# What answers a GET and is not visited. Whatever is not here, nor in pages(), only takes a POST.
LEFT_OUT = {
    "portal:activity": "a fragment: it costs more the more happened, hence apart from the page",
    "portal:contact_numbers": "a fragment: counts everybody, hence apart from the page",
    "portal:contact_count": "a fragment: counts everybody, hence apart from the page",
    "portal:portal_user_numbers": "a fragment: counts everybody, hence apart from the page",
    "portal:bulk_create": "counts exactly whom it would change: see bulk_grant",
    "enrollments:holder_follow": "counts exactly whom it would change",
    "enrollments:import_undo": "counts exactly what it would take back",
    "enrollments:import_template": "a file",
    "enrollments:import_failed_rows": "a file",
    "accounts:note_delete": "asks about one note, by its key",
    "accounts:second_factor_drop": "asks about one login, by its key",
    "portal:styleguide": "only while developing",
}


def pages() -> dict[str, str]:
    """Address by case: a view's name, and what of it where that is visited more than once.

    Of somebody who learns and talks; what is narrowed, is narrowed to much and to little.
    """
    attempt = QuizAttempt.objects.order_by("pk")[QuizAttempt.objects.count() // 2]
    enrollment, lesson = attempt.enrollment, attempt.quiz.lesson
    contact, course = enrollment.contact_id, enrollment.course_id
    grant = Grant.objects.filter(contact=contact).earliest("pk").pk
    offer = Offer.objects.earliest("pk").pk
    quiet = Course.objects.exclude(pk=course).filter(cohorts__isnull=False).earliest("pk")
    talk = Lesson.objects.filter(module__course=course).in_order()[0].pk
    thread = Comment.objects.filter(lesson=talk, parent=None).latest("pk").pk
    name = enrollment.contact.name.split(" ")[1]
    colleague = User.objects.filter(role=Role.SUPPORT).latest("pk").pk
    of: dict[str, list[object]] = {
        "portal:dashboard": [],
        "portal:contact_list": [],
        "portal:contact_filter": [],
        "portal:portal_user_list": [],
        "portal:contact_detail": [contact],
        "portal:contact_timeline": [contact],
        "portal:contact_block": [contact],
        "portal:bulk_list": [],
        "portal:bulk_detail": [BulkRun.objects.latest("pk").pk],
        "portal:audit_list": [],
        "portal:audit_detail": [Event.objects.latest("pk").pk],
        "portal:settings": [],
        "portal:access_settings": [],
        "accounts:staff_profile": [],
        "accounts:staff_list": [],
        "accounts:staff_create": [],
        "accounts:staff_update": [colleague],
        "accounts:staff_remove": [colleague],
        "accounts:permission_list": [],
        "accounts:contact_role": [contact],
        "accounts:contact_session_list": [contact],
        "accounts:contact_way": [contact, "reset"],
        "accounts:link_create": [contact],
        "accounts:simulation_start": [contact],
        "portal:link_list": [contact],
        "enrollments:portal_user_create": [],
        "accounts:contact_create": [],
        "accounts:contact_update": [contact],
        "enrollments:grant_create": [contact],
        "enrollments:grant_extend": [grant],
        "enrollments:grant_revoke": [grant],
        "enrollments:grant_suspend": [grant],
        "enrollments:offer_revoke": [contact, offer],
        "enrollments:member_register": [],
        "enrollments:enrollment_list": [contact],
        "enrollments:enrollment_update": [enrollment.pk],
        "enrollments:lesson_list": [enrollment.pk],
        "enrollments:access_detail": [contact, course],
        "enrollments:access_explain": [],
        "enrollments:contact_repair": [contact],
        "enrollments:holder_list": [offer],
        "enrollments:holder_move": [offer],
        "enrollments:import_list": [],
        "enrollments:import_create": [],
        "enrollments:import_detail": [ImportBatch.objects.latest("pk").pk],
        "enrollments:schedule_detail": [course],
        "enrollments:moderation_list": [],
        "enrollments:moderation_detail": [talk],
        "enrollments:rating_list": [course],
        "enrollments:rating_averages": [],
        "enrollments:quiz_attempt_list": [],
        "enrollments:quiz_attempt_detail": [attempt.pk],
        "offers:offer_list": [],
        "offers:offer_create": [],
        "offers:offer_update": [offer],
        "offers:course_list": [],
        "offers:course_create": [],
        "offers:course_detail": [course],
        "offers:course_update": [course],
        "offers:module_update": [Module.objects.filter(course=course).earliest("pk").pk],
        "offers:lesson_create": [lesson.module_id],
        "offers:quiz_update": [lesson.pk],
        "offers:question_create": [lesson.pk],
        "offers:question_update": [Question.objects.filter(quiz=attempt.quiz).earliest("pk").pk],
        "offers:cohort_list": [course],
        "offers:cohort_create": [course],
        "offers:cohort_update": [Cohort.objects.filter(course=course).earliest("pk").pk],
        "notifications:message_list": [],
        "notifications:message_detail": [Message.objects.latest("pk").pk],
    }
    narrowed = {
        "portal:search": {"q": name},
        "portal:bulk_detail": {"outcome": "refused"},
        "enrollments:import_detail": {"outcome": "failed"},
        "enrollments:schedule_detail": {"cohort": "none"},
        "enrollments:moderation_list": {"state": "hidden"},
        "enrollments:moderation_detail": {"thread": str(thread)},
        "notifications:message_list": {"state": "failed"},
    }
    found = {case: reverse(case, args=args) for case, args in of.items()}
    for case, query in narrowed.items():
        place = reverse(case, args=of.get(case, []))
        found[f"{case} {next(iter(query))}"] = f"{place}?{urlencode(query)}"
    for case in ("enrollments:moderation_list", "enrollments:quiz_attempt_list"):
        for what, pk in (("contact", contact), ("course", course), ("quiet", quiet.pk)):
            word = "course" if what == "quiet" else what
            found[f"{case} {what}"] = f"{reverse(case)}?{urlencode({word: pk})}"
    found["enrollments:quiz_attempt_list lesson"] = (
        f"{reverse('enrollments:quiz_attempt_list')}?lesson={lesson.pk}"
    )
    found["enrollments:moderation_list q"] = f"{reverse('enrollments:moderation_list')}?q={name}"
    for row in Lesson.objects.filter(module=lesson.module_id):
        found[f"offers:lesson_update {row.kind}"] = reverse("offers:lesson_update", args=[row.pk])
    return found
