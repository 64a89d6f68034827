"""Assignment 6."""

ANSWERS = {
    "average_is_possible": {
        "right": {
            "in plain Python": """
                import math
                def fisher(shift):
                    z = [math.atanh(float(c) + shift) for c in cells]
                    return math.tanh(sum(z) / len(z))
                return fisher(-0.0005) - 0.0005 <= printed and printed <= fisher(0.0005) + 0.0005
            """,
            "on Fisher's scale, in torch": """
                x = torch.tensor(cells, dtype=torch.float64)
                low, high = torch.atanh(x - 5e-4).mean(), torch.atanh(x + 5e-4).mean()
                wanted = torch.atanh(torch.tensor([printed - 5e-4, printed + 5e-4], dtype=torch.float64))
                return bool((wanted[1] >= low) & (wanted[0] <= high))
            """,
        },
        "wrong": {
            "the plain mean": ("np.tanh(np.arctanh(cells + d).mean())", "(cells + d).mean()"),
            "no rounding of the cells": ("np.arctanh(cells + d)", "np.arctanh(cells)"),
            "no rounding at all": ("half = np.asarray(cells, float), 0.0005", "half = np.asarray(cells, float), 1e-9"),
            "rounding ten times too wide": ("0.0005", "0.005"),
            "only too large is noticed": ("low - half <= printed", "True"),
            "only too small is noticed": ("<= high + half", ""),
            "no way back from z": ("np.tanh(np.arctanh(cells + d).mean())", "np.arctanh(cells + d).mean()"),
            "tanh first": ("np.tanh(np.arctanh(cells + d).mean())", "np.arctanh(np.tanh(cells + d).mean())"),
            "the median": (".mean()", "[len(cells) // 2]"),
            "divided by n - 1": ("np.arctanh(cells + d).mean()", "np.arctanh(cells + d).sum() / (len(cells) - 1)"),
            "rounds once": (
                "bool(low - half <= printed <= high + half)",
                "bool(round(np.tanh(np.arctanh(cells).mean()), 3) == printed)",
            ),
            "always": ("low - half <= printed <= high + half", "True"),
            "inverted": ("return bool(", "return not bool("),
            "damages the cells": ("cells, half =", "cells += 0.0005\ncells, half ="),
            "hard-coded example": "return printed == 0.5",
            "random": "return bool(np.random.default_rng().integers(2))",
        },
    },
    "interval": {
        "right": {
            "in plain Python": """
                import math
                from statistics import NormalDist
                z = 0.5 * math.log((1 + rho) / (1 - rho))
                half = -NormalDist().inv_cdf((1 - level) / 2) * ((1 + rho * rho / 2) / (n - 3)) ** 0.5
                return [math.tanh(z - half), math.tanh(z + half)]
            """,
            "scipy's interval, in float32": """
                from scipy import stats
                ends = stats.norm.interval(level, np.arctanh(rho), ((1 + rho**2 / 2) / (n - 3)) ** 0.5)
                low, high = np.tanh(np.array(ends, np.float32))
                return low, high
            """,
        },
        "wrong": {
            "not on Fisher's scale": (
                "return np.tanh(z - q * se), np.tanh(z + q * se)",
                "return rho - q * se, rho + q * se",
            ),
            "no way back": ("return np.tanh(z - q * se), np.tanh(z + q * se)", "return z - q * se, z + q * se"),
            "n in place of n - 3": ("(n - 3)", "n"),
            "n - 1": ("(n - 3)", "(n - 1)"),
            "the error of Pearson's correlation": ("(1 + rho**2 / 2)", "1"),
            "rho, not its square": ("rho**2", "rho"),
            "no square root": ("np.sqrt((1 + rho**2 / 2) / (n - 3))", "(1 + rho**2 / 2) / (n - 3)"),
            "one-sided": ("(1 + level) / 2", "level"),
            "the level ignored": ("norm.ppf((1 + level) / 2)", "1.96"),
            "two, roughly": ("norm.ppf((1 + level) / 2)", "2.0 * norm.ppf((1 + level) / 2) / 1.96"),
            "one standard error": ("norm.ppf((1 + level) / 2)", "1"),
            "upper end first": (
                "return np.tanh(z - q * se), np.tanh(z + q * se)",
                "return np.tanh(z + q * se), np.tanh(z - q * se)",
            ),
            "one end": ("return np.tanh(z - q * se), np.tanh(z + q * se)", "return np.tanh(z - q * se)"),
            "quantile of Student": (
                "norm.ppf((1 + level) / 2)",
                "__import__('scipy.stats').stats.t.ppf((1 + level) / 2, n - 2)",
            ),
            "hard-coded example": "return (0.66, 0.89) if rho == 0.8 else (0.3 - n**-0.5, 0.3 + n**-0.5)",
            "random": "a, b = np.sort(np.random.default_rng().uniform(-1, 1, 2))\nreturn a, b",
        },
    },
    "selections": {
        "right": {
            "with a regular expression": """
                import re
                rows = re.findall(r"^epoch (\\d+) .*test SRCC\\s+(-?[\\d.]+)", log, re.M)
                epochs, test = [int(e) for e, _ in rows], [float(t) for _, t in rows]
                best = max(test)
                tail = test[-10:]
                return dict(best=best, best_epoch=epochs[test.index(best)], last=test[-1], tail=sum(tail) / len(tail))
            """,
            "with pandas": """
                import io
                import pandas as pd
                table = pd.read_csv(io.StringIO(log), sep="|", header=None)
                test = table[4].str.split().str[-1].astype(float)
                epoch = table[0].str.split().str[-1].astype(int)
                best = test.idxmax()
                found = {"best": np.float32(test[best]), "best_epoch": epoch[best]}
                return found | {"last": test.iloc[-1], "tail": test.tail(10).mean()}
            """,
        },
        "wrong": {
            "the training curve": ('line.split("test SRCC")[1]', 'line.split("train SRCC")[1].split("|")[0]'),
            "the lowest": ("np.argmax(test)", "np.argmin(test)"),
            "the last of equals": ("int(np.argmax(test))", "len(test) - 1 - int(np.argmax(test[::-1]))"),
            "line numbers for epochs": ("int(lines[best].split()[1])", "best"),
            "epochs counted from 1": ("int(lines[best].split()[1])", "int(lines[best].split()[1]) + 1"),
            "the first for the last": ('"last": test[-1]', '"last": test[0]'),
            "last of the best": ('"last": test[-1]', '"last": test[best]'),
            "tail of nine": ("test[-10:]", "test[-9:]"),
            "tail of all": ("test[-10:]", "test"),
            "head for tail": ("test[-10:]", "test[:10]"),
            "median of the tail": ("np.mean(test[-10:])", "np.median(test[-10:])"),
            "tail always divided by ten": ("float(np.mean(test[-10:]))", "sum(test[-10:]) / 10"),
            "sign lost": ("float(line.split", "abs(float(line.split", "[1])", "[1]))"),
            "best chosen on the training curve": (
                "np.argmax(test)",
                'np.argmax([float(line.split("train SRCC")[1].split("|")[0]) for line in lines])',
            ),
            "the last line dropped": ("log.splitlines()", "log.splitlines()[:-1]"),
            "hard-coded example": 'return {"best": 0.7, "best_epoch": 1, "last": 0.4, "tail": 0.4}',
            "random": 'return dict.fromkeys(("best", "best_epoch", "last", "tail"), np.random.default_rng().uniform())',
        },
    },
    "repaired": {
        "right": {
            "routine by routine": """
                return [float(c) + float(row.argmax()) / 10_000 for c, row in zip(coarse.double(), fine_logits)]
            """,
            "NumPy in double": """
                fine = np.argmax(fine_logits.numpy(), axis=-1)
                return coarse.numpy().astype(np.float64) + fine * 1e-4
            """,
            "by sorting": """
                return coarse + fine_logits.sort(dim=1, descending=True).indices[:, 0] / 1e4
            """,
        },
        "wrong": {
            "the sketch itself": (".argmax(1)", ".argmax()"),
            "wrong axis": ("fine_logits.argmax(1)", "fine_logits.argmax(0)[: len(coarse)]"),
            "the flat index, wrapped": ("fine_logits.argmax(1)", "(fine_logits.argmax() % fine_logits.shape[1])"),
            "the smallest logit": (".argmax(1)", ".argmin(1)"),
            "the logit itself": ("fine_logits.argmax(1)", "fine_logits.amax(1)"),
            "expected sub-grade": (
                "fine_logits.argmax(1)",
                "(fine_logits.softmax(1) @ torch.arange(fine_logits.shape[1]).float())",
            ),
            "missing factor": (" / 10_000", ""),
            "divided by the number of sub-grades": ("10_000", "fine_logits.shape[1]"),
            "off by one": (".argmax(1)", ".argmax(1).add(1)"),
            "subtracted": ("coarse + ", "coarse - "),
            "no coarse score": ("coarse + ", ""),
            "no sub-grade": (" + fine_logits.argmax(1) / 10_000", ""),
            "the batch's mean coarse score": ("coarse + ", "coarse.mean() + "),
            "arg max of magnitudes": ("fine_logits.argmax(1)", "fine_logits.abs().argmax(1)"),
            "damages the coarse scores": (
                "return coarse +",
                "coarse += fine_logits.argmax(1) / 10_000\nreturn coarse + 0 *",
            ),
            "hard-coded example": "return coarse + 0.0002",
            "random": "return coarse + torch.rand(len(coarse)) / 100",
        },
    },
}
