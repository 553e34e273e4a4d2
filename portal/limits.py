"""How often something may be tried, by whom: counted in PostgreSQL, so that no cache and no Redis decides who gets in."""

from __future__ import annotations

import ipaddress
import math
from dataclasses import dataclass
from datetime import timedelta

from django.db import connection
from django.db.models.functions import Least
from django.utils.crypto import salted_hmac
from django.utils.timezone import now

from portal import context
from portal.models import Tally

KEPT = timedelta(days=1)  # longer than the longest limit


class TooMany(Exception):
    """The limit is reached; in `seconds` it will be over. Middleware answers 429 with Retry-After."""

    def __init__(self, seconds: int) -> None:
        super().__init__(seconds)
        self.seconds = seconds


@dataclass(frozen=True)
class Limit:
    """At most `times` within `seconds` of the first, for each who tries. Nobody waits longer than `seconds`."""

    name: str
    times: int
    seconds: int

    def spend(self, who: str) -> None:
        """Count one more try of `who`; raises TooMany if it is one too many.

        One statement, which counts and answers: of any number of tries at once no more than `times` pass.
        Who was refused is not counted on, so asking in vain makes nobody wait longer.
        """
        at = now()
        with connection.cursor() as cursor:
            cursor.execute(
                """
                INSERT INTO portal_tally AS tally (key, began_at, count) VALUES (%(key)s, %(at)s, 1)
                ON CONFLICT (key) DO UPDATE SET
                    count = CASE WHEN tally.began_at <= %(over)s THEN 1
                                 ELSE least(tally.count, %(times)s) + 1 END,
                    began_at = CASE WHEN tally.began_at <= %(over)s THEN %(at)s ELSE tally.began_at END
                RETURNING count, began_at
                """,
                {
                    "key": self._key(who),
                    "at": at,
                    "over": at - timedelta(seconds=self.seconds),
                    "times": self.times,
                },
            )
            count, began_at = cursor.fetchone()
        if count > self.times:
            left = began_at + timedelta(seconds=self.seconds) - at
            raise TooMany(max(1, math.ceil(left.total_seconds())))

    def forget(self, who: str) -> None:
        """Start over for `who`: they proved to be who they say."""
        Tally.objects.filter(key=self._key(who)).delete()

    def give_back(self, who: str) -> None:
        """Take back one spend() of `who` that passed: it was none of what is limited."""
        mine = Tally.objects.filter(key=self._key(who), count__gt=0)
        mine.update(count=Least("count", self.times) - 1)

    def _key(self, who: str) -> str:
        """Whoever reads the table learns nobody's address from it."""
        return (
            f"{self.name}:{salted_hmac('portal.limits', who, algorithm='sha256').hexdigest()[:40]}"
        )


def origin() -> str:
    """From where something is tried: the client's address. Of IPv6 its /64, all of which one household has.

    Without any address (a socket, a shell) all share one.
    """
    address = context.act().address
    if address is None:
        return ""
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv4Address):
        return address
    return str(ip.ipv4_mapped or ipaddress.ip_network((ip, 64), strict=False))


def sweep() -> None:
    """Delete the counts that no limit asks for any more."""
    Tally.objects.filter(began_at__lt=now() - KEPT).delete()


# Wrong passwords and codes: for one account, and from one address.
FAILED_LOGINS = Limit("failed_login", times=5, seconds=300)
FAILED_LOGINS_FROM = Limit("failed_login_from", times=10, seconds=60)
# Wrong passwords of somebody who is logged in and wants another one.
CURRENT_PASSWORDS = Limit("current_password", times=5, seconds=300)
# Links and codes asked for: to one address, and from one.
LINKS_A_MINUTE = Limit("links_minute", times=3, seconds=60)
LINKS_AN_HOUR = Limit("links_hour", times=10, seconds=3600)
LINKS_FROM = Limit("links_from", times=20, seconds=60)
# Wrong codes of one person's second factor.
SECOND_FACTORS = Limit("second_factor", times=5, seconds=300)
