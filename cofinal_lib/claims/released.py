"""Checks of what the text says about training against the released code, as read at the pinned commit."""

from cofinal_lib.claims.printed import TARGETS
from cofinal_lib.claims.verdicts import DIFFERS, HOLDS, Finding, number
from cofinal_lib.data.registry import COFINAL
from cofinal_lib.paper import facts

COMMIT = COFINAL.rsplit("/", 1)[1][:7]
SOURCE = f"released code at {COMMIT}, read"


def _fact(name: str) -> tuple[dict[str, str], str, str]:
    """A fact's value for each target, and where it was read, at which commit."""
    row = facts("released").set_index("fact").loc[name]
    values = row["value"].split("|")
    return (
        dict(zip(TARGETS, values * (len(TARGETS) // len(values)), strict=True)),
        row["where"],
        row["commit"] or COMMIT,
    )


def setting(printed, fact: str, targets: list[str] = TARGETS) -> Finding:
    """A setting of Sec. 3 or 4.1 against the released code's for some targets: it holds or differs."""
    values, where, commit = _fact(fact)
    chosen = [values[t] for t in targets]
    numbers = [v for v in map(number, chosen) if isinstance(v, float)]
    ours = numbers[0] if len(set(numbers)) == 1 else float("nan")
    ends = (min(numbers), max(numbers)) if len(set(numbers)) > 1 else (float("nan"), float("nan"))
    found = chosen[0] if len(set(chosen)) == 1 else ", ".join(f"{t} {v}" for t, v in zip(targets, chosen, strict=True))
    why, source = f"Released: {found} ({where}), read at {commit}.", f"released code at {commit}, read"
    return Finding(HOLDS if set(map(number, chosen)) == {printed} else DIFFERS, why, ours, *ends, source)


def one_each(printed: str, facts: list[str]) -> Finding:
    """Two numbers of the released code that the text takes for one: they are equal, or the row differs."""
    values = [_fact(name)[0]["ball"] for name in facts]
    told = " and ".join(f"{value} {name} ({_fact(name)[1]})" for value, name in zip(values, facts, strict=True))
    why = f"Released: {told}, read at {COMMIT}."
    return Finding(HOLDS if len(set(values)) == 1 else DIFFERS, why, float(values[-1]), source=SOURCE)


def runs(printed: str) -> Finding:
    """How many of the six targets' released training scripts can run as they are."""
    values, where, _ = _fact("script runs")
    broken = [t for t, v in values.items() if v != "yes"]
    n = len(values) - len(broken)
    why = f"Scripts for {n} of {len(values)} targets run; those for {', '.join(broken)} stop: {where}."
    return Finding(HOLDS if not broken else DIFFERS, why, n, source=SOURCE)
