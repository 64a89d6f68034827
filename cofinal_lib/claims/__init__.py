"""The ledger: every claim of the paper (paper/claims.yml), the check that judges it, and what it found."""

import difflib
import json
import textwrap
from importlib import import_module, resources

import pandas as pd
import yaml

from cofinal_lib.claims.verdicts import UNKNOWN, VERDICTS, Finding, number
from cofinal_lib.errors import CofinalError
from cofinal_lib.records import REFERENCE

KEPT = REFERENCE / "claims.csv"
# What is written down of a claim, and what its check finds.
WRITTEN = ("id", "where", "claim", "printed", "takes", "needs", "check", "chapter")
COLUMNS = [*WRITTEN[:4], *Finding._fields[:1], *Finding._fields[2:5], "why", "missing", "source", *WRITTEN[4:]]


def claims() -> list[dict]:
    """Every claim as written in paper/claims.yml: WRITTEN (`check` is module.function of this package) and `args`."""
    return yaml.safe_load(resources.files("cofinal_lib.paper").joinpath("claims.yml").read_text(encoding="utf-8"))


def chosen(rows: list[dict], claim: str | None) -> list[dict]:
    """All rows, or the one of that id; an unknown id is an error that names its nearest."""
    if claim is None:
        return rows
    found = [row for row in rows if row["id"] == claim]
    if not found:
        near = difflib.get_close_matches(claim, [row["id"] for row in rows], 4, 0.5)
        raise CofinalError(
            f"no claim {claim!r}; " + (f"near it: {', '.join(near)}" if near else "cofinal claims lists all")
        )
    return found


def evaluate(row: dict) -> Finding:
    """Run a claim's check, on what it prints (as a number where it is one) and on its arguments."""
    module, function = row["check"].split(".")
    check = getattr(import_module(f"cofinal_lib.claims.{module}"), function)
    found = check(number(row["printed"]), **row.get("args", {}))
    if found.verdict == UNKNOWN and not found.missing:  # the runs are there, and cannot be judged
        return found._replace(missing="a ranking of the test routines in every seed: it is undefined, or was not kept")
    return found


def ledger(claim: str | None = None) -> pd.DataFrame:
    """Evaluate every claim, or one, here and now: a row each, COLUMNS.

    Numbers of runs are a reader's own (results/paper) where there are any, else ours; files come from the mirror, the
    cache or the network. What is not to be had makes a row "cannot be checked", never an error.
    """
    rows = [row | evaluate(row)._asdict() for row in chosen(claims(), claim)]
    return pd.DataFrame(rows)[COLUMNS]


def kept(claim: str | None = None) -> pd.DataFrame:
    """The ledger as it was last kept in the repository, results/reference/claims.csv."""
    if not KEPT.is_file():
        raise CofinalError(f"{KEPT} is missing; cofinal claims --run evaluates every claim anew")
    text = dict.fromkeys(set(COLUMNS) - {"ours", "low", "high"}, str)
    frame = pd.read_csv(KEPT, dtype=text, keep_default_na=False, na_values={n: [""] for n in ("ours", "low", "high")})
    return pd.DataFrame(chosen(frame.to_dict("records"), claim))[COLUMNS]


def counts(frame: pd.DataFrame) -> pd.Series:
    """How many claims have each verdict, all of VERDICTS in their order."""
    return frame["verdict"].value_counts().reindex(list(VERDICTS), fill_value=0)


def summary(frame: pd.DataFrame) -> str:
    """The ledger in one sentence."""
    verbs = ("hold", "hold within noise", "differ", "are contradicted", "are artefacts", "cannot be checked at present")
    parts = [f"{n} {verb}" for n, verb in zip(counts(frame), verbs, strict=True)]
    return f"Of {len(frame)} claims, {', '.join(parts[:-1])} and {parts[-1]}."


def command(claim: str) -> str:
    """What evaluates a claim again."""
    return f"cofinal claims --run {claim}"


def as_json(frame: pd.DataFrame) -> str:
    """The ledger as a JSON list, an object a claim, `command` in each; a missing number is null."""
    rows = json.loads(frame.to_json(orient="records"))
    return json.dumps([row | {"command": command(row["id"])} for row in rows], indent=1, ensure_ascii=False)


def as_lines(frame: pd.DataFrame) -> list[str]:
    """The ledger for a terminal of 80 columns: a line a claim, or everything about it where it is the only one."""
    if len(frame) == 1:
        (row,) = frame.to_dict("records")
        shown = row | {"ours": ours(row), "command": command(row["id"])}
        names = [n for n in (*COLUMNS, "command") if n not in ("low", "high")]
        lines = [f"{name:<8} {shown[name]}" for name in names if shown[name] != ""]
        return [part for line in lines for part in textwrap.wrap(line, 79, subsequent_indent=9 * " ")]
    lines = [f"{r['verdict']:<18} {r['id']:<28} {r['printed']:<8} {ours(r)}" for r in frame.to_dict("records")]
    return [*lines, "", summary(frame), "One in full: cofinal claims ID; evaluated again: cofinal claims --run ID."]


def ours(row: dict) -> str:
    """Our value and its interval in words: "0.771 [0.676, 0.843]"; "" where there is none."""
    if pd.isna(row["ours"]):
        return ""
    interval = "" if pd.isna(row["low"]) else f" [{_short(row['low'], 3)}, {_short(row['high'], 3)}]"
    return _short(row["ours"], 4) + interval


def _short(value: float, digits: int) -> str:
    value = round(float(value), digits)
    return f"{value:.0f}" if value.is_integer() else f"{value:.4g}"
