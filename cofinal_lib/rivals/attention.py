"""One-headed attention with its four linear maps multiplied out in pairs: the same numbers for half the work."""

import math

import torch
from torch import nn
from torch.nn.functional import linear

from cofinal_lib.dropout import Dropout


def faster(transformer: nn.Transformer) -> None:
    """Let a transformer's attention of one head train as `OneHead`, and its dropout as ours; parameters stay."""
    for child in list(transformer.modules()):
        if type(child) is nn.MultiheadAttention and child.num_heads == 1:
            child.__class__ = OneHead
            child.drop = Dropout(child.dropout)
        elif type(child) is nn.Dropout:
            child.__class__ = Dropout


class OneHead(nn.MultiheadAttention):
    """`nn.MultiheadAttention` of one head, batch first, that trains faster.

    With one head, queries and keys meet only in (Wq x + bq)'(Wk y + bk). The part with bk is the same for every key y
    and vanishes in the softmax; the rest is (Wk'Wq x + Wk'bq)'y: one map of the queries, none of the keys. Likewise
    Wo (A V) is (A y) (Wo Wv)': one map of what was attended, none of the values. Two maps of the D x D weights pay for
    it, once a batch. In evaluation it stays as its authors wrote it, which is what Table 2 counts.
    """

    def forward(self, query, key, value, key_padding_mask=None, need_weights=True, **given):
        """As nn.MultiheadAttention: (B, L, D), (B, C, D), (B, C, D) -> (B, L, D); attention is not returned."""
        if not self.training:
            return super().forward(query, key, value, key_padding_mask, need_weights, **given)
        Wq, Wk, Wv = self.in_proj_weight.chunk(3)  # (D, D) each
        bq, _, bv = self.in_proj_bias.chunk(3)
        Wo, bo = self.out_proj.weight, self.out_proj.bias
        asked = linear(query, Wk.T @ Wq, Wk.T @ bq)  # (B, L, D)
        logits = asked @ key.mT / math.sqrt(self.embed_dim)  # (B, L, C)
        if key_padding_mask is not None:  # an encoder's layers hand it on as 0 and -inf, a decoder's as False and True
            hidden = key_padding_mask if key_padding_mask.dtype == torch.bool else key_padding_mask < 0
            logits = logits.masked_fill(hidden[:, None], -torch.inf)
        attention = self.drop(logits.softmax(-1))
        # Rows that lost entries to dropout no longer sum to 1, so V's bias comes with their sum.
        return linear(attention @ value, Wo @ Wv, bo) + attention.sum(-1, keepdim=True) * (Wo @ bv), None
