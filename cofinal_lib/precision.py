"""Fewer digits in training's matrix products: tf32 and bf16."""

from contextlib import contextmanager, nullcontext

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode

aten = torch.ops.aten


@contextmanager
def tf32(wanted: bool, device: str):
    """Matrix products inside, of either pass, have 10 bits of mantissa; a CPU rounds the same and takes longer.

    A GPU older than tf32 multiplies in full. On a CPU convolutions and `nn.LSTM`, which are fused, are left in full.
    """
    if wanted and device == "cpu":
        with sdpa_kernel(SDPBackend.MATH), _TenBits():  # attention, too, as products that can be rounded
            yield
        return
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if wanted else before)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


class _TenBits(TorchDispatchMode):
    """Rounds what float32 matrix products multiply, to nearest; their sums stay in full, as in a GPU's tf32."""

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        if operation.overloadpacket in (aten.mm, aten.bmm, aten.addmm, aten.baddbmm):
            *added, a, b = args
            args = (*added, ten_bits(a), ten_bits(b))
        return operation(*args, **(kwargs or {}))


def ten_bits(x: Tensor) -> Tensor:
    """The nearest numbers with 10 bits of mantissa, of float32 numbers; others stay as they are."""
    if x.dtype != torch.float32:
        return x
    rounded = (x.view(torch.int32) + 0x1000).bitwise_and_(-0x2000).view(torch.float32)  # 13 of 23 bits go
    return torch.where(x.isnan(), x, rounded)


def bf16(wanted: bool, device: str):
    """A forward pass inside, and so its backward pass, has matrix products of 7 bits of mantissa."""
    return torch.autocast(device, torch.bfloat16) if wanted else nullcontext()


def upcast(out: dict[str, Tensor], dtype: torch.dtype) -> dict[str, Tensor]:
    """Outputs as the loss wants them, whatever the products inside were."""
    return {name: value.to(dtype) if value.is_floating_point() else value for name, value in out.items()}
