"""The links of a contact, with what became of each: of those that were mailed, of their mails too."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render

from accounts.decorators import staff_required
from accounts.http import StaffRequest
from accounts.models import Contact, Link
from accounts.ways import may_tend
from notifications.models import Message
from portal.paging import Place

PAGE = 50


@staff_required("view_contacts")
def link_list(request: StaffRequest, pk: int) -> HttpResponse:
    """Every link ever made for somebody, the latest first. Five statements, however many there are."""
    contact = get_object_or_404(Contact.objects.select_related("user"), pk=pk)
    links = Link.objects.filter(user__contact=pk).select_related("created_by__contact")
    page = Place(request.GET, size=PAGE).page(links)
    mails = _mails(page.rows)
    login = contact.login
    context = {
        "contact": contact,
        "page": page,
        "links": [(link, mails.get(_mail_key(link))) for link in page.rows],
        "may_revoke": request.user.may("manage_access")
        and (login is None or may_tend(request.user, login)),
    }
    return render(request, "portal/dashboard/link_list.html", context)


def _mails(links: list[Link]) -> dict[str, Message]:
    """The messages these links went out with, by key."""
    keys = [key for link in links if (key := _mail_key(link))]
    return {mail.key: mail for mail in Message.objects.filter(key__in=keys).defer("body")}


def _mail_key(link: Link) -> str:
    """Of the message that carries it: its own, or the one it was written into."""
    if link.delivery == "mail":
        return f"link:{link.pk}"
    if link.delivery == "inside" and link.key:
        return link.key.rpartition(f":{link.purpose}:")[0]
    return ""
