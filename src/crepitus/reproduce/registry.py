"""The list of tables that can be reproduced; importing it loads no network library."""

from __future__ import annotations

from crepitus.errors import UsageError
from crepitus.reproduce.table import Row, Table
from crepitus.reproduce.tables import aasn, femur, roi_mining, window_loss, window_loss_baselines, wrist

TABLES: dict[str, Table] = {
    table.name: table
    for tables in (
        window_loss_baselines.TABLES,
        window_loss.TABLES,
        aasn.TABLES,
        femur.TABLES,
        roi_mining.TABLES,
        wrist.TABLES,
    )
    for table in tables
}


def find_table(name: str) -> Table:
    """The table of that name.

    Raises:
        UsageError: there is none.
    """
    if name not in TABLES:
        raise UsageError(f"expected one of {', '.join(TABLES)} as TABLE, got {name!r}")
    return TABLES[name]


def find_rows(table: Table, names: list[str] | None) -> tuple[Row, ...]:
    """The rows of those names, in the order of the table; all of them for None.

    Raises:
        UsageError: a name is none of the table's, or there is no name.
    """
    if names is None:
        return table.rows
    known = [row.name for row in table.rows]
    for name in names or [""]:
        if name not in known:
            raise UsageError(f"--rows: expected rows of {table.name} ({', '.join(known)}), got {name!r}")
    return tuple(row for row in table.rows if row.name in names)
