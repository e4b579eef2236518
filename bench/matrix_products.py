"""The machine's peak speed, measured with large matrix products."""

import torch

from bench.base import autocast, pick_device
from bench.settings import Settings
from bench.ways import Way

PRODUCTS = 8


def matrix_products(settings: Settings) -> Way:
    """Return the way that multiplies square matrices one after the other."""
    device = pick_device(settings)
    size = 2048 if device.type == "cpu" else 8192
    left, right = (torch.randn(size, size, device=device) for _ in range(2))

    def multiply(times: int) -> None:
        with torch.no_grad(), autocast(settings, device):
            for _ in range(times):
                torch.matmul(left, right)

    return Way(
        questions=0,
        tokens=0,
        configuration=f"{PRODUCTS} products of {size} x {size} matrices",
        warm_up=lambda: multiply(1),
        run=lambda: multiply(PRODUCTS),
        model_flops=float(PRODUCTS * 2 * size**3),
        hardware_flops=float(PRODUCTS * 2 * size**3),
    )
