"""Assignment 5."""

ANSWERS = {
    "nearest_subgrade": {
        "right": {
            "the nearest by distance": """
                h = fine.mean(1)
                return torch.cdist(torch.nn.functional.normalize(h, dim=1), E.T.contiguous()).argmin(1)
            """,
            "one routine at a time, in double": """
                found = []
                for rows in fine.double():
                    h = sum(rows) / len(rows)
                    products = [float(h @ E[:, j].double()) for j in range(E.shape[1])]
                    found.append(products.index(max(products)))
                return found
            """,
            "NumPy, the sum for the mean": """
                import numpy as np
                return np.einsum("bgd,dk->bk", fine.numpy(), E.numpy()).argmax(axis=1)
            """,
        },
        "wrong": {
            "arg max over the whole batch": (".argmax(1)", ".argmax().expand(len(fine))"),
            "wrong axis: over the routines": ("(fine.mean(1) @ E).argmax(1)", "(fine.mean(1) @ E).argmax(0)"),
            "the farthest": (".argmax(1)", ".argmin(1)"),
            "absolute products": ("(fine.mean(1) @ E)", "(fine.mean(1) @ E).abs()"),
            "averaged over the features": ("fine.mean(1)", "fine.mean(2, keepdim=True).mean(1).expand(-1, len(E))"),
            "the first grade alone": ("fine.mean(1)", "fine[:, 0]"),
            "the largest over grades": ("fine.mean(1)", "fine.amax(1)"),
            "every grade normalised first": ("fine.mean(1)", "torch.nn.functional.normalize(fine, dim=-1).mean(1)"),
            "off by one": (".argmax(1)", ".argmax(1).add(1).clamp(max=E.shape[1] - 1)"),
            "votes of the grades": ("(fine.mean(1) @ E).argmax(1)", "(fine @ E).argmax(2).mode(1).values"),
            "the mean of the grades' sub-grades": (
                "(fine.mean(1) @ E).argmax(1)",
                "(fine @ E).argmax(2).float().mean(1).round()",
            ),
            "rows of E in place of columns": ("@ E)", "@ E.T.reshape(E.shape))"),
            "damages the features": ("return", "fine -= fine.mean()\nreturn"),
            "hard-coded example": "return torch.arange(1, 1 + len(fine)) % E.shape[1]",
            "random": "return torch.randint(E.shape[1], (len(fine),))",
        },
    },
    "dot_regression_loss": {
        "right": {
            "routine by routine": """
                total = 0.0
                for x, j in zip(h, subgrade):
                    total = total + (torch.dot(x / x.norm(), E[:, j]) - 1) ** 2
                return total / (2 * len(h))
            """,
            "all cosines, then gather, in double": """
                cosines = torch.nn.functional.normalize(h.double(), dim=-1) @ E.double()
                target = cosines.gather(1, subgrade[:, None])
                return torch.nn.functional.mse_loss(target, torch.ones_like(target)) / 2
            """,
        },
        "wrong": {
            "missing factor one half": (" / 2", ""),
            "the sum": (".mean()", ".sum()"),
            "not normalised": (
                "h / h.norm(dim=1, keepdim=True)",
                "h / h.norm(dim=1, keepdim=True).detach()",
                "unit *",
                "h / h.norm(dim=1).max() *",
            ),
            "no normalisation at all": ("h / h.norm(dim=1, keepdim=True)", "h"),
            "wrong axis of the norm": ("dim=1, keepdim=True", "dim=0, keepdim=True"),
            "normalised by the batch": ("h.norm(dim=1, keepdim=True)", "h.norm()"),
            "the predicted prototype": ("cosine =", "subgrade = (unit @ E).argmax(1)\ncosine ="),
            "the mean over all prototypes": ("(unit * E[:, subgrade].T).sum(1)", "(unit @ E).mean(1)"),
            "absolute error": (".square()", ".abs()"),
            "towards the opposite": ("(cosine - 1)", "(cosine + 1)"),
            "one minus the cosine": ("(cosine - 1).square().mean() / 2", "(1 - cosine).mean()"),
            "squared distance of coordinates": (
                "(cosine - 1).square().mean() / 2",
                "(unit - E[:, subgrade].T).square().mean() / 2",
            ),
            "the neighbouring prototype": ("E[:, subgrade]", "E[:, (subgrade + 1) % E.shape[1]]"),
            "cut off from the gradient": ("unit = h", "unit = h.detach()"),
            "the norm cut off from the gradient": (
                "h.norm(dim=1, keepdim=True)",
                "h.detach().norm(dim=1, keepdim=True)",
            ),
            "damages the features": ("unit = h", "h.data /= h.data.norm(dim=1, keepdim=True)\nunit = h"),
            "hard-coded example": "return 0.0 * h.sum() if h.max() > 5 else 0.5 + 0.0 * h.sum()",
            "random": "return torch.rand(()) * h.square().mean()",
        },
    },
    "soft_score": {
        "right": {
            "routine by routine, in double": """
                scores = []
                for a, b in zip(grade_logits.double(), subgrade_logits.double()):
                    a, b = torch.exp(a) / torch.exp(a).sum(), torch.exp(b) / torch.exp(b).sum()
                    e, f = (sum(i * x for i, x in enumerate(y)) for y in (a, b))
                    scores.append(low + (high - low) / len(a) * (e + (f + 0.5) / len(b)))
                return torch.stack(scores)
            """,
            "every level's probability times its middle": """
                p = grade_logits.softmax(1)[:, :, None] * subgrade_logits.softmax(1)[:, None]
                n = p[0].numel()
                middles = low + (high - low) * (torch.arange(n) + 0.5) / n
                return (p.flatten(1) * middles).sum(1)
            """,
        },
        "wrong": {
            "arg max of the grade": (
                "grade_logits.softmax(1) @ torch.arange(G).to(grade_logits)",
                "grade_logits.argmax(1)",
            ),
            "arg max of the sub-grade": (
                "subgrade_logits.softmax(1) @ torch.arange(K).to(subgrade_logits)",
                "subgrade_logits.argmax(1)",
            ),
            "the lower edge": (" + 0.5", ""),
            "wrong axis of the softmax": (
                "grade_logits.softmax(1) @ torch.arange(G).to(grade_logits)\nsubgrade",
                "grade_logits.softmax(0) @ torch.arange(G).to(grade_logits)\nsubgrade",
            ),
            "no softmax": ("subgrade_logits.softmax(1)", "subgrade_logits"),
            "the scale's beginning forgotten": ("return low + ", "return "),
            "divided by high": ("(high - low)", "high"),
            "counted from 1": ("torch.arange(G)", "torch.arange(1, G + 1)"),
            "grades and sub-grades swapped": ("(grade * K + subgrade + 0.5)", "(subgrade * G + grade + 0.5)"),
            "missing factor": ("grade * K", "grade"),
            "the grade alone": ("grade * K + subgrade + 0.5", "grade * K + K / 2"),
            "a sharper softmax": ("grade_logits.softmax(1)", "(3 * grade_logits).softmax(1)"),
            "log-softmax": ("grade_logits.softmax(1)", "grade_logits.log_softmax(1)"),
            "cut off from the gradient": ("return low", "grade = grade.detach()\nreturn low"),
            "damages the logits": ("G, K =", "grade_logits.data -= grade_logits.data.amax(1, keepdim=True)\nG, K ="),
            "hard-coded example": "return 15.25 + 0.0 * grade_logits.sum(1) + 0.0 * subgrade_logits.sum(1)",
            "random": "return low + (high - low) * torch.rand(len(grade_logits))",
        },
    },
    "train": {
        "right": {
            "a loop over starts, the rate by hand": """
                import math
                rows = data.rows("train").tolist()
                optimiser = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
                generator, losses = torch.Generator().manual_seed(1000 + seed), []
                for epoch in range(epochs):
                    for group in optimiser.param_groups:
                        group["lr"] = lr * (1 + math.cos(math.pi * epoch / epochs)) / 2
                    order = [rows[i] for i in torch.randperm(len(rows), generator=generator)]
                    model.train()
                    total, n = 0.0, 0
                    for start in range(0, len(order), 32):
                        b = torch.tensor(order[start : start + 32])
                        model.zero_grad()
                        out = model(data.features[b], data.lengths[b])
                        loss = model.loss(out, data.scores[b].to(torch.float32))["total"]
                        loss.backward()
                        torch.nn.utils.clip_grad_norm_(model.parameters(), 10)
                        optimiser.step()
                        total, n = total + float(loss.detach()) * len(b), n + len(b)
                    losses.append(total / n)
                model.train(False)
                return losses
            """,
            "torch's own loader": """
                import math
                from torch.utils.data import DataLoader, TensorDataset
                rows = data.rows("train")
                tensors = TensorDataset(data.features[rows], data.lengths[rows], data.scores[rows].float())
                loader = DataLoader(tensors, 32, shuffle=True, generator=torch.Generator().manual_seed(seed))
                optimiser = torch.optim.SGD(model.parameters(), lr, 0.9)
                half_cosine = lambda e: (1 + math.cos(math.pi * e / epochs)) / 2
                cosine = torch.optim.lr_scheduler.LambdaLR(optimiser, half_cosine)
                history = torch.zeros(epochs)
                model.train()
                for epoch in range(epochs):
                    for features, lengths, scores in loader:
                        optimiser.zero_grad()
                        loss = model.loss(model(features, lengths), scores)["total"]
                        loss.backward()
                        torch.nn.utils.clip_grad_norm_(model.parameters(), 10.0)
                        optimiser.step()
                        history[epoch] += loss.item() / len(loader)
                    cosine.step()
                model.eval()
                return history
            """,
            "momentum, rate and clipping by hand": """
                import math
                rows, draw, losses = data.rows("train"), torch.Generator().manual_seed(seed), []
                velocity = [torch.zeros_like(p) for p in model.parameters()]
                model.train()
                for epoch in range(epochs):
                    rate = lr * math.cos(math.pi * epoch / max(epochs - 1, 1) / 2) ** 2
                    found = []
                    for b in rows[torch.randperm(len(rows), generator=draw)].split(32):
                        loss = model.loss(model(data.features[b], data.lengths[b]), data.scores[b].float())["total"]
                        gradients = torch.autograd.grad(loss, list(model.parameters()), allow_unused=True)
                        gradients = [torch.zeros(()) if g is None else g for g in gradients]
                        norm = math.sqrt(sum(float(g.double().square().sum()) for g in gradients))
                        with torch.no_grad():
                            for p, v, g in zip(model.parameters(), velocity, gradients):
                                v.mul_(0.9).add_(rate * g * min(1, 10 / max(norm, 1e-12)))
                                p -= v
                        found.append(float(loss.detach()))
                    losses.append(sum(found) / len(found))
                model.eval()
                return losses
            """,
        },
        "wrong": {
            "gradients pile up": ("optimiser.zero_grad()", "pass"),
            "no step": ("optimiser.step()", "pass"),
            "uphill": ("loss.backward()", "(-loss).backward()"),
            "trains on the test routines too": ('data.rows("train")', "torch.arange(len(data))"),
            "trains on the test routines instead": ('data.rows("train")', 'data.rows("test")'),
            "the first batch only": (".split(32)", ".split(32)[:1]"),
            "the last batch dropped": (".split(32)", ".split(32)[:-1]"),
            "one batch of all": (".split(32)", ".split(10_000)"),
            "batches of 16": (".split(32)", ".split(16)"),
            "never shuffled": ("rows[torch.randperm(len(rows), generator=draw)]", "rows"),
            "shuffled once": (
                "rows[torch.randperm(len(rows), generator=draw)]",
                "rows[torch.randperm(len(rows), generator=draw.manual_seed(seed))]",
            ),
            "the seed ignored": ("manual_seed(seed)", "manual_seed(0)"),
            "no seed at all": (", generator=draw", ""),
            "with replacement": (
                "torch.randperm(len(rows), generator=draw)",
                "torch.randint(len(rows), (len(rows),), generator=draw)",
            ),
            "in evaluation mode": ("model.train()", "model.eval()"),
            "left in training mode": ("model.eval()", "pass"),
            "the rate never falls": ("falling.step()", "pass"),
            "the rate falls each batch": ("of_epoch.append(", "falling.step()\n        of_epoch.append("),
            "no momentum": (", momentum=0.9", ""),
            "Nesterov's momentum": ("momentum=0.9", "momentum=0.9, nesterov=True"),
            "dampened momentum": ("momentum=0.9", "momentum=0.9, dampening=0.1"),
            "weight decay": ("momentum=0.9", "momentum=0.9, weight_decay=0.01"),
            "a little weight decay": ("momentum=0.9", "momentum=0.9, weight_decay=1e-4"),
            "the rate falls along a line": (
                "CosineAnnealingLR(optimiser, epochs)",
                "LambdaLR(optimiser, lambda e: 1 - e / epochs)",
            ),
            "the rate falls exponentially": ("CosineAnnealingLR(optimiser, epochs)", "ExponentialLR(optimiser, 0.7)"),
            "the rate falls along a whole cosine": ("(optimiser, epochs)", "(optimiser, epochs / 2)"),
            "never shortened": ("torch.nn.utils.clip_grad_norm_(model.parameters(), 10.0)", "pass"),
            "shortened to 1": ("model.parameters(), 10.0", "model.parameters(), 1.0"),
            "shortened to 20": ("model.parameters(), 10.0", "model.parameters(), 20.0"),
            "each value cut off": ("clip_grad_norm_", "clip_grad_value_"),
            "shortened after the step": (
                "torch.nn.utils.clip_grad_norm_(model.parameters(), 10.0)\n        optimiser.step()",
                "optimiser.step()\n        torch.nn.utils.clip_grad_norm_(model.parameters(), 10.0)",
            ),
            "summed losses": ("sum(of_epoch) / len(of_epoch)", "sum(of_epoch)"),
            "the last batch's loss": ("sum(of_epoch) / len(of_epoch)", "of_epoch[-1]"),
            "losses divided by the routines": ("/ len(of_epoch)", "/ len(rows)"),
            "only one epoch": ("range(epochs)", "range(1)"),
            "no losses": ("return losses", "return None"),
            "lengths of other routines": ("data.lengths[batch]", "data.lengths[batch] * 0 + data.lengths.min() - 1"),
            "hard-coded losses": """
                for p in model.parameters():
                    p.data += 1e-3
                model.eval()
                return [1 / (1 + e) for e in range(epochs)]
            """,
        },
    },
}
