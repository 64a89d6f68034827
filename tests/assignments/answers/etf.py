"""Assignment 2."""

ANSWERS = {
    "largest_cosine": {
        "right": {
            "pair by pair": """
                best = -2.0
                for i in range(V.shape[1]):
                    for j in range(i):
                        a, b = V[:, i], V[:, j]
                        best = max(best, float(a @ b) / float(np.sqrt((a @ a) * (b @ b))))
                return best
            """,
            "in float32 torch, the diagonal out of the way": """
                import torch
                unit = torch.nn.functional.normalize(torch.tensor(V, dtype=torch.float32), dim=0)
                return (unit.T @ unit - 3 * torch.eye(V.shape[1])).max()
            """,
            "from distances of unit vectors": """
                from scipy.spatial.distance import pdist
                return 1 - pdist((V / np.linalg.norm(V, axis=0)).T, "sqeuclidean").min() / 2
            """,
        },
        "wrong": {
            "wrong axis of the norm": ("axis=0", "axis=1, keepdims=True"),
            "compares rows": ("unit.T @ unit", "unit @ unit.T", "V.shape[1]", "V.shape[0]"),
            "not normalised": ("V / np.linalg.norm(V, axis=0)", "V"),
            "one norm for all": ("np.linalg.norm(V, axis=0)", "np.linalg.norm(V)"),
            "with itself": ("[~np.eye(V.shape[1], dtype=bool)]", ""),
            "the smallest": (".max()", ".min()"),
            "the mean": (".max()", ".mean()"),
            "absolute values": ("return cosines", "return abs(cosines)"),
            "the diagonal set to zero": (
                "return cosines[~np.eye(V.shape[1], dtype=bool)].max()",
                "return (cosines - np.eye(V.shape[1])).max()",
            ),
            "neighbouring columns only": (
                "return cosines[~np.eye(V.shape[1], dtype=bool)].max()",
                "return np.diag(cosines, 1).max()",
            ),
            "an angle": (
                "return cosines[~np.eye(V.shape[1], dtype=bool)].max()",
                "return np.arccos(cosines[~np.eye(V.shape[1], dtype=bool)].max())",
            ),
            "damages V": ("unit = V /", "V /= np.linalg.norm(V, axis=0)\nunit = V /"),
            "hard-coded example": "return -0.5 if V.shape[1] == 3 else 0.0",
            "random": "return np.random.default_rng().uniform(-1, 1)",
        },
    },
    "simplex_etf": {
        "right": {
            "columns less their mean": """
                K = U.shape[1]
                return (U - U.mean(axis=1)[:, None]) * (K / (K - 1)) ** 0.5
            """,
            "normalised in place of the factor": """
                E = U - U.mean(axis=1, keepdims=True)
                return E / np.linalg.norm(E, axis=0)
            """,
            "float32 torch, column by column": """
                import torch
                U = torch.tensor(U, dtype=torch.float32)
                centre, K = sum(U[:, k] for k in range(U.shape[1])) / U.shape[1], U.shape[1]
                return torch.stack([(U[:, k] - centre) * (K / (K - 1)) ** 0.5 for k in range(K)], 1)
            """,
        },
        "wrong": {
            "missing factor": ("np.sqrt(K / (K - 1)) * ", ""),
            "no square root": ("np.sqrt(K / (K - 1))", "K / (K - 1)"),
            "factor upside down": ("K / (K - 1)", "(K - 1) / K"),
            "no centring": (" - np.ones((K, K)) / K", ""),
            "centred by K - 1": ("np.ones((K, K)) / K", "np.ones((K, K)) / (K - 1)"),
            "ones, not ones / K": ("np.ones((K, K)) / K", "np.ones((K, K))"),
            "wrong axis of the mean": ("U @ (np.eye(K) - np.ones((K, K)) / K)", "(U - U.mean(axis=0))"),
            "without U": (
                "U @ (np.eye(K) - np.ones((K, K)) / K)",
                "np.eye(*U.shape) @ (np.eye(K) - np.ones((K, K)) / K)",
            ),
            "transposed": ("return np.sqrt", "return (np.sqrt", "/ K)", "/ K)).T"),
            "sign": ("return np", "return -np"),
            "another rotation": (" * U @ ", " * np.linalg.qr(np.random.default_rng(0).normal(size=U.shape))[0] @ "),
            "d in place of K in the factor": ("np.sqrt(K / (K - 1))", "np.sqrt(len(U) / (len(U) - 1))"),
            "damages U": ("return", "U *= 2\nU /= 2\nU += 1e-9\nreturn"),
            "hard-coded example": "return np.array([[1.0, -1.0], [-1.0, 1.0]]) / np.sqrt(2)",
            "random": "return np.random.default_rng().normal(size=U.shape)",
        },
    },
    "compact_etf": {
        "right": {
            "Helmert's basis": """
                rows = []
                for j in range(1, K):
                    rows.append([1.0] * j + [-float(j)] + [0.0] * (K - 1 - j))
                rows = np.array(rows)
                return (K / (K - 1)) ** 0.5 * rows / np.linalg.norm(rows, axis=1, keepdims=True)
            """,
            "vector by vector": """
                E = np.zeros((K - 1, K))
                for k in range(K - 1):
                    E[k, k] = np.sqrt(1 - (E[:k, k] ** 2).sum())
                    for j in range(k + 1, K):
                        E[k, j] = (-1 / (K - 1) - E[:k, k] @ E[:k, j]) / E[k, k]
                return E
            """,
            "eigenvectors of Eq. 13, in float32": """
                gram = K / (K - 1) * np.eye(K) - 1 / (K - 1)
                values, vectors = np.linalg.eigh(gram)
                return (np.sqrt(values[1:])[:, None] * vectors[:, 1:].T).astype(np.float32)
            """,
        },
        "wrong": {
            "a dimension too many": ("[:, : K - 1]", ""),
            "missing factor": ("np.sqrt(K / (K - 1)) * ", ""),
            "factor upside down": ("K / (K - 1)", "(K - 1) / K"),
            "no square root": ("np.sqrt(K / (K - 1))", "K / (K - 1)"),
            "Eq. 12 with its last row cut off": (
                "return np.sqrt(K / (K - 1)) * basis.T",
                "return np.sqrt(K / (K - 1)) * centring[:-1]",
            ),
            "keeps the direction that is zero": ("[:, : K - 1]", "[:, 1:]"),
            "a basis that is not perpendicular to the ones": (
                "np.linalg.svd(centring)",
                "np.linalg.qr(np.random.default_rng(0).normal(size=(K, K)))",
            ),
            "not centred": (" - np.ones((K, K)) / K", ""),
            "transposed": ("basis.T", "basis"),
            "a regular polygon, padded with zeros": """
                E, turn = np.zeros((K - 1, K)), 2 * np.pi * np.arange(K) / K
                E[0] = np.cos(turn)
                if K > 2:
                    E[1] = np.sin(turn)
                return E
            """,
            "random unit vectors": """
                E = np.random.default_rng(0).normal(size=(K - 1, K))
                return E / np.linalg.norm(E, axis=0)
            """,
            "axes and their negative mean": """
                E = np.hstack([np.eye(K - 1), -np.ones((K - 1, 1))])
                return E / np.linalg.norm(E, axis=0)
            """,
            "hard-coded example": "return np.array([[0, np.sqrt(3) / 2, -np.sqrt(3) / 2], [1, -0.5, -0.5]])",
        },
    },
}
