"""Assignment 3."""

ANSWERS = {
    "clip_mask": {
        "right": {
            "row by row": """
                mask = torch.zeros(len(lengths), n_clips, dtype=torch.bool)
                for b, length in enumerate(lengths.tolist()):
                    mask[b, :length] = True
                return mask
            """,
            "NumPy": """
                import numpy as np
                return np.arange(n_clips)[None] < np.asarray(lengths)[:, None]
            """,
            "counted down": """
                return torch.ones(len(lengths), n_clips, dtype=torch.int16).cumsum(1) <= lengths[:, None]
            """,
        },
        "wrong": {
            "off by one": ("<", "<="),
            "inverted": ("<", ">="),
            "one clip short": ("< lengths", "< -1 + lengths"),
            "transposed": (
                "return torch.arange(n_clips) < lengths[:, None]",
                "return (torch.arange(n_clips) < lengths[:, None]).T",
            ),
            "the longest routine's for all": ("lengths[:, None]", "lengths.max().expand(len(lengths), 1)"),
            "the first routine's for all": ("lengths[:, None]", "lengths[0].expand(len(lengths), 1)"),
            "counted from the end": ("torch.arange(n_clips)", "torch.arange(n_clips).flip(0)"),
            "zeros and ones": (
                "return torch.arange(n_clips) < lengths[:, None]",
                "return (torch.arange(n_clips) < lengths[:, None]).float()",
            ),
            "everything exists": (
                "return torch.arange(n_clips) < lengths[:, None]",
                "return torch.ones(len(lengths), n_clips, dtype=torch.bool)",
            ),
            "damages the lengths": ("return", "lengths -= 1\nlengths[0] += 1\nreturn"),
            "hard-coded example": "return torch.tensor([[True, True, False, False], [True, True, True, False]])",
            "random": "return torch.rand(len(lengths), n_clips) < 0.5",
        },
    },
    "segment_means": {
        "right": {
            "a matrix of weights": """
                p, c, L = torch.arange(n_segments), torch.arange(features.shape[1]), lengths[:, None]
                first, end = p * L // n_segments, -((p + 1) * L // -n_segments)
                inside = (c >= first[..., None]) & (c < end[..., None])
                weights = inside / inside.sum(-1, keepdim=True)
                clean = torch.where((c < L)[..., None], features, torch.zeros(()))
                return weights.to(clean.dtype) @ clean
            """,
            "torch's own pooling, routine by routine, in double": """
                pool = torch.nn.AdaptiveAvgPool1d(n_segments)
                return torch.stack([pool(x[:n].double().T).T for x, n in zip(features, lengths.tolist())])
            """,
            "running sums": """
                out = torch.empty(len(features), n_segments, features.shape[2])
                for b, L in enumerate(lengths.tolist()):
                    sums = torch.cat([torch.zeros(1, features.shape[2]), features[b, :L].cumsum(0)])
                    for p in range(n_segments):
                        first, end = p * L // n_segments, ((p + 1) * L + n_segments - 1) // n_segments
                        out[b, p] = (sums[end] - sums[first]) / (end - first)
                return out
            """,
        },
        "wrong": {
            "missing mask: all places count": (
                "in zip(features, lengths.tolist(), strict=True)",
                "in zip(features, [features.shape[1]] * len(lengths), strict=True)",
            ),
            "the longest routine's segments for all": (
                "in zip(features, lengths.tolist(), strict=True)",
                "in zip(features.nan_to_num(), [int(lengths.max())] * len(lengths), strict=True)",
            ),
            "ends rounded down": (
                "-(-(p + 1) * length // n_segments)",
                "max((p + 1) * length // n_segments, p * length // n_segments + 1)",
            ),
            "starts rounded up": ("p * length // n_segments, -(", "min(-(-p * length // n_segments), length - 1), -("),
            "sums": (".mean(0)", ".sum(0)"),
            "wrong axis": (".mean(0)", ".mean(1, keepdim=True).mean(0).expand(clips.shape[1])"),
            "the middle clip": ("clips[first:end].mean(0)", "clips[(first + end) // 2]"),
            "the maximum": (".mean(0)", ".amax(0)"),
            "reversed": ("return torch.stack(routines)", "return torch.stack(routines).flip(1)"),
            "equal pieces, the rest dropped": (
                "-(-(p + 1) * length // n_segments)",
                "p * length // n_segments + max(length // n_segments, 1)",
            ),
            "divided by the longest segment": (
                "clips[first:end].mean(0)",
                "clips[first:end].sum(0) / -(-length // n_segments)",
            ),
            "zero times NaN": """
                p, c, L = torch.arange(n_segments), torch.arange(features.shape[1]), lengths[:, None]
                first, end = p * L // n_segments, -((p + 1) * L // -n_segments)
                inside = (c >= first[..., None]) & (c < end[..., None])
                return (inside / inside.sum(-1, keepdim=True)) @ features
            """,
            "cleans the batch in place": (
                "routines = []",
                "for b, n in enumerate(lengths.tolist()):\n    features[b, n:] = 0\nroutines = []",
            ),
            "hard-coded example": "return torch.tensor([[[2.0], [6.0]], [[2.0], [4.0]]])",
            "random": "return torch.randn(len(features), n_segments, features.shape[2])",
        },
    },
    "fuse": {
        "right": {
            "routine by routine, in double": """
                H, attention = [], torch.zeros(len(keys), queries.shape[1], keys.shape[1])
                for b, n in enumerate(lengths.tolist()):
                    w = torch.softmax(queries[b].double() @ keys[b, :n].double().T / keys.shape[2] ** 0.5, dim=1)
                    attention[b, :, :n] = w.float()
                    H.append(w @ values[b, :n].double())
                return torch.stack(H), attention
            """,
            "exponentials by hand": """
                exists = (torch.arange(keys.shape[1]) < lengths[:, None])[:, None]
                logits = torch.einsum("bpd,bcd->bpc", queries, keys.nan_to_num()) / keys.shape[-1] ** 0.5
                logits = logits - logits.amax(-1, keepdim=True)
                weights = torch.where(exists, logits.exp(), torch.zeros(()))
                weights = weights / weights.sum(-1, keepdim=True)
                return torch.einsum("bpc,bcd->bpd", weights, values.nan_to_num()), weights
            """,
            "torch's own attention": """
                exists = torch.arange(keys.shape[1]) < lengths[:, None]
                k, v = (torch.where(exists[..., None], x, torch.zeros(())) for x in (keys, values))
                attend = torch.nn.functional.scaled_dot_product_attention
                mask = exists[:, None].expand(-1, queries.shape[1], -1)
                one_hot = torch.eye(keys.shape[1]).expand(len(keys), -1, -1)
                return attend(queries, k, v, attn_mask=mask), attend(queries, k, one_hot, attn_mask=mask)
            """,
        },
        "wrong": {
            "missing mask": ("logits.masked_fill(~exists[:, None], -torch.inf)", "logits"),
            "mask of zeros in the logits": ("-torch.inf)", "0.0)"),
            "a mask that is not low enough": ("-torch.inf)", "-5.0)"),
            "masked after the softmax, not renormalised": (
                "logits.masked_fill(~exists[:, None], -torch.inf).softmax(-1)",
                "logits.softmax(-1) * exists[:, None]",
            ),
            "inverted mask": ("masked_fill(~exists[:, None]", "masked_fill(exists[:, None]"),
            "off by one clip": ("torch.arange(keys.shape[1]) < lengths", "torch.arange(keys.shape[1]) <= lengths"),
            "missing factor": (" / keys.shape[-1] ** 0.5", ""),
            "divided by the width, not its root": ("** 0.5", ""),
            "divided by the root of the clips": ("keys.shape[-1] ** 0.5", "keys.shape[1] ** 0.5"),
            "wrong axis of the softmax": (".softmax(-1)", ".softmax(1).nan_to_num()"),
            "keys in place of values": ("return attention @ values", "return attention @ keys"),
            "NaN leaks": ("keys, values = (x.masked_fill(~exists[..., None], 0.0) for x in (keys, values))", ""),
            "zeroes the padding in place": (
                "keys, values = (x.masked_fill(~exists[..., None], 0.0) for x in (keys, values))",
                "keys[~exists] = 0\nvalues[~exists] = 0",
            ),
            "sigmoid": (
                "logits.masked_fill(~exists[:, None], -torch.inf).softmax(-1)",
                "logits.masked_fill(~exists[:, None], -torch.inf).sigmoid()",
            ),
            "hardest attention": (".softmax(-1)", ".softmax(-1).round()"),
            "uniform attention": ("logits = queries", "logits = 0 * queries"),
            "hard-coded example": "return torch.tensor([[[2.0, 0.0]] * 4]), torch.tensor([[[0.5, 0.5, 0.0]] * 4])",
            "random": "return torch.randn(queries.shape), torch.rand(*queries.shape[:2], keys.shape[1]).softmax(-1)",
        },
    },
}
