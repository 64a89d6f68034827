"""Chapter 19: the ledger as a table to sort and filter, and how many claims have which verdict."""

from html import escape

import matplotlib.pyplot as plt
import pandas as pd
from IPython.display import HTML, Markdown
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from pandas.io.formats.style import Styler

from cofinal_lib import claims, tables
from cofinal_lib.claims.verdicts import VERDICTS
from cofinal_lib.figures import GREEN, ORANGE, PURPLE, RED, SKY, signed

COLOURS = dict(zip(VERDICTS, (GREEN, SKY, ORANGE, RED, PURPLE, "0.7"), strict=True))
HEADINGS = {"verdict": 13, "where": 10, "claim": 25, "printed": 11, "ours": 10, "why": 31}  # widths, per cent

# Sorting and filtering, where a browser runs scripts; without, the whole table stands as it is.
SCRIPT = """
(() => {
  const box = document.getElementById("ledger"), body = box.querySelector("tbody"), rows = [...body.rows];
  const text = box.querySelector("input"), pick = box.querySelector("select"), said = box.querySelector("output");
  const show = () => {
    let n = 0;
    for (const row of rows) {
      const ok = (!pick.value || row.dataset.verdict === pick.value) &&
        row.textContent.toLowerCase().includes(text.value.toLowerCase());
      row.hidden = !ok;
      n += ok;
    }
    said.textContent = n + " of " + rows.length + " claims shown";
  };
  const key = (row, i) => row.cells[i].dataset.key ?? row.cells[i].textContent;
  box.querySelectorAll("th button").forEach((button, i) => button.addEventListener("click", () => {
    const head = button.parentElement, up = head.getAttribute("aria-sort") !== "ascending";
    box.querySelectorAll("th").forEach((th) => th.setAttribute("aria-sort", "none"));
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    rows.sort((a, b) => (up ? 1 : -1) * key(a, i).localeCompare(key(b, i), "en", {numeric: true}));
    body.append(...rows);
  }));
  text.addEventListener("input", show);
  pick.addEventListener("change", show);
  box.querySelector("form").addEventListener("submit", (event) => event.preventDefault());
  box.querySelector("form").hidden = false;
  show();
})();
"""
STYLE = """
#ledger table { border-collapse: collapse; font-size: 75%; line-height: 1.35; display: table; table-layout: fixed; }
#ledger table { width: 100%; min-width: 44em; overflow-wrap: break-word; }
#ledger { overflow-x: auto; }
#ledger th, #ledger td { text-align: left; vertical-align: top; padding: 0.3em 0.45em; border-bottom: 1px solid #bbb; }
#ledger th button { font: inherit; font-weight: bold; border: 0; background: none; color: inherit; padding: 0; }
#ledger th[aria-sort=ascending] button::after { content: " \\25B2"; }
#ledger th[aria-sort=descending] button::after { content: " \\25BC"; }
#ledger th button { cursor: pointer; text-align: left; }
#ledger form { margin: 0 0 0.6em 0; font-size: 85%; }
#ledger label { margin-right: 1em; }
#ledger tr[hidden], #ledger form[hidden] { display: none; }
#ledger .mark { display: inline-block; width: 0.7em; height: 0.7em; margin-right: 0.35em; border-radius: 50%; }
#ledger summary { cursor: pointer; }
#ledger code { font-size: 95%; white-space: normal; }
"""


def table(frame: pd.DataFrame) -> HTML:
    """The ledger, a row a claim linked to its chapter; headers are buttons that sort, a form filters."""
    heads = "".join(
        f'<th scope="col" aria-sort="none" style="width: {width}%"><button type="button">{name}</button></th>'
        for name, width in HEADINGS.items()
    )
    body = "\n".join(_row(row) for row in frame.to_dict("records"))
    options = "".join(f'<option value="{v}">{v} ({n})</option>' for v, n in claims.counts(frame).items())
    form = (
        '<form hidden><label>Find <input type="search" placeholder="words or an id"></label>'
        f'<label>Verdict <select><option value="">all</option>{options}</select></label>'
        '<output aria-live="polite"></output></form>'
    )
    return HTML(
        f'<div id="ledger"><style>{STYLE}</style>{form}<table><thead><tr>{heads}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody></table><script>{SCRIPT}</script></div>"
    )


