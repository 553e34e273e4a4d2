"""One rule for every page and file: what is open to a contact, and in words why a course is not."""

from __future__ import annotations

from django.db.models import Case, Exists, OuterRef, Q, QuerySet, Value, When

from accounts.models import Contact, User
from enrollments import locks
from enrollments.models import Comment, Enrollment, Grant
from enrollments.reasons import Question, Verdict, answer
from offers.models import Course, Lesson
from portal.models import File, FileKind


def opening_grants(contact: Contact) -> QuerySet[Grant]:
    """The grants that open a course to `contact`, for a subquery whose outer row is the course."""
    return Grant.objects.opening().filter(contact=contact, offer__inclusions__course=OuterRef("pk"))


def open_courses(contact: Contact) -> QuerySet[Course]:
    """The courses `contact` may open now. Asked of the database each time: nothing is copied, nothing stale."""
    switched_off = Enrollment.objects.filter(
        contact=contact, course=OuterRef("pk"), inactive_at__isnull=False
    )
    return Course.objects.published().filter(Exists(opening_grants(contact)), ~Exists(switched_off))


def open_lessons(contact: Contact, *, among: QuerySet[Lesson]) -> QuerySet[Lesson]:
    """Those of `among` that `contact` may open now: of an open course, published, and shut by no rule of it.

    `among` is a lesson or the few that somebody asks for: their courses are looked up at once.
    """
    courses = open_courses(contact).filter(modules__lessons__in=among).distinct()
    found = locks.open_lessons(
        contact=contact.pk, courses=list(courses.values_list("pk", flat=True))
    )
    return among.filter(pk__in=found)


def is_file_open(file: File, *, user: User) -> bool:
    """Whether `user` may have `file` now: something that is open to them shows or offers it. A few statements."""
    if _is_open_to_staff(file, user):
        return True
    contact = user.contact
    if contact is None or contact.is_blocked:
        return False
    if contact.picture_id == file.pk or open_courses(contact).filter(cover=file).exists():
        return True
    return open_lessons(contact, among=_lessons_showing(file)).exists()


def _is_open_to_staff(file: File, user: User) -> bool:
    """What courses hold, for who makes them, drafts too; pictures, for who sees the people."""
    if user.may("manage_content"):
        lessons = Lesson.objects.filter(Q(file=file) | Q(captions=file) | Q(attached__file=file))
        if Course.objects.filter(cover=file).exists() or lessons.exists():
            return True
    pictured = Contact.objects.filter(picture=file)
    if user.may("view_contacts"):
        return pictured.exists()
    return user.may("moderate") and Comment.objects.filter(author__contact__in=pictured).exists()


def _lessons_showing(file: File) -> QuerySet[Lesson]:
    """Lessons that play or offer it, or below which somebody stands whose picture it is."""
    keys = Lesson.objects.filter(file=file).values("pk")
    others = [Lesson.objects.filter(captions=file), Lesson.objects.filter(attached__file=file)]
    if file.kind == FileKind.IMAGE:
        shown = Comment.objects.visible().filter(author__contact__picture=file)
        others.append(Lesson.objects.filter(comments__in=shown))
    return Lesson.objects.filter(pk__in=keys.union(*(lessons.values("pk") for lessons in others)))


def with_portal_status(contacts: QuerySet[Contact]) -> QuerySet[Contact]:
    """Adds `portal_status`: blocked, joined (was in), invited (mail queued), active (holds a grant) or none."""
    holds = Exists(Grant.objects.held().filter(contact=OuterRef("pk")))
    return contacts.annotate(
        portal_status=Case(
            When(blocked_at__isnull=False, then=Value("blocked")),
            When(joined_at__isnull=False, then=Value("joined")),
            When(invited_at__isnull=False, then=Value("invited")),
            When(holds, then=Value("active")),
            default=Value("none"),
        )
    )


def verdict(contact: Contact, course: Course) -> Verdict:
    """The answer of open_courses() for one course, with every reason in words. Four statements at most."""
    return answer(Question(contact, course))
