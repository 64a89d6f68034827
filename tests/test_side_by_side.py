"""Chapter 13: the facts it states, each by a property, a case by hand, or the public labels."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from docutils.nodes import make_id
from hypothesis import given
from hypothesis import strategies as st

from cofinal_lib import CoFInAl, CoFInAlConfig, artefact, side_by_side, simplex_etf
from cofinal_lib.data import official_scores
from cofinal_lib.figures import side_by_side as draw
from cofinal_lib.paper import facts
from cofinal_lib.rivals.cofinal_released import ReleasedCoFInAl, ReleasedCoFInAlConfig

BOOK = Path(__file__).parents[1] / "book"
CHAPTERS = ("13-side-by-side", "14-errata")


def markdown(chapter):
    cells = json.loads((BOOK / f"{chapter}.ipynb").read_text())["cells"]
    return "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")


def released(**options):
    torch.manual_seed(0)
    config = ReleasedCoFInAlConfig(**(dict(feature_dim=10, hidden_dim=8) | options))
    return ReleasedCoFInAl(config, torch.Generator().manual_seed(0)).eval()


# --------------------------------------------------------------------------------------- the tables


def test_every_equation_has_a_row_and_every_row_a_section():
    table = facts("equations")
    assert {str(n) for n in range(1, 17)} <= set(table["equation"])
    targets = set(re.findall(r"^\(side-(\w+)\)=$", markdown("13-side-by-side"), re.MULTILINE))
    assert set(table["section"]) <= targets
    assert set(facts("errata")["section"]) == set(
        re.findall(r"^\(errata-(\w+)\)=$", markdown("14-errata"), re.MULTILINE)
    )
    assert not (table == "").any(axis=None)


def test_ours_is_shown_where_the_table_says():
    for shown in facts("equations")["ours_shown"]:
        page, _, section = shown.partition("#")
        headings = re.findall(r"^#+ (.+)$", markdown(page), re.MULTILINE)
        assert section in [make_id(re.sub(r"\$[^$]*\$", "", h)) for h in headings], shown


def test_ours_exists():
    import importlib

    for ours in facts("equations")["ours_at"]:
        words = ours.split(", ")
        for file, name in zip(words[::2], words[1::2], strict=True):
            thing = importlib.import_module(f"cofinal_lib.{file.removesuffix('.py')}")
            for part in name.split("."):
                thing = getattr(thing, part)


def test_permalinks_name_the_pinned_commit_and_the_lines():
    assert side_by_side.permalinks("main.py:57-58 models/loss.py:52 README.md") == [
        ("main.py:57-58", f"{side_by_side.PAGES}/main.py#L57-L58"),
        ("loss.py:52", f"{side_by_side.PAGES}/models/loss.py#L52"),
        ("README.md", f"{side_by_side.PAGES}/README.md"),
    ]
    assert len(side_by_side.COMMIT) == 40
    places = [*facts("equations")["released_at"], *facts("settings")["released_at"]]
    for place in " ".join(places).split():
        assert re.fullmatch(r"[\w/.]+\.(py|sh|md)(:\d+(-\d+)?)?", place), place
        first, _, last = place.partition(":")[2].partition("-")
        assert not last or int(first) < int(last), place


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_the_text_links_to_the_pinned_commit_alone_and_says_the_lines_it_links_to(chapter):
    text = markdown(chapter)
    links = re.findall(r"\[`([^`]+)`\]\((https://github\.com/ZhouKanglei/CoFInAl_AQA/[^)]+)\)", text)
    assert len(links) == text.count("github.com/ZhouKanglei")
    for words, url in links:
        assert (words, url) in side_by_side.permalinks(
            url.removeprefix(side_by_side.PAGES + "/").replace("#L", ":").replace("-L", "-")
        )


def test_tables_link_and_escape():
    html = draw.equations_table().to_html()
    assert f'href="{side_by_side.PAGES}/models/model.py#L201-L202"' in html
    assert 'href="#side-batch"' in html and 'href="03-modules.html#' in html
    assert "&lt;a href" not in html
    settings = draw.settings_table().to_html()
    assert "options.py#L23" in settings and "a hundred times weaker" in settings


# --------------------------------------------------------------------------------------- modules


@torch.no_grad()
def test_printed_makes_procedures_released_keeps_every_clip():
    printed = CoFInAl(CoFInAlConfig(feature_dim=10, procedure_dim=8, score_dim=8, n_subgrades=5)).eval()
    for clips in (7, 30):
        given = torch.randn(2, clips, 10), torch.tensor([clips, clips])
        assert side_by_side.tokens(printed, "tfm", *given) == 5
        assert side_by_side.tokens(released(), "transformer.encoder", *given) == clips


def test_learned_counts_everything():
    model = released()
    assert sum(side_by_side.learned(model).values()) == sum(p.numel() for p in model.parameters())


def test_mates_change_a_fine_vector_and_not_where_attention_keeps_routines_apart():
    features, lengths = torch.randn(12, 6, 10), torch.full((12,), 6)
    across, apart = (
        side_by_side.among_mates(released(attention_over=over), features, lengths, draws=4, size=6)
        for over in ("batch", "prototypes")
    )
    assert (across["cosine"] < 1 - 1e-5).all() and (across["spread"] < 0.5 * across["spread_alone"]).all()
    assert apart["cosine"].to_numpy() == pytest.approx(1, abs=1e-5)
    for found in (across, apart):
        assert found["vote"].to_numpy() == pytest.approx(0, abs=1e-5)
    assert apart["spread"].to_numpy() == pytest.approx(apart["spread_alone"].to_numpy(), abs=0.05)


def test_mean_angle_by_hand():
    assert side_by_side.mean_angle(torch.eye(3)) == pytest.approx(90)
    assert side_by_side.mean_angle(torch.tensor([[1.0, 0], [5, 5], [0, 2]])) == pytest.approx(60)


def test_the_released_width_of_448_cannot_be_built():
    with pytest.raises(RuntimeError, match="2x256 and 448x100"):
        torch.zeros(2, 4 * 448) @ torch.zeros(4 * 448, 256) @ torch.zeros(448, 100)


# --------------------------------------------------------------------------------------- labels


def test_the_first_line_is_lost():
    assert side_by_side.released_rows(["1 2.0", "3 4.0", "", "5 6.0"]) == ["3 4.0", "5 6.0"]


def test_fisv_loses_a_routine_of_each_split(mirror):
    for split, n in (("train", 400), ("test", 100)):
        lines, source = side_by_side.label_lines(split)
        assert (len(lines), len(side_by_side.released_rows(lines)), source) == (n, n - 1, "official")


def test_without_files_twins_stand_in_and_say_so(tmp_path, monkeypatch):
    monkeypatch.setenv("COFINAL_MIRROR", str(tmp_path))
    lines, source = side_by_side.label_lines("test")
    assert (len(lines), source) == (100, "twin")
    assert len(artefact.log_at_hand()) == 0


@given(st.integers(0, 2500))
def test_subgrades_by_whole_numbers(hundredths):
    (row,) = side_by_side.subgrades(np.array([hundredths / 100])).to_dict("records")
    assert (row["exact_coarse"], row["exact_fine"]) == divmod(4 * hundredths, 100)
    assert 100 * row["coarse"] + row["fine"] - 4 * hundredths in (0, -1)


def test_few_subgrades_occur_in_the_official_labels(mirror):
    labels = official_scores("rg")
    train = labels[labels["split"] == "train"].assign(name=lambda f: f["video"].str.split("_").str[0])
    found = {name: side_by_side.subgrades(part["total"].to_numpy()) for name, part in train.groupby("name")}
    occur = {name: f["fine"].nunique() for name, f in found.items()}
    assert occur == {"Ball": 12, "Clubs": 13, "Hoop": 17, "Ribbon": 15}
    for f in found.values():
        assert f["exact_fine"].isin([0, 20, 40, 60, 80]).mean() > 0.9


def test_coarse_levels_alone_rank_nearly_as_well(mirror):
    labels = official_scores("rg").query("split == 'test'")
    for name in ("Ball", "Clubs", "Hoop", "Ribbon"):
        scores = labels.loc[labels["video"].str.startswith(name), "total"].to_numpy()
        assert 0.9988 < side_by_side.ceiling(scores) < 1


def test_scores_above_the_first_vote(mirror):
    labels = official_scores("fisv")
    assert (labels["tes"] > 25).mean() == pytest.approx(0.8, abs=0.005)
    assert (labels["pcs"] > 25).mean() == pytest.approx(0.696, abs=0.005)


# --------------------------------------------------------------------------------------- the fine head


def test_the_released_frame_obeys_eq_13():
    E = side_by_side.released_frame()
    assert torch.allclose(E.T @ E, (100 * torch.eye(100) - 1) / 99, atol=1e-5)
    assert torch.linalg.matrix_rank(E.double(), rtol=1e-4) == 99


def test_the_best_constant_beats_the_mean_the_median_and_the_commonest():
    E = simplex_etf(20, 20, torch.Generator().manual_seed(0))
    levels = torch.tensor([0, 0, 0, 4, 4, 8, 8, 12, 16, 16])
    targets = E[:, levels].T

    def cost(v):
        return float((targets - v / v.norm()).abs().mean())

    best = side_by_side.best_constant(targets)
    assert float(best.norm()) == pytest.approx(1, abs=1e-5)
    assert cost(best) < min(cost(targets.mean(0)), cost(targets.median(0).values), cost(E[:, 0])) + 1e-6
    assert cost(best) >= float((targets - targets.median(0).values).abs().mean())  # free of length, medians are best


def test_one_target_is_its_own_best_constant():
    target = simplex_etf(8, 8)[:, :1].T.repeat(5, 1)
    assert torch.allclose(side_by_side.best_constant(target), target[0], atol=1e-6)


def test_the_logged_loss_lies_above_a_constant_fine_answer(mirror):
    losses = artefact.log_at_hand()["loss"].to_numpy()
    assert len(losses) == 250 and losses[0] == 1.2244
    labels = official_scores("rg").query("split == 'train'")
    ball = side_by_side.subgrades(labels.loc[labels["video"].str.startswith("Ball"), "total"].to_numpy())["fine"]
    targets = side_by_side.released_frame()[:, ball.tolist()].T
    constant = float((targets - side_by_side.best_constant(targets)).abs().mean())
    assert constant == pytest.approx(0.0756, abs=0.0005)
    assert losses[-50:].mean() > constant + 0.004


# --------------------------------------------------------------------------------------- figures


def test_figures_draw_with_and_without_a_log():
    scores = pd.DataFrame({"target": ["tes", "tes", "pcs"], "score": [20.0, 40.0, 30.0]})
    fig = draw.cap_figure(scores, {"first vote": 25.0, "mean of both": 37.5}, "")
    assert "first vote: 50.0 % above" in fig.axes[0].get_legend_handles_labels()[1]
    fig = draw.subgrades_figure(pd.DataFrame({"target": "ball", "score": [10.0, 10.05, 10.05]}), "")
    assert "ball: 2 of 100 occur" in fig.axes[0].get_title(loc="left")
    for losses in (np.array([]), np.linspace(1, 0.08, 250)):
        fig = draw.floor_figure(losses, {"best": 0.075, "commonest": 0.087, "random": 0.11}, "")
        assert len(fig.axes[0].lines) == 3 + (len(losses) > 0)
    found = pd.DataFrame({"cosine": [0.9, 0.8], "spread": [1.0, 2.0], "spread_alone": [9.0, 8.0]})
    draw.mates_figure(found, "").canvas.draw()
