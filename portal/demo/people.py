"""Who belongs to the school. Their addresses end in .example, so no mail can ever reach anybody."""

from __future__ import annotations

from typing import NamedTuple

from django.utils.text import slugify

from accounts.models import Role

NAME = "Forno Aurora"
SUPPORT_EMAIL = "ciao@fornoaurora.example"
ACCENT = "#b4532a"
ZONE = "Europe/Rome"

PASSWORD = "sourdough"  # noqa: S105 -- of the demo's logins alone, which print it


class Colleague(NamedTuple):
    """A member of staff, and the hour at which they usually log in."""

    name: str
    email: str
    role: Role
    hour: int


OWNER = Colleague("Aurora Bellini", "aurora@fornoaurora.example", Role.OWNER, 7)
ADMIN = Colleague("Tommaso Ricci", "tommaso@fornoaurora.example", Role.ADMIN, 9)
SUPPORT = Colleague("Beatriz Antunes", "beatriz@fornoaurora.example", Role.SUPPORT, 8)
MODERATOR = Colleague("Jonas Weber", "jonas@fornoaurora.example", Role.MODERATOR, 17)
STAFF = (OWNER, ADMIN, SUPPORT, MODERATOR)


class Person(NamedTuple):
    """A contact: when they came (days ago), what they were given, and how staff find them again."""

    name: str
    host: str
    language: str
    day: int = 0
    offer: str = ""
    tags: tuple[str, ...] = ()
    phone: str = ""

    @property
    def email(self) -> str:
        return f"{slugify(self.name).replace('-', '.')}@{self.host}.example"


# Has a password, which the demo prints. One course behind her, one she is in the middle of.
STUDENT = Person("Emma Lindqvist", "brevlada", "", 61, "whole-bakery", ("bread club",))

# Who has a password: their address, and what they are to the school.
LOGINS = {colleague.email: str(colleague.role.label) for colleague in STAFF}
LOGINS[STUDENT.email] = "Student"

# In the address book, and given nothing yet.
LEADS = [
    Person("Matteo Gallo", "posta", "it", 71, tags=("newsletter",)),
    Person("Ana Luíza Pereira", "correio", "pt-br", 52, tags=("newsletter",)),
    Person("Friedrich Baumgärtner", "briefkasten", "", 33, tags=("newsletter", "wholesale")),
    Person("Siobhán O'Sullivan", "letterbox", "en", 19),
    Person("Chiara D'Angelo", "posta", "it", 8, tags=("newsletter",)),
    Person("Ngozi Okafor", "letterbox", "en", 3, tags=("wholesale",)),
]

# Given the internal offer by hand, without a mail.
FRIENDS = [
    Person("Rosa Bellini", "famiglia", "it", 86, "team-and-friends", ("family",)),
    Person("Paolo Bellini", "famiglia", "it", 86, "team-and-friends", ("family",)),
    Person("Claire Fontaine", "boulangerie", "", 64, "team-and-friends", ("taster",)),
    Person("Henrique Sá", "padaria", "pt-br", 29, "team-and-friends", ("taster",)),
]

# Invited; the mail lies unread.
SILENT = [
    Person("Luca Moretti", "posta", "it", 58, "sourdough"),
    Person("Thaís Nogueira", "correio", "pt-br", 44, "pasta-sundays"),
    Person("Jürgen Müller", "briefkasten", "", 31, "pizza-nights", ("market",)),
    Person("Márta Szabó", "postalada", "", 16, "whole-bakery"),
    Person("Francesca Esposito", "posta", "it", 6, "pizza-nights"),
]

# Were in, looked around, and began nothing.
VISITORS = [
    Person("Vinícius Araújo", "correio", "pt-br", 49, "pizza-nights", phone="+55 11 95555 0142"),
    Person("Annika Hoffmann", "briefkasten", "", 27, "sourdough", phone="+49 30 5555 0178"),
    Person("Davide Rinaldi", "posta", "it", 9, "whole-bakery", phone="+39 06 5555 0119"),
]

# In the middle of it.
LEARNERS = [
    Person("Giulia Ferraro", "posta", "it", 73, "sourdough", ("bread club",)),
    Person("João Gonçalves", "correio", "pt-br", 56, "whole-bakery"),
    Person("Zoë van Dijk", "brievenbus", "", 47, "pasta-sundays"),
    Person("Lukas Schönfeld", "briefkasten", "", 39, "sourdough", ("bread club",)),
    Person("Aoife Byrne", "letterbox", "en", 35, "whole-bakery"),
    Person("Mariana Conceição", "correio", "pt-br", 30, "pizza-nights"),
    Person("Étienne Lefèvre", "boulangerie", "", 24, "whole-bakery", ("bread club", "wholesale")),
    Person("Elena Conti", "posta", "it", 18, "sourdough"),
    Person("Mai Nguyễn", "letterbox", "en", 12, "pasta-sundays"),
]

