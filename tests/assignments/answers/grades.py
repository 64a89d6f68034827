"""Assignment 1."""

ANSWERS = {
    "decompose": {
        "right": {
            "the corrected formula": """
                S_C = (high - low) / n_grades
                S_F = S_C / n_subgrades
                s = np.minimum(np.maximum(np.asarray(scores, dtype=np.float64), low), high) - low
                grade = np.minimum(s // S_C, n_grades - 1)
                subgrade = np.clip((s - S_C * grade) // S_F, 0, n_subgrades - 1)
                return grade.astype(np.int32), subgrade.astype(np.int32)
            """,
            "one score at a time": """
                grade, subgrade = np.zeros(scores.shape, np.int64), np.zeros(scores.shape, np.int64)
                for where, s in np.ndenumerate(scores):
                    level = int(n_grades * n_subgrades * (float(s) - low) / (high - low) // 1)
                    level = max(0, min(level, n_grades * n_subgrades - 1))
                    grade[where], subgrade[where] = divmod(level, n_subgrades)
                return grade, subgrade
            """,
            "by searching the edges": """
                edges = np.linspace(low, high, n_grades * n_subgrades + 1)[1:-1]
                level = np.searchsorted(edges, np.asarray(scores, float), side="right")
                return np.divmod(level, n_subgrades)
            """,
        },
        "wrong": {
            "the printed formula": """
                S_C = (high - low) / n_grades
                s = np.clip(scores, low, high) - low
                grade = np.minimum(s // S_C, n_grades - 1)
                return grade.astype(int), ((s - s // S_C) // (S_C / n_subgrades)).astype(int)
            """,
            "floats": ("astype(int)", "astype(float)"),
            "off by one sub-grade": ("level % n_subgrades", "(level + 1) % n_subgrades"),
            "counted from 1": ("return level // n_subgrades, level", "return level // n_subgrades + 1, level"),
            "the highest score overflows": ("np.minimum(level, n_levels - 1)", "level"),
            "boundaries to the level below": ("np.floor(share * n_levels)", "(np.ceil(share * n_levels) - 1).clip(0)"),
            "the scale is taken to begin at 0": ("np.clip(scores, low, high) - low", "np.clip(scores, low, high)"),
            "no clipping": ("np.clip(scores, low, high)", "scores"),
            "rounded to the nearest level": ("np.floor(", "np.round("),
            "grade and sub-grade swapped": (
                "return level // n_subgrades, level % n_subgrades",
                "return level % n_subgrades, level // n_subgrades",
            ),
            "the two counts swapped": (
                "return level // n_subgrades, level % n_subgrades",
                "return level // n_grades, level % n_grades",
            ),
            "divided by high": ("(high - low)", "high"),
            "the level in place of the sub-grade": ("level % n_subgrades", "level"),
            "damages the scores": (
                "n_levels = n_grades",
                "np.clip(scores, low, high, out=scores)\nn_levels = n_grades",
            ),
            "flattens": (
                "level // n_subgrades, level % n_subgrades",
                "(level // n_subgrades).ravel(), level.ravel() % n_subgrades",
            ),
            "reversed": ("share * n_levels", "(1 - share) * n_levels"),
            "hard-coded example": """
                known = {15.4: (3, 0), 0.0: (0, 0), 25.0: (4, 9), 7.3: (1, 4)}
                pairs = [known.get(float(s), (0, 0)) for s in scores.ravel()]
                return tuple(np.array(x).reshape(scores.shape) for x in zip(*pairs))
            """,
            "random": """
                draw = np.random.default_rng()
                return draw.integers(0, n_grades, scores.shape), draw.integers(0, n_subgrades, scores.shape)
            """,
        },
    },
    "compose": {
        "right": {
            "by level numbers": """
                level = np.asarray(grade, np.float32) * n_subgrades + subgrade
                return low + (high - low) * (2 * level + 1) / (2 * n_grades * n_subgrades)
            """,
            "mean of the level's two edges": """
                edges = np.linspace(low, high, n_grades * n_subgrades + 1)
                level = np.asarray(grade) * n_subgrades + np.asarray(subgrade)
                return (edges[level] + edges[level + 1]) / 2
            """,
            "one at a time": """
                points = np.empty(np.shape(grade))
                for where in np.ndindex(points.shape):
                    share = (grade[where] + (subgrade[where] + 0.5) / n_subgrades) / n_grades
                    points[where] = low + (high - low) * share
                return points
            """,
        },
        "wrong": {
            "the lower edge": ("+ 0.5", ""),
            "the upper edge": ("+ 0.5", "+ 1"),
            "half a point, not half a level": (
                "(np.asarray(subgrade) + 0.5) * subgrade_length",
                "np.asarray(subgrade) * subgrade_length + 0.5",
            ),
            "half a grade": (
                "(np.asarray(subgrade) + 0.5) * subgrade_length",
                "np.asarray(subgrade) * subgrade_length + grade_length / 2",
            ),
            "the scale's beginning forgotten": ("return low + ", "return "),
            "missing factor S_C": ("np.asarray(grade) * grade_length", "np.asarray(grade)"),
            "missing factor S_F": ("* subgrade_length", ""),
            "sub-grade as long as a grade": ("grade_length / n_subgrades", "grade_length"),
            "grade's middle alone": (" + (np.asarray(subgrade) + 0.5) * subgrade_length", " + grade_length / 2"),
            "the two swapped": (
                "np.asarray(grade) *",
                "np.asarray(subgrade) *",
                "(np.asarray(subgrade)",
                "(np.asarray(grade)",
            ),
            "divided by high": ("(high - low)", "high"),
            "whole points": ("return low", "return np.floor(low", "* subgrade_length", "* subgrade_length)"),
            "damages the grades": ("grade_length = (high", "grade *= 1\ngrade += 1\ngrade_length = (high"),
            "hard-coded example": "return np.array([15.25, 15.75])",
            "random": "return np.random.default_rng().uniform(low, high, np.shape(grade))",
        },
    },
    "spearman": {
        "right": {
            "scipy does it": """
                from scipy.stats import spearmanr
                if np.ptp(predicted) == 0 or np.ptp(scores) == 0:
                    return np.nan
                return spearmanr(predicted, scores).statistic
            """,
            "ranks by counting, no vectorisation": """
                def ranks(x):
                    return [sum(b < a for b in x) + (sum(b == a for b in x) + 1) / 2 for a in x]
                p, q = ranks(list(predicted)), ranks(list(scores))
                mean = (len(p) + 1) / 2
                top = sum((a - mean) * (b - mean) for a, b in zip(p, q))
                bottom = sum((a - mean) ** 2 for a in p) * sum((b - mean) ** 2 for b in q)
                return top / bottom ** 0.5 if bottom else float("nan")
            """,
            "pandas, in float32": """
                import pandas as pd
                p, q = (pd.Series(np.asarray(x, np.float64)).rank().astype(np.float32) for x in (predicted, scores))
                return p.corr(q)
            """,
        },
        "wrong": {
            "no ranks: Pearson": ("rankdata(predicted), rankdata(scores)", "predicted * 1.0, scores * 1.0"),
            "ties in the order they come": ("rankdata(predicted)", "rankdata(predicted, 'ordinal')"),
            "ties at the lowest rank": ("rankdata(predicted)", "rankdata(predicted, 'min')"),
            "dense ranks": ("rankdata(predicted)", "rankdata(predicted, 'dense')"),
            "arg sort once": (
                "rankdata(predicted), rankdata(scores)",
                "1.0 * np.argsort(predicted), 1.0 * np.argsort(scores)",
            ),
            "arg sort twice": (
                "rankdata(predicted), rankdata(scores)",
                "1.0 * np.argsort(np.argsort(predicted)), 1.0 * np.argsort(np.argsort(scores))",
            ),
            "not centred": ("p - p.mean(), q - q.mean()", "p, q"),
            "no square root": ("np.sqrt(", "("),
            "wrong normalisation: by N": ("/ spread if spread > 0 else np.nan", "/ len(p)"),
            "zero for a constant": ("else np.nan", "else 0.0"),
            "zero for constant scores": ("else np.nan", "else np.nan if np.ptp(predicted) == 0 else 0.0"),
            "absolute value": ("return (p * q).sum()", "return abs(p * q).sum()"),
            "one side's ranks": ("rankdata(scores)", "scores * 1.0"),
            "the formula without ties": """
                from scipy.stats import rankdata
                d, n = rankdata(predicted) - rankdata(scores), len(scores)
                return 1 - 6 * (d**2).sum() / (n * (n**2 - 1))
            """,
            "kendall": """
                from scipy.stats import kendalltau
                return kendalltau(predicted, scores).statistic
            """,
            "damages the predictions": ("from scipy", "predicted[0] = predicted.min() - 1\nfrom scipy"),
            "hard-coded example": """
                if np.array_equal(predicted, scores):
                    return 1.0
                return -1.0 if predicted[0] == -1 else 0.9486832980505138
            """,
            "random": "return np.random.default_rng().uniform(-1, 1)",
        },
    },
}
