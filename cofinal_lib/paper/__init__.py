"""What the paper prints, as it prints it (errors included): tables 1 to 3; what it says, and what its code does."""

from importlib.resources import files

import pandas as pd


def printed(table: str) -> pd.DataFrame:
    """Read "table1" (SRCC), "table2" (cost; its "FLOPs" are multiply-accumulates) or "table3" (SRCC of ablations).

    A cell the paper leaves empty is NaN. In table 3, `without` "" is the whole method, and <target>_drop the per cent
    that it prints beside a cell.
    """
    with files(__name__).joinpath(f"{table}.csv").open() as file:
        return pd.read_csv(file, keep_default_na=False, na_values=["", "-"]).fillna({"without": ""})


def table1(backbone: str) -> pd.DataFrame:
    """Table 1's rows on one backbone, "VST", "I3D" or "C3D", with others beside it or without: index method."""
    rows = printed("table1")
    return rows[rows["backbone"].str.startswith(backbone)].set_index("method")


def facts(table: str) -> pd.DataFrame:
    """Read a table of words; an empty cell is "".

    "equations": Eq. 1 to 16 in the text, the released program and ours. "settings": Sec. 4.1's and the scripts'.
    "errata": equations that cannot be meant as printed, and how we read them. "released": what the released code does,
    as read at the pinned commit (`data.registry.COFINAL`): fact, value, where; `commit` names an older one, where only
    that shows the fact; a value that depends on the target is six, for ball|clubs|hoop|ribbon|tes|pcs.
    """
    with files(__name__).joinpath(f"{table}.csv").open() as file:
        return pd.read_csv(file, dtype=str, keep_default_na=False)
