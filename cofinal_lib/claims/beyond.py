"""Claims that no calculation, file or run here can decide: what it would take, or what the cited work says."""

from cofinal_lib.claims.verdicts import DIFFERS, HOLDS, Finding, cannot


def us(printed, missing: str, why: str = "") -> Finding:
    """A claim whose check needs `missing`, which the book does not have and cannot make."""
    return cannot(missing, why, "the paper's text")


def reported(printed: float, by: str, number: float, over: bool = False) -> Finding:
    """A number that the paper takes from another work, against what that work reports: "about", within a tenth of it.

    Args:
        by: the work. number: what it reports. over: the text says "over": at most a tenth less than it.
    """
    share = printed / number
    ok = 0.9 <= share <= (1 if over else 1.1)
    return Finding(HOLDS if ok else DIFFERS, f"{by} reports {number:,}.", number, source=by)
