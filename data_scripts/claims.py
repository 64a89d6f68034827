"""Evaluate every claim and keep the ledger: results/reference/claims.csv; and the facts of the authors' log,
log-facts.csv, for readers who cannot fetch it.

    python data_scripts/claims.py

It needs the labels, the log and Fis-V's features at hand (COFINAL_MIRROR, or `cofinal data fetch`), and reads the runs
in results/reference/paper alone: a reader's own in results/paper are left aside. Where one is not at hand, nothing is
written.
"""

import pandas as pd

from cofinal_lib import artefact, claims, results
from cofinal_lib.claims import runs
from cofinal_lib.claims.files import WORDS
from cofinal_lib.command import run
from cofinal_lib.errors import CofinalError
from cofinal_lib.records import REFERENCE


def main() -> None:
    """Evaluate, and write both files."""
    runs.ROOT = REFERENCE
    frame = claims.ledger()
    if absent := [words for name, words in WORDS.items() if name in set(frame["missing"])]:
        raise CofinalError(
            f"not at hand: {', '.join(absent)}; nothing is written. cofinal data fetch brings them, or set "
            "COFINAL_MIRROR to a folder that holds them"
        )
    results.whole_csv(claims.KEPT, frame)
    facts = pd.Series(artefact.log_facts(artefact.log_at_hand()), name="value").rename_axis("fact").reset_index()
    results.whole_csv(REFERENCE / "log-facts.csv", facts)
    print("\n".join(claims.as_lines(frame)))


if __name__ == "__main__":
    run(main)
