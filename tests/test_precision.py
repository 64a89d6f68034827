"""What a CPU does where a GPU would multiply in tf32."""

import math

import torch
from hypothesis import given
from hypothesis import strategies as st

from cofinal_lib.precision import ten_bits, tf32


@given(st.floats(width=32, allow_nan=False, allow_infinity=False).filter(lambda x: 1e-30 < abs(x) < 1e30))
def test_ten_bits_are_the_nearest_ten_bits(x):
    mantissa, exponent = math.frexp(x)  # 0.5 <= |mantissa| < 1: the first bit is not stored, ten more are
    away = math.copysign(math.floor(abs(mantissa) * 2048 + 0.5), x)  # of two as near, the larger
    assert float(ten_bits(torch.tensor(x))) == math.ldexp(away, exponent - 11)


def test_what_is_not_finite_and_what_is_not_float32_stays():
    bits = torch.tensor([0x7F800000, -0x800000, 0x7FC00000, 0x7FFFFFFF, 0x7F800001, 0], dtype=torch.int32)
    odd = bits.view(torch.float32)  # both infinities, three ways to write NaN, zero
    assert torch.equal(ten_bits(odd).isnan(), odd.isnan()) and torch.equal(ten_bits(odd)[:2], odd[:2])
    assert ten_bits(odd)[-1] == 0
    x = torch.rand(5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert ten_bits(x) is x


def test_every_product_of_either_pass_is_rounded_and_none_outside():
    draw = torch.Generator().manual_seed(0)
    x, w = torch.randn(4, 6, generator=draw), torch.randn(5, 6, generator=draw, requires_grad=True)
    b, v = torch.randn(5, generator=draw), torch.randn(4, 5, generator=draw)
    exact = torch.nn.functional.linear(x, w, b)
    with tf32(True, "cpu"):
        out = torch.nn.functional.linear(x, w, b)
        batched = torch.func.vmap(lambda x, w: w @ x)(x, w.detach().expand(4, -1, -1))
        out.backward(v)
    assert torch.allclose(out, ten_bits(x) @ ten_bits(w).mT + b, atol=1e-6)
    assert not torch.allclose(out, exact, atol=1e-5)
    assert torch.allclose(w.grad, ten_bits(v).mT @ ten_bits(x), atol=1e-6)
    assert torch.allclose(batched, ten_bits(x) @ ten_bits(w).mT, atol=1e-6)
    assert torch.equal(torch.nn.functional.linear(x, w, b), exact)


def test_attention_of_several_heads_is_rounded_too():
    q, k, v = torch.randn(3, 2, 4, 5, 8, generator=torch.Generator().manual_seed(0))  # batch, heads, length, width
    with tf32(True, "cpu"):
        rounded = torch.nn.functional.scaled_dot_product_attention(q, k, v)
    apart = (rounded - torch.nn.functional.scaled_dot_product_attention(q, k, v)).abs().max()
    assert 1e-5 < apart < 1e-2