# Done, to the last lesson.
FINISHERS = [
    Person("Alessandro Greco", "posta", "it", 88, "pizza-nights", ("alumni",)),
    Person("Beatrice Lombardi", "posta", "it", 84, "sourdough", ("alumni", "bread club")),
    Person("Rafael Magalhães", "correio", "pt-br", 69, "pasta-sundays", ("alumni",)),
    Person("Katharina Vogel", "briefkasten", "", 66, "pizza-nights", ("alumni",)),
    Person("Inés Cárdenas", "buzon", "", 55, "pasta-sundays", ("alumni",)),
]

# Began with zeal, and were not seen for weeks. Staff gave them a longer end.
FADED = [
    Person("Stefano Marchetti", "posta", "it", 87, "sourdough"),
    Person("Débora Simões", "correio", "pt-br", 81, "whole-bakery"),
    Person("Björn Ekström", "brevlada", "", 77, "sourdough"),
]

# Shut out, each for a reason.
BLOCKED = {
    Person("Greg Harlan", "letterbox", "en", 68, "whole-bakery"): (
        "Shared the login with a whole office, twice, after a friendly word."
    ),
    Person("Nadia Petrescu", "posta", "", 41, "sourdough"): (
        "Sold our recipes as her own. See the letter of our lawyer."
    ),
}

# Held an offer of four weeks that is over.
EXPIRED = [
    Person("Silvia Bianchi", "posta", "it", 79, "spring-tasting", ("market",)),
    Person("Otávio Brandão", "correio", "pt-br", 74, "spring-tasting", ("market",)),
]

# A present that begins later: in how many days.
FUTURE = {
    Person("Hannah Krüger", "briefkasten", "", 11, "whole-bakery", ("gift",)): 9,
    Person("Pietro Santoro", "posta", "it", 5, "pasta-sundays", ("gift",)): 24,
}

# Their access was revoked, each for a reason.
LEAVERS = {
    Person("Yuki Tanaka", "letterbox", "en", 63, "pizza-nights"): (
        "Refunded: moved into a flat without an oven."
    ),
    Person("Camila Ribeiro", "correio", "pt-br", 37, "sourdough"): (
        "Refunded: allergic to wheat, as it turned out."
    ),
}

# Wrote their names on the list at the market stall; the list was imported.
MARKET = [
    Person("Simone De Luca", "posta", "it", 45, "pizza-nights", ("market",)),
    Person("Letícia Fagundes", "correio", "pt-br", 45, "pizza-nights", ("market",)),
    Person("Markus Grünewald", "briefkasten", "", 45, "pizza-nights", ("market",)),
    Person("Valentina Russo", "posta", "it", 45, "pizza-nights", ("market",)),
]

# From the same list; later they took the whole bakery as well, and hold the pizza course twice.
DOUBLES = [
    Person("Federica Longo", "posta", "it", 45, "pizza-nights", ("market", "bread club")),
    Person("Caio Guimarães", "correio", "pt-br", 45, "pizza-nights", ("market",)),
]

# Mail to them does not arrive: the first server says no, the second says nothing.
REFUSED = Person("Oliver Prescott", "letterbocks", "en", 22, "pizza-nights")
UNREACHABLE = Person("Ilaria Fontana", "posta-vecchia", "it", 14, "sourdough")

# Hold an offer whose only course is still a draft: nobody is told of it yet.
RESERVED = [
    Person("Gabriele Ferri", "posta", "it", 21, "panettone-weekend", ("christmas",)),
    Person("Heloísa Duarte", "correio", "pt-br", 10, "panettone-weekend", ("christmas",)),
]

# Came within the last half hour. Their mails leave when the clock starts.
ARRIVALS = [
    Person("Lorenzo Fabbri", "posta", "it", 0, "sourdough", ("bread club",)),
    Person("Isadora Teixeira", "correio", "pt-br", 0, "whole-bakery"),
    Person("Clara Weiss", "briefkasten", "", 0, "pizza-nights"),
    Person("Tomáš Dvořák", "schranka", "", 0, "pasta-sundays"),
    Person("Amélie Rousseau", "boulangerie", "", 0, "whole-bakery", ("wholesale",)),
    Person("Niamh Gallagher", "letterbox", "en", 0, "sourdough"),
]

# An old friend among them, who is given one more course.
RETURNING = FINISHERS[1]
RETURNING_OFFER = "pasta-sundays"
