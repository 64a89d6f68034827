"""The numbers the paper prints, as it prints them (errors included): tables 1 to 3."""

from importlib.resources import files

import pandas as pd


def printed(table: str) -> pd.DataFrame:
    """Read "table1" (SRCC), "table2" (cost; its "FLOPs" are multiply-accumulates) or "table3" (SRCC of ablations).

    A cell the paper leaves empty is NaN; in table 3, `without` "" is the whole method.
    """
    with files(__name__).joinpath(f"{table}.csv").open() as file:
        return pd.read_csv(file, keep_default_na=False, na_values=["", "-"]).fillna({"without": ""})
