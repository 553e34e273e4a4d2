"""Contacts by the thousand: made or changed by their addresses, in a constant number of statements."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import NamedTuple

from django.db import connection

from accounts.models import Contact
from portal.events import Name, record_many

FIELDS = ("name", "phone", "language", "external_id")


class Person(NamedTuple):
    """What is known of somebody. A blank says nothing: what is there stays."""

    email: str  # normalized
    name: str = ""
    phone: str = ""
    language: str = ""
    external_id: str = ""


class Known(NamedTuple):
    """The contact an address belongs to now."""

    pk: int
    is_new: bool
    is_changed: bool


def add_many(people: Collection[Person]) -> dict[str, Known]:
    """Make or change the contacts of these addresses (each at most once); returns them by address.

    Records `contact.created` and `contact.updated`. The caller holds the transaction, and has
    made sure that external ids are free: see taken_ids().
    """
    by_email = {person.email: person for person in people}
    emails = sorted(by_email)
    before = {
        row["email"]: row
        for row in Contact.objects.filter(email__any_of=emails).values("pk", "email", *FIELDS)
    }
    fresh = _insert([by_email[email] for email in emails if email not in before])
    changed = {
        email: [
            name for name in FIELDS if (new := getattr(by_email[email], name)) and new != row[name]
        ]
        for email, row in before.items()
    }
    _update([(before[email]["pk"], by_email[email]) for email, names in changed.items() if names])
    record_many(Name.CONTACT_CREATED, [(pk, {}) for pk in fresh.values()])
    record_many(
        Name.CONTACT_UPDATED,
        [
            (before[email]["pk"], {"fields": names})
            for email, names in sorted(changed.items())
            if names
        ],
    )
    known = {email: Known(row["pk"], False, bool(changed[email])) for email, row in before.items()}
    known |= {email: Known(pk, True, False) for email, pk in fresh.items()}
    if len(known) < len(emails):  # somebody else made the rest between our two looks
        late = Contact.objects.filter(email__in=set(emails) - set(known)).values_list("email", "pk")
        known |= {email: Known(pk, False, False) for email, pk in late}
    return known


def _insert(people: list[Person]) -> dict[str, int]:
    if not people:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO accounts_contact
                (email, name, phone, language, external_id, created_at, block_reason, credentials_claim)
            SELECT email, name, phone, language, nullif(external_id, ''), now(), '', ''
            FROM jsonb_to_recordset(%s)
                AS given (email text, name text, phone text, language text, external_id text)
            ON CONFLICT (email) DO NOTHING
            RETURNING email, id
            """,
            [json.dumps([person._asdict() for person in people])],
        )
        return dict(cursor.fetchall())


def _update(people: list[tuple[int, Person]]) -> None:
    if not people:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE accounts_contact AS contact
            SET name = coalesce(nullif(given.name, ''), contact.name),
                phone = coalesce(nullif(given.phone, ''), contact.phone),
                language = coalesce(nullif(given.language, ''), contact.language),
                external_id = coalesce(nullif(given.external_id, ''), contact.external_id)
            FROM jsonb_to_recordset(%s)
                AS given (id bigint, name text, phone text, language text, external_id text)
            WHERE contact.id = given.id
            """,
            [json.dumps([{"id": pk} | person._asdict() for pk, person in people])],
        )


def taken_ids(wanted: dict[str, str]) -> dict[str, str]:
    """Of `wanted` (external id -> address that would get it), those that somebody else has, and who."""
    owners = Contact.objects.filter(external_id__in=wanted).values_list("external_id", "email")
    return {key: email for key, email in owners if wanted[str(key)] != email and key}


def tag_many(tags: dict[int, Collection[str]]) -> set[int]:
    """Add these tags to the contacts with these pks; returns whose tags changed. Records `contact.tagged`.

    Case makes no second tag: “vip” is the “VIP” that is known, or that stands beside it.
    """
    pairs = [(pk, name) for pk, names in sorted(tags.items()) for name in names]
    if not pairs:
        return set()
    pks, names = (list(column) for column in zip(*pairs, strict=True))
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO accounts_tag (name)
            SELECT DISTINCT ON (lower(name)) name FROM unnest(%s::text[]) AS name
            WHERE lower(name) NOT IN (SELECT lower(tag.name) FROM accounts_tag AS tag)
            ORDER BY lower(name), name ON CONFLICT (name) DO NOTHING
            """,
            [names],
        )
        cursor.execute(
            """
            WITH given AS (SELECT * FROM unnest(%s::bigint[], %s::text[]) AS given (contact_id, name)),
            spelled AS (
                SELECT DISTINCT ON (named.name) named.name, tag.id
                FROM (SELECT DISTINCT name FROM given) AS named
                JOIN accounts_tag AS tag ON lower(tag.name) = lower(named.name)
                ORDER BY named.name, tag.name <> named.name, tag.id
            )
            INSERT INTO accounts_contact_tags (contact_id, tag_id)
            SELECT given.contact_id, spelled.id FROM given JOIN spelled USING (name)
            ON CONFLICT (contact_id, tag_id) DO NOTHING
            RETURNING contact_id, (SELECT name FROM accounts_tag WHERE id = tag_id)
            """,
            [pks, names],
        )
        added: dict[int, list[str]] = {}
        for pk, name in cursor.fetchall():
            added.setdefault(pk, []).append(name)
    record_many(Name.CONTACT_TAGGED, [(pk, {"added": new}) for pk, new in sorted(added.items())])
    return set(added)


def untag_many(contact_ids: Collection[int], tag: str) -> set[int]:
    """Take one tag off these contacts; returns whose it was. Records `contact.tagged`."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            DELETE FROM accounts_contact_tags
            WHERE contact_id = ANY(%s) AND tag_id = (SELECT id FROM accounts_tag WHERE name = %s)
            RETURNING contact_id
            """,
            [list(contact_ids), tag],
        )
        removed = {pk for (pk,) in cursor.fetchall()}
    record_many(Name.CONTACT_TAGGED, [(pk, {"removed": [tag]}) for pk in sorted(removed)])
    return removed
