"""The embedded PostgreSQL as a database engine: `EMBEDDED` in the settings says where.

"EMBEDDED": {"data": BASE_DIR / "var" / "postgres", "fsync": True}
"""

from collections.abc import Iterable
from typing import Any

import psycopg
from django.db.backends.postgresql import base, client
from django.utils.functional import cached_property

from portal.embedded.server import BIN, Server


class DatabaseClient(client.DatabaseClient):
    """`manage.py dbshell`, with the psql that comes along: it is as new as the server."""

    executable_name = str(BIN / "psql")

    @classmethod
    def settings_to_cmd_args_env(
        cls, settings_dict: dict[str, Any], parameters: Iterable[str]
    ) -> tuple[list[str], dict[str, str] | None]:
        place = Server(**settings_dict["EMBEDDED"]).ensure(settings_dict["NAME"])
        at = {"HOST": place["host"], "PORT": place["port"], "USER": place["user"]}
        return super().settings_to_cmd_args_env(settings_dict | at, parameters)


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's PostgreSQL; a connection that finds no server or no database makes them."""

    client_class = DatabaseClient

    @cached_property
    def server(self) -> Server:
        return Server(**self.settings_dict["EMBEDDED"])

    def get_connection_params(self) -> dict[str, Any]:
        params = super().get_connection_params()
        return params | self.server.parameters(params["dbname"])

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        # Trying first keeps the usual case as fast as with any other server.
        try:
            return super().get_new_connection(conn_params)
        except psycopg.OperationalError:
            self.server.ensure(conn_params["dbname"])
            return super().get_new_connection(conn_params)
