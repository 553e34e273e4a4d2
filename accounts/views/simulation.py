"""Staff begin and end to see the portal as one student does. What happens in between: accounts.simulation."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render, resolve_url
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts import simulation
from accounts.decorators import fresh_login_required, staff_required
from accounts.forms.simulation import SimulationForm
from accounts.http import StaffRequest, own_page, posted
from accounts.models import Contact, Simulation
from accounts.models.simulation import End, Running


@staff_required()
def simulation_start(request: StaffRequest, pk: int) -> HttpResponseBase:
    """Ask why, say what it does, and begin. Who may not, or whom nobody may, is written down."""
    contact = Contact.objects.select_related("user").filter(pk=pk).first()
    if not request.user.may("simulate"):
        return _refused(request, contact, "permission")
    if contact is None:
        raise Http404
    if why := simulation.refusal(request.user, contact):
        return _refused(request, contact, why)
    return _ask(request, contact)


def _refused(request: StaffRequest, contact: Contact | None, why: str) -> HttpResponse:
    simulation.refuse(contact=contact, why=why)
    context = {"contact": contact, "refusal": simulation.REFUSALS[why]}
    template = "accounts/dashboard/simulation_start.html"
    return render(request, template, context, status=403)


@fresh_login_required
def _ask(request: StaffRequest, contact: Contact) -> HttpResponse:
    running = _running(request)
    form = SimulationForm(posted(request), initial={"next": request.GET.get("next", "")})
    if running is None and form.is_valid():
        try:
            row = Simulation.objects.start(
                actor=request.user, contact=contact, reason=form.cleaned_data["reason"]
            )
        except Running:
            running = _running(request)
        else:
            request.session[simulation.KEY] = row.pk
            return redirect(_page(form.cleaned_data["next"]))
    context = {
        "contact": contact,
        "form": form,
        "running": running,
        "minutes": settings.SIMULATION_SECONDS // 60,
        "notice": request.school.get_simulation_notice_display(),
    }
    template = "accounts/dashboard/simulation_start.html"
    return render(request, template, context, status=409 if running else 200)


def _running(request: StaffRequest) -> Simulation | None:
    """What they simulate already, in this browser or another."""
    mine = Simulation.objects.live().filter(actor=request.user).select_related("contact")
    row = mine.first()
    return row if row is not None and row.is_live else None


def _page(wanted: str) -> str:
    """The student's page to begin with: a path of the portal, else their home."""
    page = own_page(wanted)
    return page if page and simulation.is_students_path(page) else resolve_url("portal:home")


@require_POST
@staff_required()
def simulation_end(request: StaffRequest) -> HttpResponse:
    """Be oneself again, wherever it was started; back to the contact. Twice is harmless."""
    mine = Simulation.objects.filter(actor=request.user).select_related("contact")
    row = mine.order_by("-pk").first()
    request.session.pop(simulation.KEY, None)
    simulation.shed_forms(request)
    if row is None:
        return redirect("portal:dashboard")
    if mine.finish(End.ENDED):
        text = _("The simulated session of %(name)s is over.")
        messages.success(request, text % {"name": row.contact})
    return redirect("portal:contact_detail", row.contact_id)
