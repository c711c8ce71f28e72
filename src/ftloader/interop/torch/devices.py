"""The memory budget of a CUDA device, the same on every rank.

Needs torch; the budget needs a CUDA device, the agreement between ranks does not.
"""

from __future__ import annotations

from fractions import Fraction
from types import MappingProxyType
from typing import Any

import torch
from torch import distributed

from ftloader.batching.budgets import Budget, require_fraction
from ftloader.errors import PlanError


def device_budget(device: Any = None, fraction: float = 0.9, static: int = 0) -> Budget:
    """Find out how many bytes a training step may take on a CUDA device.

    ``fraction · (total - other) - static``, where ``other`` is what other processes and the CUDA
    context take: ``total - free - reserved by this process's allocator``. In a distributed run it
    is the least of all ranks, agreed on in one all-reduce, so that all plan alike: every rank must
    call it.

    Args:
        device: what ``torch.device`` takes; ``None`` is the current CUDA device.
        fraction: of the memory that may be used, above 0 and up to 1; the rest is for
            fragmentation.
        static: bytes that the cost model does not count but the run needs, such as optimizer state
            that is not there yet.

    Raises:
        PlanError: there is no such device, an option cannot be, or nothing is left on one rank.
    """
    require_fraction(fraction)
    if static < 0:
        raise PlanError(f"static must be a number of bytes from 0 on, not {static}")
    if not torch.cuda.is_available():
        raise PlanError("device budget: there is no CUDA device here; give the budget itself")
    chosen = torch.device("cuda" if device is None else device)
    if chosen.type != "cuda":
        raise PlanError(f"device budget: {chosen} is no CUDA device; use host_budget for the host")
    free, total = torch.cuda.mem_get_info(chosen)
    ours = int(free) + int(torch.cuda.memory_reserved(chosen))  # total - other
    own = max(0, int(Fraction(fraction) * ours) - static)
    least = smallest_over_ranks(own)
    source = f"{fraction:g} of {ours} bytes that {chosen} has for this process"
    source += f", less {static}" if static else ""
    source += f"; another rank has only {least}" if least < own else ""
    if least < 1:
        raise PlanError(f"no device memory left to plan with: {source}")
    return Budget(least, source, MappingProxyType({"total": int(total), "free": int(free)}))


def smallest_over_ranks(value: int, group: Any = None) -> int:
    """Return the least value of all ranks; without a distributed run, the value itself.

    Every rank of the group must call it, or those that do wait for the others.

    Args:
        value: of this rank, below 2**63.
        group: a process group; ``None`` is all ranks.
    """
    if not (distributed.is_available() and distributed.is_initialized()):
        return value
    # NCCL reduces tensors of devices only, gloo those of the host.
    nccl = "nccl" in str(distributed.get_backend(group))
    least = torch.tensor([value], dtype=torch.int64, device="cuda" if nccl else "cpu")
    distributed.all_reduce(least, distributed.ReduceOp.MIN, group=group)
    return int(least.item())
