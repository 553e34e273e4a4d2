"""Fills a database with people who hold offers, by statements over whole sets."""

from __future__ import annotations

from django.db import connection, transaction

from accounts.models import Tag
from offers.models import Course, Lesson, Module, Offer
from offers.models.course import Status as CourseStatus
from offers.models.offer import Status as OfferStatus

SLICE = 20_000  # contacts a transaction
OFFERS = 3

# 40 x 50 names: of 100,000 people fifty have the same, which is one page of the list.
_FIRST = (
    "Ana Anna Antônio Aurélie Beatriz Björn Camille Carlos Carmen Chiara Chloë Daniela Eduardo "
    "Elena Fábio Francesca Giulia Greta Inês Jürgen João José Karin Lorenzo Luca Lucía Marco Maria "
    "Mateus Niccolò Noémie Olga Paolo Pedro Renée Sofia Søren Tomás Ugo Zoë"
)
_LAST = (
    "Almeida Azevedo Bacci Barbosa Bianchi Bruni Cardoso Carvalho Colombo Conti Costa Dias Duarte "
    "Esposito Fabbri Ferrari Ferreira Fontana Galli García Gatti Gómez Greco Lima Lombardi López "
    "Marini Martínez Mendes Monteiro Müller Nunes Núñez Oliveira Pereira Pinto Ramírez Ribeiro Ricci "
    "Rocha Romano Rossi Russo Santos Schäfer Silva Souza Teixeira Vargas Weiß"
)
FIRST_NAMES, LAST_NAMES = _FIRST.split(), _LAST.split()

# What one reads in a few minutes.
TEXT = """
## What you need

- 500 g of **strong flour**, and a little more for the board
- 350 g of water, as warm as your hand
- 10 g of salt

Take your time: *a dough that rests is a dough that works by itself*. More in
[the table of temperatures](https://example.com/temperatures).

| Room | First rest | Second rest |
| --- | --- | --- |
| 18 °C | 5 hours | 90 minutes |
| 24 °C | 3 hours | 60 minutes |

1. Mix flour and water until nothing is dry, and wait for half an hour.
2. Add the salt, and fold the dough onto itself four times.
3. Fold again every half hour, three times in all.

> If it sticks, wet your hands. Do not add flour.
"""
TEXT += "\n\n".join(["Then look at it, touch it, and remember how it felt. " * 6] * 4)

