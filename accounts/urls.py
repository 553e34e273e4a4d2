"""Addresses of people: the ways in, the profile, the contacts.

allauth's views are named one by one: what it offers besides (sign-up, e-mail change,
codes) would go around our links and our message log, so its names lead nowhere.
"""

from allauth.account import views as allauth
from django.urls import URLPattern, URLResolver, include, path

from accounts.decorators import fresh_login_required
from accounts.views import dashboard, login, profile, public

app: list[URLPattern | URLResolver] = [
    path("l/<str:token>/", public.link_consume, name="link_consume"),
    path("l/<str:token>/renew/", public.link_renew, name="link_renew"),
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
    path("dashboard/contacts/new/", dashboard.contact_create, name="contact_create"),
    path("dashboard/contacts/<int:pk>/edit/", dashboard.contact_update, name="contact_update"),
    path("dashboard/contacts/<int:pk>/tag/", dashboard.contact_tag, name="contact_tag"),
    path("dashboard/contacts/<int:pk>/notes/", dashboard.note_create, name="note_create"),
    path("dashboard/notes/<int:pk>/delete/", dashboard.note_delete, name="note_delete"),
    path("dashboard/contacts/<int:pk>/unblock/", dashboard.contact_unblock, name="contact_unblock"),
    path("dashboard/contacts/<int:pk>/link/", dashboard.link_send, name="link_send"),
]

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include((app, "accounts"))),
    path("account/login/", allauth.login, name="account_login"),
    path("account/logout/", allauth.logout, name="account_logout"),
    path("account/inactive/", public.closed, name="account_inactive"),
    path("account/signup/", public.closed, name="account_signup"),
    path("account/email/", public.closed, name="account_email"),
    path("account/reauthenticate/", allauth.reauthenticate, name="account_reauthenticate"),
    path("account/password/change/", allauth.password_change, name="account_change_password"),
    path(
        "account/password/set/",
        fresh_login_required(allauth.password_set),
        name="account_set_password",
    ),
    path("account/password/reset/", public.password_reset, name="account_reset_password"),
]
