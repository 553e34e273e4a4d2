"""Addresses of people: the ways in, the profile, the contacts.

allauth's views are named one by one: what it offers besides (sign-up, e-mail change,
codes) would go around our links and our message log, so its names lead nowhere.
"""

from allauth.account import views as allauth
from allauth.mfa.base import views as mfa
from allauth.mfa.recovery_codes import views as recovery
from allauth.mfa.totp import views as totp
from allauth.mfa.webauthn import views as webauthn
from django.contrib.auth.decorators import login_not_required
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView

from accounts.decorators import fresh_login_required
from accounts.views import (
    dashboard,
    links,
    login,
    passwords,
    profile,
    public,
    sessions,
    simulation,
    staff,
)

app: list[URLPattern | URLResolver] = [
    path("l/<str:token>/", public.link_consume, name="link_consume"),
    path("l/<str:token>/renew/", public.link_renew, name="link_renew"),
    path("account/login/mail/", public.login_mail, name="login_mail"),
    path("account/login/code/", public.login_code, name="login_code"),
    path("profile/", profile.profile, name="profile"),
    path("profile/notifications/", profile.notification_update, name="notification_update"),
    path("profile/security/", login.session_list, name="session_list"),
    path("profile/security/email/", login.email_change, name="email_change"),
    path("profile/security/email/cancel/", login.email_cancel, name="email_cancel"),
    path("profile/security/renew/", login.login_renew, name="login_renew"),
    path("profile/security/end/", login.session_end_all, name="session_end_all"),
    path("profile/security/<str:handle>/end/", login.session_end, name="session_end"),
    path("profile/erasure/", profile.erasure_ask, name="erasure_ask"),
    path("profile/erasure/withdraw/", profile.erasure_withdraw, name="erasure_withdraw"),
    path("dashboard/profile/", dashboard.staff_profile, name="staff_profile"),
    path("dashboard/settings/staff/", staff.staff_list, name="staff_list"),
    path("dashboard/settings/staff/permissions/", staff.permission_list, name="permission_list"),
    path("dashboard/settings/staff/new/", staff.staff_create, name="staff_create"),
    path("dashboard/settings/staff/<int:pk>/", staff.staff_update, name="staff_update"),
    path("dashboard/settings/staff/<int:pk>/remove/", staff.staff_remove, name="staff_remove"),
    path("dashboard/settings/staff/<int:pk>/link/", staff.staff_link, name="staff_link"),
    path(
        "dashboard/settings/staff/<int:pk>/second-factor/",
        staff.second_factor_drop,
        name="second_factor_drop",
    ),
    path("dashboard/contacts/<int:pk>/role/", staff.contact_role, name="contact_role"),
    path("dashboard/contacts/new/", dashboard.contact_create, name="contact_create"),
    path("dashboard/contacts/<int:pk>/edit/", dashboard.contact_update, name="contact_update"),
    path("dashboard/contacts/<int:pk>/tag/", dashboard.contact_tag, name="contact_tag"),
    path("dashboard/contacts/<int:pk>/notes/", dashboard.note_create, name="note_create"),
    path("dashboard/notes/<int:pk>/delete/", dashboard.note_delete, name="note_delete"),
    path("dashboard/contacts/<int:pk>/unblock/", dashboard.contact_unblock, name="contact_unblock"),
    path(
        "dashboard/contacts/<int:pk>/simulate/",
        simulation.simulation_start,
        name="simulation_start",
    ),
    path("dashboard/simulation/end/", simulation.simulation_end, name="simulation_end"),
    path("dashboard/contacts/<int:pk>/links/new/", links.link_create, name="link_create"),
    path("dashboard/contacts/<int:pk>/ways/<str:key>/", links.contact_way, name="contact_way"),
    path(
        "dashboard/contacts/<int:pk>/sessions/",
        sessions.contact_session_list,
        name="contact_session_list",
    ),
    path(
        "dashboard/contacts/<int:pk>/sessions/<str:handle>/end/",
        sessions.contact_session_end,
        name="contact_session_end",
    ),
    path("dashboard/links/<int:pk>/revoke/", links.link_revoke, name="link_revoke"),
]

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include((app, "accounts"))),
    path("account/login/", allauth.login, name="account_login"),
    path("account/logout/", allauth.logout, name="account_logout"),
    path("account/inactive/", public.closed, name="account_inactive"),
    path("account/signup/", public.closed, name="account_signup"),
    path("account/email/", public.closed, name="account_email"),
    path("account/reauthenticate/", allauth.reauthenticate, name="account_reauthenticate"),
    path("account/password/change/", passwords.password_change, name="account_change_password"),
    path("account/password/set/", passwords.password_change, name="account_set_password"),
    path("account/password/reset/", public.password_reset, name="account_reset_password"),
    path("account/2fa/", mfa.index, name="mfa_index"),
    path("account/2fa/login/", mfa.authenticate, name="mfa_authenticate"),
    path("account/2fa/reauthenticate/", mfa.reauthenticate, name="mfa_reauthenticate"),
    path(
        "account/2fa/app/add/",
        fresh_login_required(totp.activate_totp),
        name="mfa_activate_totp",
    ),
    path(
        "account/2fa/app/remove/",
        fresh_login_required(totp.deactivate_totp),
        name="mfa_deactivate_totp",
    ),
    path(
        "account/2fa/codes/",
        fresh_login_required(recovery.view_recovery_codes),
        name="mfa_view_recovery_codes",
    ),
    path(
        "account/2fa/codes/new/",
        fresh_login_required(recovery.generate_recovery_codes),
        name="mfa_generate_recovery_codes",
    ),
    path(
        "account/2fa/codes/download/",
        fresh_login_required(recovery.download_recovery_codes),
        name="mfa_download_recovery_codes",
    ),
    path(
        "account/2fa/passkeys/",
        RedirectView.as_view(pattern_name="mfa_index"),
        name="mfa_list_webauthn",
    ),
    path(
        "account/2fa/passkeys/add/",
        fresh_login_required(webauthn.add_webauthn),
        name="mfa_add_webauthn",
    ),
    path(
        "account/2fa/passkeys/login/",
        login_not_required(webauthn.login_webauthn),
        name="mfa_login_webauthn",
    ),
    path(
        "account/2fa/passkeys/reauthenticate/",
        webauthn.reauthenticate_webauthn,
        name="mfa_reauthenticate_webauthn",
    ),
    path(
        "account/2fa/passkeys/<int:pk>/edit/",
        fresh_login_required(webauthn.edit_webauthn),
        name="mfa_edit_webauthn",
    ),
    path(
        "account/2fa/passkeys/<int:pk>/remove/",
        fresh_login_required(webauthn.remove_webauthn),
        name="mfa_remove_webauthn",
    ),
]