PEOPLE = """
    WITH person AS (
        INSERT INTO accounts_contact
            (email, name, phone, language, created_at, block_reason, credentials_claim, invited_at, joined_at,
             last_seen_at, newsletter_at, blocked_at)
        SELECT search_key(first || '.' || last || '.' || n || '@example.com'), first || ' ' || last,
               '+39 06 ' || lpad(n::text, 7, '0'), '', now() - n %% 500 * interval '1 day', '', '',
               CASE WHEN n %% 4 > 0 THEN now() - n %% 500 * interval '1 day' END,
               CASE WHEN n %% 3 = 0 THEN now() - n %% 500 * interval '1 day' END,
               CASE WHEN n %% 3 = 0 THEN now() - n %% 90 * interval '1 day' END,
               CASE WHEN n %% 5 = 0 THEN now() END,
               CASE WHEN n %% 997 = 1 THEN now() END
        FROM (
            SELECT n, (%(first)s::text[])[1 + n %% %(firsts)s] AS first,
                   (%(last)s::text[])[1 + n / %(firsts)s %% %(lasts)s] AS last
            FROM generate_series(%(from)s::int, %(to)s) AS n
        ) AS named
        RETURNING id, email, name, created_at
    ), login AS (
        INSERT INTO accounts_user
            (email, password, name, role, language, auth_epoch, is_active, created_at, contact_id)
        SELECT email, '!' || md5(id::text), name, '', '', 0, true, created_at, id FROM person
    ), held AS (
        INSERT INTO enrollments_grant
            (contact_id, offer_id, source, starts_at, granted_at, ends_on, ends_at, expired_at, suspended_at, note,
             reason)
        SELECT person.id, offer, CASE WHEN person.id %% 4 = 0 THEN 'import:1' ELSE 'manual' END, created_at,
               created_at, ends_on, ends_on + interval '1 day', CASE WHEN ends_on < now() THEN now() END,
               CASE WHEN person.id %% 199 = 0 THEN now() END, '', ''
        FROM person CROSS JOIN unnest(%(offers)s::bigint[]) AS offer
        CROSS JOIN LATERAL (
            SELECT CASE (person.id + offer) %% 10
                WHEN 0 THEN now()::date - 30 WHEN 1 THEN now()::date + 30 WHEN 2 THEN now()::date + 365
            END AS ends_on
        ) AS chosen
        RETURNING id, contact_id, offer_id, granted_at
    ), tagged AS (
        INSERT INTO accounts_contact_tags (contact_id, tag_id)
        SELECT person.id, %(tag)s FROM person WHERE person.id %% 10 = 0
    ), enrolled AS (
        INSERT INTO enrollments_enrollment
            (contact_id, course_id, enrolled_on, learning_status, attempt)
        SELECT contact_id, course_id, granted_at::date, 'active', 1
        FROM held JOIN offers_offercourse USING (offer_id)
        ON CONFLICT DO NOTHING
    )
    INSERT INTO portal_event (name, occurred_at, contact_id, cause, depth, data)
    SELECT 'contact.created', created_at, id, 'benchmark', 0, '{}' FROM person
    UNION ALL
    SELECT 'offer.granted', granted_at, contact_id, 'benchmark', 0,
           jsonb_build_object('grant', id, 'offer', offer_id, 'source', 'manual', 'notify', false)
    FROM held
"""


def fill(contacts: int) -> None:
    """Add `contacts` people with a login and three grants each. Nobody is told: nothing is to dispatch."""
    offers = [offer(number) for number in range(1, OFFERS + 1)]
    tag, _is_new = Tag.objects.get_or_create(name="benchmark")
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(max(id), 0) FROM accounts_contact")
        start = cursor.fetchone()[0]  # makes the addresses of a second call new ones
        for first in range(start, start + contacts, SLICE):
            with transaction.atomic():
                cursor.execute(
                    PEOPLE,
                    {
                        "first": FIRST_NAMES,
                        "firsts": len(FIRST_NAMES),
                        "last": LAST_NAMES,
                        "lasts": len(LAST_NAMES),
                        "from": first,
                        "to": min(first + SLICE, start + contacts) - 1,
                        "offers": [made.pk for made in offers],
                        "tag": tag.pk,
                    },
                )


def settle() -> None:
    """Do now what autovacuum would do within minutes: plans and indexes are then as in daily life."""
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


@transaction.atomic
def offer(number: int) -> Offer:
    """The benchmark's offer of this number, with a course."""
    made, is_new = Offer.objects.get_or_create(
        slug=f"benchmark-{number}",
        defaults={"title": f"Benchmark {number}", "status": OfferStatus.ACTIVE},
    )
    if is_new:
        made.include(course(number))
    return made


@transaction.atomic
def course(number: int, *, modules: int = 2, lessons: int = 4) -> Course:
    """A published course of as many modules, each with as many lessons."""
    made = Course.objects.create(
        slug=f"benchmark-{number}",
        title=f"Course {number:03}",
        description="What it is about, and what you will be able to do when you have been through it.",
        status=CourseStatus.PUBLISHED,
    )
    for position in range(1, modules + 1):
        module = Module.objects.create(course=made, title=f"Part {position}", position=position)
        Lesson.objects.bulk_create(
            Lesson(module=module, title=f"Lesson {place}", body=TEXT, position=place)
            for place in range(1, lessons + 1)
        )
    return made
