"""Makes what a test needs, with sensible values for everything it does not say."""

from __future__ import annotations

import io
import wave
from collections.abc import Iterable
from datetime import date
from itertools import count
from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from cryptography.hazmat.primitives.asymmetric import ec
from django.core.files.base import ContentFile
from fido2.cose import ES256
from fido2.utils import websafe_encode
from fido2.webauthn import (
    Aaguid,
    AttestationObject,
    AttestedCredentialData,
    AuthenticatorData,
    CollectedClientData,
)
from PIL import Image

from accounts.models import Contact, Link, Role, User
from accounts.models.link import Purpose, Section
from enrollments.models import Grant
from offers.models import (
    Choice,
    Course,
    Lesson,
    LessonKind,
    Module,
    Offer,
    Question,
    Quiz,
)
from offers.models.course import Status as CourseStatus
from offers.models.offer import Status as OfferStatus
from portal.models import File, FileKind

PASSWORD = "correct horse battery"

_numbers = count(1)


def contact(name: str = "", **fields: Any) -> Contact:
    """A contact with an address of their own."""
    number = next(_numbers)
    name = name or f"Person {number}"
    return Contact.objects.add(
        email=fields.pop("email", f"person{number}@example.com"), name=name, **fields
    )


def student(name: str = "", **fields: Any) -> Contact:
    """A contact with a login and a password, who was never in."""
    made = contact(name, **fields)
    User.objects.for_contacts([made.pk])
    user = User.objects.get(contact=made)
    user.set_password(PASSWORD)
    user.save(update_fields=["password"])
    return Contact.objects.select_related("user").get(pk=made.pk)


def staff(role: Role = Role.OWNER, email: str = "") -> User:
    """A member of staff with a password: somebody known is appointed, somebody new simply is it."""
    if email and Contact.objects.filter(email=email).exists():
        return User.objects.appoint(email=email, role=role, password=PASSWORD)
    made = User(email=email or f"{role}{next(_numbers)}@example.com", role=role)
    made.set_password(PASSWORD)
    made.save()
    return made


def course(
    title: str = "Sourdough", *, lessons: int = 2, status: str = CourseStatus.PUBLISHED
) -> Course:
    """A published course of one module."""
    made = Course.objects.create(
        title=title,
        slug=f"course-{next(_numbers)}",
        status=status,
        description="Flour, water, salt.",
    )
    module = Module.objects.create(course=made, title="First module", position=1)
    Lesson.objects.bulk_create(
        [
            Lesson(module=module, title=f"Lesson {n}", body=f"Text *{n}*.", position=n)
            for n in range(1, lessons + 1)
        ]
    )
    return made


def offer(
    title: str = "Sourdough",
    *,
    courses: Iterable[Course] | None = None,
    status: str = OfferStatus.ACTIVE,
    **fields: Any,
) -> Offer:
    """An active offer with one published course, if nothing else is said."""
    made = Offer.objects.create(
        title=title, slug=f"offer-{next(_numbers)}", status=status, **fields
    )
    for held in [course(title)] if courses is None else courses:
        made.include(held)
    return made


def grant(
    *,
    contact: Contact,
    offer: Offer | None = None,
    ends_on: date | None = None,
    source: str = "manual",
    **terms: Any,
) -> Grant:
    """A grant from now on, without a mail."""
    terms.setdefault("notify", False)
    if ends_on is not None:
        terms["ends"] = {contact.pk: ends_on}
    return Grant.objects.grant(
        contact=contact, offer=offer or globals()["offer"](), source=source, **terms
    )


def link(
    user: User, purpose: Purpose = Purpose.LOGIN, section: Section = Section.HOME, **terms: Any
) -> Link:
    """A link nobody mails."""
    return Link.objects.request(
        user=user, purpose=purpose, section=section, delivery="copy", **terms
    )


def second_factors(user: User) -> Authenticator:
    """An authenticator app, its recovery codes, and a passkey of somebody; returns the passkey."""
    TOTP.activate(user, generate_totp_secret())
    RecoveryCodes.activate(user)
    key = ES256.from_cryptography_key(ec.generate_private_key(ec.SECP256R1()).public_key())
    credential = AttestedCredentialData.create(Aaguid.NONE, b"laptop", key)
    flags = AuthenticatorData.FLAG.UP | AuthenticatorData.FLAG.AT
    told = AuthenticatorData.create(b"\0" * 32, flags, 0, credential)
    asked = CollectedClientData.create("webauthn.create", b"challenge", "http://testserver")
    answer = {
        "id": websafe_encode(b"laptop"),
        "rawId": websafe_encode(b"laptop"),
        "type": "public-key",
        "clientExtensionResults": {},
        "response": {
            "clientDataJSON": websafe_encode(asked),
            "attestationObject": websafe_encode(AttestationObject.create("none", told, {})),
        },
    }
    return Authenticator.objects.create(
        user=user,
        type=Authenticator.Type.WEBAUTHN,
        data={"name": "Laptop", "credential": answer},
    )


def quiz(course: Course, *questions: str, title: str = "Quiz", **terms: Any) -> Quiz:
    """A quiz at the end of a course. Of each question "Yes" is right, "No" is wrong."""
    module = course.modules.first() or Module.objects.create(course=course, title="First module")
    lesson = Lesson.objects.create(
        module=module, title=title, kind=LessonKind.QUIZ, position=100 + next(_numbers)
    )
    made = Quiz.objects.create(lesson=lesson, **terms)
    for place, text in enumerate(questions or ("Is flour white?",), start=1):
        question = Question.objects.create(quiz=made, text=text, position=place)
        Choice.objects.create(question=question, text="Yes", is_right=True, position=1)
        Choice.objects.create(question=question, text="No", position=2)
    return made


def lesson(course: Course, title: str = "One more", **fields: Any) -> Lesson:
    """One more lesson at the end of a course."""
    module = course.modules.last() or Module.objects.create(course=course, title="First module")
    return Lesson.objects.create(
        module=module, title=title, position=1_000 + next(_numbers), **fields
    )


def file(name: str = "recipe.pdf", content: bytes = b"%PDF-1.7", **fields: Any) -> File:
    """Something that was uploaded, as it lies in the storage."""
    fields.setdefault("kind", FileKind.DOCUMENT)
    fields.setdefault("content_type", "application/octet-stream")
    return File.objects.create(
        name=name, size=len(content), content=ContentFile(content, name=name), **fields
    )


def cover(*, width: int, height: int) -> File:
    """A picture of any shape, as the cover of a course."""
    content = io.BytesIO()
    Image.new("RGB", (width, height), "#b45309").save(content, "WEBP")
    return file("cover.webp", content.getvalue(), kind=FileKind.IMAGE, content_type="image/webp")


def wav(*, seconds: int) -> bytes:
    """So long a silence, as a recording that every browser plays."""
    sound = io.BytesIO()
    with wave.open(sound, "wb") as recording:
        recording.setnchannels(1)
        recording.setsampwidth(1)
        recording.setframerate(8_000)
        recording.writeframes(b"\x80" * 8_000 * seconds)
    return sound.getvalue()
