"""Which runs a table needs, and their results side by side. How large and how many: profiles/<profile>.toml."""

import tomllib
from collections.abc import Iterable
from importlib.resources import files

import pandas as pd

from cofinal_lib.data import at_hand
from cofinal_lib.errors import CofinalError
from cofinal_lib.rivals import METHODS
from cofinal_lib.runs import RunRecord, RunSpec

PROFILES = ("quick", "colab", "paper")


def profile(name: str) -> dict:
    """Read a profile: seeds, epochs, device, targets, the twins' knobs and the methods' options."""
    if name not in PROFILES:
        raise CofinalError(f"unknown profile {name!r}; expected one of {', '.join(PROFILES)}")
    return tomllib.loads((files("cofinal_lib") / "profiles" / f"{name}.toml").read_text())


def spec(name: str, target: str, method: str = "cofinal", **options) -> RunSpec:
    """One run in a profile's size; `options` come on top of the profile's own."""
    p = profile(name)
    return RunSpec(
        target=target,
        method=method,
        seeds=tuple(range(p["seeds"])),
        epochs=p["epochs"],
        options=p.get("options", {}).get(method, {}) | options,
        twin=p.get("twin", {}) if target.startswith("twin/") else {},
        device=p["device"],
    )


def table1(name: str) -> list[RunSpec]:
    """Every method on every target of a profile whose data are at hand (Table 1)."""
    targets = [target for target in profile(name)["targets"] if at_hand(target)]
    return [spec(name, target, method) for target in targets for method in METHODS]


def tidy(records: Iterable[RunRecord]) -> pd.DataFrame:
    """Results in long form, one row a run, split, selection and decoding: what was run, SRCC and R-l2, provenance.

    Columns: target, source, method, options, seeds, epochs, split, selection, decoding; srcc, srcc_low, srcc_high,
    relative_l2 (means over seeds, Student's 95 % interval); ridge, the SRCC of ridge regression on the mean clip;
    device, torch, commit, seconds, run_id.
    """
    rows = []
    for record in records:
        spec, provenance = record.record["spec"], record.record["provenance"]
        for split, measures in record.record["metrics"].items():
            for selection, decodings in measures["srcc"].items():
                for decoding, srcc in decodings.items():
                    rows.append(
                        {
                            "target": spec["target"],
                            "source": provenance["source"],
                            "method": spec["method"],
                            "options": " ".join(f"{k}={v}" for k, v in (spec["options"] | spec["twin"]).items()),
                            "seeds": len(spec["seeds"]),
                            "epochs": spec["epochs"],
                            "split": split,
                            "selection": selection,
                            "decoding": decoding,
                            "srcc": srcc["mean"],
                            "srcc_low": srcc["low"],
                            "srcc_high": srcc["high"],
                            "relative_l2": measures["relative_l2"][selection][decoding]["mean"],
                            "ridge": record.record["baselines"]["ridge_on_mean_clip"][split]["srcc"],
                            "device": provenance["device"],
                            "torch": provenance["versions"]["torch"],
                            "commit": provenance["commit"],
                            "seconds": provenance["seconds"],
                            "run_id": record.record["run_id"],
                        }
                    )
    return pd.DataFrame(rows)
