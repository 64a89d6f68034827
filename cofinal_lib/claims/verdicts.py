"""What a check may find, and the rules by which numbers become verdicts: nobody types a verdict."""

from typing import NamedTuple

import numpy as np

VERDICTS = {
    "holds": "as printed, within its rounding (a count within 2 %); or true by calculation, or in its files",
    "holds within noise": "as printed, yet no larger than chance alone allows; or inside our own interval",
    "differs": "our runs, our counts or the released code say otherwise; another reading or setting may explain it",
    "contradicted": "the paper's own numbers or definitions, the data's files or the authors' log rule it out",
    "artefact": "seen as printed or in the authors' log, and made by the way it was measured",
    "cannot be checked": "what a check would need is not to be had; the row says what",
}
HOLDS, NOISE, DIFFERS, CONTRADICTED, ARTEFACT, UNKNOWN = VERDICTS


class Finding(NamedTuple):
    """What a check found.

    Attributes:
        verdict: one of VERDICTS. why: one sentence.
        ours, low, high: our value and its interval; NaN where there is none.
        source: what was looked at: data, seeds, device, file.
        missing: what a check would need, where it cannot be made.
    """

    verdict: str
    why: str
    ours: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")
    source: str = ""
    missing: str = ""


def cannot(missing: str, why: str = "", source: str = "") -> Finding:
    """No check without `missing`; why may tell what is known instead."""
    return Finding(UNKNOWN, why or f"This needs {missing}.", source=source, missing=missing)


def number(text: str) -> float | str:
    """What is written, as a number where it is one."""
    try:
        return float(text)
    except ValueError:
        return text


def agrees(printed: float, ours: float, half: float) -> bool:
    """Whether `ours` rounds to `printed`, whose last digit is worth 2 * half."""
    return abs(printed - ours) <= half * (1 + 1e-9) + 1e-12


def follows(printed: float, ours: float, low: float, high: float, half: float) -> str:
    """A printed number beside what other printed numbers give: `ours`, or anything in [low, high] by their rounding.

    Holds if `ours` rounds to it; differs if only other values within the rounding would; contradicted if none would.
    """
    if agrees(printed, ours, half):
        return HOLDS
    return DIFFERS if low - half <= printed <= high + half else CONTRADICTED


def reproduced(printed: float, ours: float, low: float, high: float) -> str:
    """A printed SRCC beside ours with its interval: holds if ours rounds to it, then noise or differs."""
    if np.isnan([ours, low, high]).any():
        return UNKNOWN
    if agrees(printed, ours, 0.0005):
        return HOLDS
    return NOISE if low <= printed <= high else DIFFERS


def printed_lead(difference: float, noise: float) -> str:
    """A claim that a printed number is larger, beside what chance alone gives (95 % are smaller)."""
    if not difference > 0:
        return CONTRADICTED
    return HOLDS if difference > noise else NOISE


def our_lead(difference: float, noise: float) -> str:
    """A claim that something is larger, on our runs: it holds beyond what chance gives, and differs beyond it below."""
    if np.isnan([difference, noise]).any():
        return UNKNOWN
    return HOLDS if difference > noise else DIFFERS if difference < -noise else NOISE


def together(verdicts: list[str]) -> str:
    """Of a claim judged on several targets: it holds, or differs, where it does so on all; else it is within noise.

    Where one of them cannot be judged, for an SRCC is undefined, neither can the claim.
    """
    if UNKNOWN in verdicts:
        return UNKNOWN
    return verdicts[0] if set(verdicts) in ({HOLDS}, {DIFFERS}) else NOISE
