"""Figures 4 to 6 as `cofinal reproduce` draws them: artefact -> (its data, the line below) -> figure."""

from cofinal_lib.figures.features import feature_planes
from cofinal_lib.figures.grades import sweep
from cofinal_lib.figures.overfitting import learning_curves

FIGURES = {
    "figure4a": lambda data, line: sweep(data, "n_grades", line),
    "figure4b": lambda data, line: sweep(data, "n_subgrades", line),
    "figure5": feature_planes,
    "figure6": learning_curves,
}