def _row(row: dict) -> str:
    colour, key = COLOURS[row["verdict"]], list(VERDICTS).index(row["verdict"])
    mark = f'<span class="mark" style="background: {to_hex(colour)}"></span>'
    more = {"to check": row["takes"], "needs": row["needs"], "missing": row["missing"], "from": row["source"]}
    told = "".join(f"<br>{name}: {escape(text)}" for name, text in more.items() if text)
    run = f"<br><code>{claims.command(row['id'])}</code>"
    link = f'<a href="{row["chapter"]}.html">{escape(row["claim"])}</a>'
    cells = [
        f'<td data-key="{key}">{mark}{row["verdict"]}</td>',
        f"<td>{escape(row['where'])}</td>",
        f'<td id="claim-{row["id"]}">{link}</td>',
        f"<td>{escape(row['printed'])}</td>",
        f"<td>{escape(claims.ours(row))}</td>",
        f"<td><details><summary>{escape(row['why'])}</summary>{told.removeprefix('<br>')}{run}</details></td>",
    ]
    return f'<tr data-verdict="{row["verdict"]}">{"".join(cells)}</tr>'


# What decides a claim: the module of its check.
KINDS = {
    "printed": "the paper's own numbers",
    "method": "calculation",
    "released": "the released code, read",
    "files": "public files",
    "runs": "our runs",
    "beyond": "another work, or nothing",
}


def counts_figure(frame: pd.DataFrame, line: str) -> Figure:
    """Draw the share of each verdict, and how many claims have it: of all, and by what decides them (KINDS)."""
    by = frame["check"].str.split(".").str[0]
    parts = {"all claims": frame} | {words: frame[by == module] for module, words in KINDS.items()}
    fig, ax = plt.subplots(figsize=(7.5, 0.42 * len(parts) + 1.3))
    for y, part in enumerate(parts.values()):
        left = 0.0
        for verdict, count in claims.counts(part).items():
            width = count / max(len(part), 1)
            ax.barh(y, width, left=left, color=COLOURS[verdict], edgecolor="w", label=None if y else verdict)
            if count:
                ax.text(left + width / 2, y, str(count), ha="center", va="center", fontsize=8)
            left += width
    ax.set_yticks(range(len(parts)), [f"{name} ({len(part)})" for name, part in parts.items()], fontsize=9)
    ax.invert_yaxis()
    ax.set_xlim(0, 1)
    ax.set_xticks([])
    ax.spines["bottom"].set_visible(False)
    ax.legend(ncols=3, fontsize=8, frameon=False, loc="lower center", bbox_to_anchor=(0.4, 1))
    return signed(fig, line)


def meanings() -> Styler:
    """What each verdict means."""
    return tables.styled(pd.DataFrame(VERDICTS.items(), columns=["verdict", "means"]), "verdicts", wrap=True).hide()


def listed(frame: pd.DataFrame, verdict: str) -> Markdown:
    """Claims of one verdict, each with its reason."""
    rows = frame[frame["verdict"] == verdict].to_dict("records")
    return Markdown("\n".join(f"- *{row['claim']}* {row['why']}" for row in rows) or "None.")


def missing(frame: pd.DataFrame) -> Styler:
    """What the claims that cannot be checked would need, and how many need it."""
    needed = frame.loc[frame["missing"] != "", "missing"].value_counts()
    return tables.styled(needed.rename_axis("missing").reset_index(name="claims"), "missing", wrap=True).hide()


def changed(before: pd.DataFrame, now: pd.DataFrame) -> pd.DataFrame:
    """Claims whose verdict now is another than the kept one: id, kept, now, missing."""
    both = before.merge(now, on="id", suffixes=("", "_now"), how="outer")
    rows = both[both["verdict"] != both["verdict_now"]]
    return rows.set_index("id")[["verdict", "verdict_now", "missing_now"]].set_axis(["kept", "now", "missing"], axis=1)
