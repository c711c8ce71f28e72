"""What ftloader does with torch: its ``DataLoader`` on threads, tensors, memory of training steps.

Needs torch (``pip install ftloader[torch]``).
"""

try:
    import torch as _torch  # noqa: F401
except ModuleNotFoundError as error:
    raise ImportError(
        "this needs torch, which is not installed: pip install 'ftloader[torch]'"
    ) from error

from ftloader.interop.torch.calibrate import calibrate, grid, observe, synthetic_batch
from ftloader.interop.torch.dataloader import DataLoader
from ftloader.interop.torch.devices import device_budget, smallest_over_ranks
from ftloader.interop.torch.memory import PeakMemory, SteadyAllocator
from ftloader.interop.torch.transfer import TensorBatch, tensors, to_device

__all__ = [
    "DataLoader",
    "PeakMemory",
    "SteadyAllocator",
    "TensorBatch",
    "calibrate",
    "device_budget",
    "grid",
    "observe",
    "smallest_over_ranks",
    "synthetic_batch",
    "tensors",
    "to_device",
]
