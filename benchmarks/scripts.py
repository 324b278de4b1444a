"""A gradient by hand, as users would write it: what the program's rounds are held against."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from mpi4py import MPI


def residual(loss: str, eta: Any, y: Any) -> Any:
    return (1 / (1 + np.exp(-eta)) if loss == "logistic" else eta) - y


def naive(comm: MPI.Intracomm, loss: str, x: Any, y: Any, w: Any, gradient: Any) -> None:
    """mpi4py and numpy."""
    comm.Allreduce(x.T @ residual(loss, x @ w, y), gradient)


def ddp(comm: MPI.Intracomm, store: Path, loss: str, x: Any, y: Any, w: Any) -> Callable[[], None]:
    """PyTorch's DistributedDataParallel over gloo, whose ranks meet in a file. Raises ImportError: there is no PyTorch."""
    import torch
    from torch import distributed
    from torch.nn.functional import binary_cross_entropy_with_logits, mse_loss

    torch.set_num_threads(1)
    if not distributed.is_initialized():
        distributed.init_process_group("gloo", init_method=f"file://{store}", rank=comm.rank, world_size=comm.size)
    layer = torch.nn.Linear(len(w), 1, dtype=torch.float64)
    layer.weight.data[0], layer.bias.data[0] = torch.from_numpy(w), 0.0
    model, rows, targets = torch.nn.parallel.DistributedDataParallel(layer), torch.from_numpy(x), torch.from_numpy(y)
    of = binary_cross_entropy_with_logits if loss == "logistic" else mse_loss

    def turn() -> None:
        model.zero_grad()
        of(model(rows)[:, 0], targets).backward()

    return turn
