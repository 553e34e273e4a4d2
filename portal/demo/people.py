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
    external_id: str = ""  # in the shop that the school had before
    lists: tuple[str, ...] = ()  # what they agreed to be written to about

    @property
    def email(self) -> str:
        return f"{slugify(self.name).replace('-', '.')}@{self.host}.example"


# Has a password, which the demo prints. One course behind her, one she is in the middle of.
STUDENT = Person(
    "Emma Lindqvist",
    "brev",
    "",
    61,
    "whole-bakery",
    ("bread club",),
    phone="+46 8 5555 0164",
    external_id="FA-1017",
    lists=("newsletter",),
)

# Who has a password: their address, and what they are to the school.
LOGINS = {colleague.email: str(colleague.role.label) for colleague in STAFF}
LOGINS[STUDENT.email] = "Student"

# In the address book, and given nothing yet.
LEADS = [
    Person("Matteo Gallo", "posta", "it", 71, lists=("newsletter",)),
    Person("Ana Luíza Pereira", "correio", "pt-br", 52, lists=("newsletter", "promotions")),
    Person(
        "Friedrich Baumgärtner", "briefkasten", "", 33, "", ("wholesale",), lists=("newsletter",)
    ),
    Person("Siobhán O'Sullivan", "letterbox", "en", 19, lists=("promotions",)),
    Person("Chiara D'Angelo", "posta", "it", 8, lists=("newsletter",)),
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

# Lost the password, and has a temporary one in the mailbox since yesterday.
FORGETFUL = VISITORS[-1]

# In the middle of it.
LEARNERS = [
    Person(
        "Giulia Ferraro",
        "posta",
        "it",
        73,
        "sourdough",
        ("bread club",),
        external_id="FA-1004",
        lists=("newsletter", "promotions"),
    ),
    Person(
        "João Gonçalves",
        "correio",
        "pt-br",
        56,
        "whole-bakery",
        external_id="FA-1021",
        lists=("newsletter",),
    ),
    Person("Zoë van Dijk", "brievenbus", "", 47, "pasta-sundays"),
    Person(
        "Lukas Schönfeld",
        "briefkasten",
        "",
        39,
        "sourdough",
        ("bread club",),
        lists=("newsletter",),
    ),
    Person("Aoife Byrne", "letterbox", "en", 35, "whole-bakery", external_id="FA-1033"),
    Person("Mariana Conceição", "correio", "pt-br", 30, "pizza-nights", lists=("promotions",)),
    Person("Étienne Lefèvre", "boulangerie", "", 24, "whole-bakery", ("bread club", "wholesale")),
    Person("Elena Conti", "posta", "it", 18, "sourdough"),
    Person("Mai Nguyễn", "letterbox", "en", 12, "pasta-sundays"),
]

# Done, to the last lesson.
FINISHERS = [
    Person("Alessandro Greco", "posta", "it", 88, "pizza-nights", ("alumni",)),
    Person(
        "Beatrice Lombardi",
        "posta",
        "it",
        84,
        "sourdough",
        ("alumni", "bread club"),
        external_id="FA-1002",
        lists=("newsletter", "promotions"),
    ),
    Person(
        "Rafael Magalhães",
        "correio",
        "pt-br",
        69,
        "pasta-sundays",
        ("alumni",),
        external_id="FA-1011",
        lists=("newsletter",),
    ),
    Person("Katharina Vogel", "briefkasten", "", 66, "pizza-nights", ("alumni",)),
    Person("Inés Cárdenas", "buzon", "", 55, "pasta-sundays", ("alumni",)),
]

# Began with zeal, and were not seen for weeks. Staff gave them a longer end.
FADED = [
    Person("Stefano Marchetti", "posta", "it", 87, "sourdough", external_id="FA-1001"),
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
    Person(
        "Silvia Bianchi", "posta", "it", 79, "spring-tasting", ("market",), lists=("newsletter",)
    ),
    Person("Otávio Brandão", "correio", "pt-br", 74, "spring-tasting", ("market",)),
]

# A present that begins later: in how many days.
FUTURE = {
    Person("Hannah Krüger", "briefkasten", "", 11, "whole-bakery", ("gift",)): 6,
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

# Their access rests for a while: why, and after how many days it went on.
SUSPENDED: dict[Person, tuple[str, int | None]] = {
    Person("Ingrid Solberg", "brevlada", "", 38, "whole-bakery"): (
        "The second installment is open. Resume it when the money is there.",
        None,
    ),
    Person("Teodora Marin", "posta", "it", 50, "sourdough", ("bread club",)): (
        "Traveling for two weeks, and asked for it herself.",
        14,
    ),
}

# Members of the subscription, month by month. One renews when her month is almost over.
MEMBERS = [
    Person("Tiago Bastos", "correio", "pt-br", 36, "membership", lists=("newsletter",)),
    Person("Giorgia Villa", "posta", "it", 33, "membership", phone="+39 02 5555 0131"),
    Person("Aurélie Marchand", "boulangerie", "", 28, "membership"),
    Person("Sven Lindgren", "brevlada", "", 26, "membership", ("bread club",)),
    Person("Bruna Tavares", "correio", "pt-br", 24, "membership", lists=("promotions",)),
    Person("Kofi Mensah", "letterbox", "en", 17, "membership", ("bread club",)),
    Person("Helena Marques", "correio", "pt-br", 5, "membership"),
]
RENEWING = Person("Marta Ricci", "posta", "it", 52, "membership", lists=("newsletter",))

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

# The staff of a hotel, imported for the wrong offer. One of them had called before it was undone.
HOTEL = [
    Person("Nicola Ferretti", "albergo", "it"),
    Person("Serena Colombo", "albergo", "it"),
    Person("Andrea Pellegrini", "albergo", "it"),
    Person("Ludovica Neri", "albergo", "it"),
    Person("Giacomo Testa", "albergo", "it"),
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

# What staff keep in mind about people: how many days ago, who, and what.
NOTES: dict[Person, list[tuple[int, Colleague, str]]] = {
    STUDENT: [
        (47, SUPPORT, "Asked whether the croissant course needs a mixer. It does not."),
        (12, OWNER, "Sent a photo of her first rye loaf. Ask whether we may show it."),
    ],
    MEMBERS[1]: [(3, SUPPORT, "Left a message on her phone. She calls back after the weekend.")],
    LEADS[2]: [(31, OWNER, "Bakes for a hotel: wants an offer for twelve of his people.")],
    REFUSED: [
        (20, SUPPORT, "The address bounces. Looks like letterbox with a slip: ask by phone.")
    ],
    LEARNERS[1]: [(25, SUPPORT, "Pays in two installments, both are in.")],
    HOTEL[1]: [
        (11, SUPPORT, "Called about an invitation. Wants to hear of the next evening course.")
    ],
}

# The record of a course as staff corrected it: whose, which course, to what, how many days ago.
CORRECTED = [
    (FADED[0], "sourdough", "canceled", 30),
    (FADED[2], "sourdough", "returned", 22),
    (SILENT[0], "sourdough", "pending", 40),
]

# Begins a course again that he or she finished.
AGAIN = FINISHERS[3]

# May see everything but one course of the offer.
SWITCHED_OFF = LEARNERS[6]
SWITCHED_OFF_COURSE = "croissants"
