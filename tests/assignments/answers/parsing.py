"""Assignment 4."""

ANSWERS = {
    "parse": {
        "right": {
            "grade by grade, in double": """
                H_C = torch.zeros(len(keys), len(queries), queries.shape[1], dtype=torch.float64)
                for b in range(len(keys)):
                    for g, q in enumerate(queries.double()):
                        w = torch.softmax(keys[b].double() @ q / len(q) ** 0.5, 0)
                        H_C[b, g] = (w[:, None] * values[b]).sum(0)
                M = torch.softmax(H_C.sum(2) / H_C.shape[2], 1)[..., None]
                return H_C, M, M * H_C - M * queries
            """,
            "einsum": """
                weights = torch.einsum("gd,bpd->bgp", queries, keys).div(queries.shape[-1] ** 0.5).exp()
                H_C = torch.einsum("bgp,bpd->bgd", weights, values) / weights.sum(-1)[..., None]
                M = H_C.mean(dim=2, keepdim=True).exp()
                M = M / M.sum(dim=1, keepdim=True)
                return H_C, M, (H_C - queries[None]) * M
            """,
        },
        "wrong": {
            "wrong axis: over the grades": (".softmax(-1)", ".softmax(1)"),
            "missing factor": (" / queries.shape[-1] ** 0.5", ""),
            "divided by the width": ("** 0.5", ""),
            "keys in place of values": ("attention @ values", "attention @ keys"),
            "no softmax": (".softmax(-1)", ""),
            "mask over the batch": (".softmax(1)", ".softmax(0)"),
            "mask over the features": (
                "H_C.mean(-1, keepdim=True).softmax(1)",
                "H_C.softmax(-1).mean(-1, keepdim=True)",
            ),
            "sigmoid mask": (".softmax(1)", ".sigmoid()"),
            "mask of the sum": ("H_C.mean(-1", "H_C.sum(-1"),
            "mask of the maximum": ("H_C.mean(-1, keepdim=True)", "H_C.amax(-1, keepdim=True)"),
            "uniform mask": (
                "H_C.mean(-1, keepdim=True).softmax(1)",
                "torch.full((*H_C.shape[:2], 1), 1 / H_C.shape[1])",
            ),
            "no difference": ("(H_C - queries)", "H_C"),
            "added": ("(H_C - queries)", "(H_C + queries)"),
            "masked before the difference": ("M * (H_C - queries)", "M * H_C - queries"),
            "no mask": ("M * (H_C", "(H_C"),
            "sign": ("(H_C - queries)", "(queries - H_C)"),
            "damages the values": ("attention = (", "values -= 1\nattention = ("),
            "hard-coded example": """
                H_C = values.mean(1, keepdim=True).expand(-1, len(queries), -1)
                return H_C, torch.full((len(values), len(queries), 1), 1 / len(queries)), H_C / len(queries)
            """,
            "random": """
                H_C = torch.randn(len(values), *queries.shape)
                return H_C, H_C.mean(-1, keepdim=True).softmax(1), H_C
            """,
        },
    },
    "angles": {
        "right": {
            "from chords, no arccos": """
                unit = torch.nn.functional.normalize(prototypes, dim=1)
                a, b = unit[:, None], unit[None]
                return 2 * torch.atan2((a - b).norm(dim=-1), (a + b).norm(dim=-1))
            """,
            "pair by pair, in double": """
                G, rows = prototypes.double(), []
                for a in G:
                    cosines = [(a @ b) / (a.norm() * b.norm()) for b in G]
                    rows.append(torch.stack([torch.acos(torch.clamp(c, -0.999999, 0.999999)) for c in cosines]))
                return torch.stack(rows)
            """,
        },
        "wrong": {
            "not clamped": (".clamp(-1 + 1e-6, 1 - 1e-6)", ".clamp(-1, 1)"),
            "clamped from above only": (".clamp(-1 + 1e-6, 1 - 1e-6)", ".clamp(-1, 1 - 1e-6)"),
            "clamped far too early": ("1e-6", "0.1"),
            "not normalised": ("prototypes / prototypes.norm(dim=1, keepdim=True)", "prototypes"),
            "wrong axis of the norm": ("dim=1, keepdim=True", "dim=0, keepdim=True"),
            "one norm for the matrix": ("prototypes.norm(dim=1, keepdim=True)", "prototypes.norm()"),
            "G'G in place of GG'": ("unit @ unit.T", "unit.T @ unit"),
            "cosines": (".arccos()", ""),
            "degrees": (".arccos()", ".arccos().rad2deg()"),
            "one minus the cosine": (
                "return (unit @ unit.T).clamp(-1 + 1e-6, 1 - 1e-6).arccos()",
                "return 1 - unit @ unit.T",
            ),
            "arc sine": (".arccos()", ".arcsin()"),
            "unsigned": ("(unit @ unit.T)", "(unit @ unit.T).abs()"),
            "cut off from the gradient": ("unit = prototypes /", "unit = prototypes.detach() /"),
            "normalises in place": ("unit =", "prototypes.data /= prototypes.data.norm(dim=1, keepdim=True)\nunit ="),
            "hard-coded example": "return torch.pi / 2 * torch.tensor([[0, 1, 2], [1, 0, 1], [2, 1, 0]])",
            "random": "return torch.rand(len(prototypes), len(prototypes))",
        },
    },
    "regulariser": {
        "right": {
            "term by term": """
                G, total = len(angle), 0.0
                for i in range(G):
                    js = [j for j in range(G) if j != i]
                    t, p = sum(abs(i - j) for j in js), sum(angle[i, j] for j in js)
                    for j in js:
                        share = abs(i - j) / t
                        total = total + share * (torch.log(torch.tensor(share)) - torch.log(angle[i, j] / p))
                return total / G
            """,
            "torch's kl_div, in double": """
                G = len(angle)
                i = torch.arange(G, dtype=torch.float64)
                T = (i[:, None] - i).abs()
                T = T / T.sum(1, keepdim=True)
                off = angle.double() * (1 - torch.eye(G, dtype=torch.float64))
                P = off / off.sum(1, keepdim=True) + torch.eye(G, dtype=torch.float64)
                return torch.nn.functional.kl_div(P.log(), T, reduction="batchmean")
            """,
        },
        "wrong": {
            "KL the other way round": ("(T * (T / P).log())", "(P * (P / T).log())"),
            "the sum over rows": (".sum(1).mean()", ".sum(1).sum()"),
            "the mean over all entries": (".sum(1).mean()", ".mean()"),
            "the diagonal left in": (
                "others = ~torch.eye(G, dtype=torch.bool)",
                "others = torch.ones(G, G, dtype=torch.bool)",
                "G - 1",
                "G",
            ),
            "normalised over the whole matrix": ("x.sum(1, keepdim=True)", "x.sum()"),
            "targets not normalised": (
                "T, P = (x / x.sum(1, keepdim=True) for x in (T, P))",
                "P = P / P.sum(1, keepdim=True)",
            ),
            "angles not normalised": (
                "T, P = (x / x.sum(1, keepdim=True) for x in (T, P))",
                "T = T / T.sum(1, keepdim=True)",
            ),
            "normalised over columns": ("x.sum(1, keepdim=True)", "x.sum(0, keepdim=True)"),
            "squared distances": (".abs()[others]", ".square()[others]"),
            "nearness in place of distance": (
                ".abs()[others].view(G, G - 1)",
                ".abs()[others].view(G, G - 1).float().reciprocal()",
            ),
            "unweighted": ("(T * (T / P).log())", "(T / P).log()"),
            "squares in place of KL": ("(T * (T / P).log())", "(T - P).square()"),
            "bits": (".log()", ".log2()"),
            "softmax shares": ("x / x.sum(1, keepdim=True) for", "(-x).softmax(1) for"),
            "cut off from the gradient": ("P = angle[", "P = angle.detach()["),
            "damages the angles": ("G = len(angle)", "angle += 0.01\nG = len(angle)"),
            "hard-coded example": "return 0.0 * angle.sum() if angle[0, 1] < angle[0, 2] else 0.1 + 0.0 * angle.sum()",
            "random": "return torch.rand(()) * angle.mean()",
        },
    },
}
