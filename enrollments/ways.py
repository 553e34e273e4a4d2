"""The way in that depends on what somebody holds: their access mail once more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.bulk import Result, Results, register
from accounts.models import Contact
from accounts.models.bulk import Outcome
from accounts.models.contact import ContactQuerySet
from accounts.ways import Way, done, logins, to_mail
from enrollments.models import Grant
from portal.events import Name, record_many


@register
class ResendAccess(Way):
    """Mail each once more what they hold and how they get in: with credentials if they were never in."""

    key = "resend"
    label = gettext_lazy("Resend access")
    icon = "refresh"
    told = gettext_lazy("The access mail is on its way to %(email)s once more.")
    idle = gettext_lazy("Holds nothing now: invite them, or send a login link.")

    def reached(self, contacts: ContactQuerySet) -> int:
        holders = Grant.objects.live().filter(contact__in=to_mail(contacts).order_by())
        return holders.values("contact").distinct().count()

    def effects(self, contacts: ContactQuerySet, terms: dict[str, Any]) -> list[str]:
        number = self.reached(contacts)
        text = ngettext(
            "Mails %(number)d person what they hold, and a login link.",
            "Mails %(number)d people what they hold, and a login link.",
            number,
        )
        return [
            text % {"number": number},
            _("Whoever was never in the portal gets credentials, too."),
            _("Whoever holds nothing now gets no mail."),
        ]

    def act(self, contact_ids: Sequence[int], terms: dict[str, Any], *, key: str) -> Results:
        users, results = logins(contact_ids)
        live = Grant.objects.live().filter(contact__in=contact_ids)
        holders = set(live.values_list("contact_id", flat=True))
        mailed = [user for user in users if user.contact_id in holders]
        # The credentials of an earlier mail got lost, or else they would not need this one.
        never_in = Contact.objects.filter(pk__any_of=list(done(mailed)), joined_at=None)
        never_in.update(credentials_claim="")
        record_many(
            Name.PORTAL_ACCESS_RESENT,
            [(user.contact_id, {"user": user.pk, "key": key}) for user in mailed],
        )
        nothing = Result(Outcome.REFUSED, str(self.idle))
        return results | dict.fromkeys(done(users), nothing) | done(mailed)
