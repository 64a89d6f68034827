"""Which runs a table or figure needs. How large and how many: profiles/<profile>.toml."""

import tomllib
from dataclasses import replace
from importlib.resources import files

from cofinal_lib.cofinal import ABLATIONS, CoFInAlConfig
from cofinal_lib.data import OTHER_BACKBONES, at_hand
from cofinal_lib.errors import CofinalError
from cofinal_lib.rivals import METHODS, SOLVED
from cofinal_lib.runs import RunSpec

PROFILES = ("tiny", "quick", "colab", "paper")


def profile(name: str) -> dict:
    """Read a profile: seeds, epochs, device, each artefact's targets and grids, the twins' knobs, methods' options.

    Raises:
        CofinalError: no such profile.
    """
    if name not in PROFILES:
        raise CofinalError(f"unknown profile {name!r}; expected one of {', '.join(PROFILES)}")
    return tomllib.loads((files("cofinal_lib") / "profiles" / f"{name}.toml").read_text())


def spec(name: str, target: str, method: str = "cofinal", **options) -> RunSpec:
    """One run in a profile's size; `options` come on top of the profile's own. What is solved needs one seed."""
    p = profile(name)
    return RunSpec(
        target=target,
        method=method,
        seeds=tuple(range(1 if method in SOLVED else p["seeds"])),
        epochs=p["epochs"],
        options=p.get("options", {}).get(method, {}) | options,
        twin=p.get("twin", {}) if target.startswith("twin/") else {},
        device=p["device"],
    )


def table1(name: str) -> list[RunSpec]:
    """Every method on every target, and on a reader's features of other backbones."""
    targets = profile(name)["table1"]
    targets += [other for other in OTHER_BACKBONES if other.split("@")[0] in targets]
    return [spec(name, target, method) for target in targets for method in METHODS]


def table3(name: str) -> list[RunSpec]:
    """CoFInAl whole, and without each of four parts."""
    return [
        spec(name, target, **({"without": part} if part else {}))
        for target in profile(name)["table3"]
        for part in ABLATIONS
    ]


def figure4a(name: str) -> list[RunSpec]:
    """CoFInAl by the number of grades."""
    return _sweep(name, "n_grades", profile(name)["grades"])


def figure4b(name: str) -> list[RunSpec]:
    """CoFInAl by the number of sub-grades; more than its fine feature has room for (Eq. 12) are left out."""
    specs = _sweep(name, "n_subgrades", profile(name)["subgrades"])
    return [s for s in specs if _set(s, "n_subgrades") <= _set(s, "score_dim") + 1]


def _sweep(name: str, option: str, values: list[int]) -> list[RunSpec]:
    """CoFInAl as it stands, and with every other value of an option."""
    specs = []
    for whole in (spec(name, target) for target in profile(name)["figure4"]):
        specs += [whole] + [spec(name, whole.target, **{option: v}) for v in values if v != _set(whole, option)]
    return specs


def _set(s: RunSpec, option: str):
    return (s.authors_options | s.options).get(option, getattr(CoFInAlConfig, option))


def figure5(name: str) -> list[RunSpec]:
    """GDLT and both CoFInAls, for what their features know."""
    return [spec(name, profile(name)["figure5"], method) for method in ("gdlt", "cofinal-released", "cofinal")]


def figure6(name: str) -> list[RunSpec]:
    """GDLT and both CoFInAls, for their curves."""
    return [
        spec(name, target, method)
        for target in profile(name)["figure6"]
        for method in ("gdlt", "cofinal-released", "cofinal")
    ]


# What the paper shows, and the runs it takes; Table 2 counts and times, and needs none.
ARTEFACTS = {
    "table1": table1,
    "table2": lambda name: [],
    "table3": table3,
    "figure4a": figure4a,
    "figure4b": figure4b,
    "figure5": figure5,
    "figure6": figure6,
}


def plan(name: str, device: str | None = None) -> dict[str, list[RunSpec]]:
    """The runs of each artefact of a profile, on those of its targets whose data are at hand: artefact -> runs.

    An artefact none of whose data are at hand is left out. `device` takes the place of the profile's.
    """
    specs = {artefact: wanted(name) for artefact, wanted in ARTEFACTS.items()}
    here = {target: at_hand(target) for target in {s.target for some in specs.values() for s in some}}
    found = {
        artefact: [replace(s, device=device or s.device) for s in some if here[s.target]]
        for artefact, some in specs.items()
    }
    return {artefact: some for artefact, some in found.items() if some or not specs[artefact]}


def absent(name: str, planned: dict[str, list[RunSpec]]) -> list[str]:
    """Targets of a profile whose data are not at hand; other backbones' features are not missed."""
    targets = dict.fromkeys(s.target for wanted in ARTEFACTS.values() for s in wanted(name))
    here = {s.target for specs in planned.values() for s in specs}
    return [target for target in targets if target not in here and target not in OTHER_BACKBONES]


def label(s: RunSpec) -> str:
    """A run's name within its profile, such as "fisv/pcs cofinal n_grades=7"."""
    options = s.options | ({} if s.precision == "full" else {"precision": s.precision})
    return " ".join([s.target, s.method, *(f"{k}={v}" for k, v in options.items())])


def jobs(name: str, planned: dict[str, list[RunSpec]]) -> dict[str, list[RunSpec]]:
    """All runs of a profile, each once, in groups that one process works through: job -> runs.

    A run that several artefacts need belongs to the first. A job holds up to `runs_per_job` runs of one target.
    """
    size, seen, found = profile(name)["runs_per_job"], set(), {}
    for artefact, specs in planned.items():
        by_target = {}
        for s in specs:
            if label(s) not in seen:
                seen.add(label(s))
                by_target.setdefault(s.target, []).append(s)
        for target, some in by_target.items():
            for i in range(0, len(some), size):
                found[f"{artefact}-{target.replace('/', '-')}-{i // size + 1}"] = some[i : i + size]
    return found


def needed(specs: list[RunSpec], jobs: dict[str, list[RunSpec]]) -> list[str]:
    """The jobs that hold some runs."""
    labels = {label(s) for s in specs}
    return [job for job, held in jobs.items() if labels & {label(s) for s in held}]
