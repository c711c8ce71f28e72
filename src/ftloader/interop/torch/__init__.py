"""What ftloader does with torch: measures training steps, and asks devices for their memory.

Needs torch (``pip install ftloader[torch]``).
"""

from ftloader.interop.torch.calibrate import calibrate, grid, observe, synthetic_batch
from ftloader.interop.torch.devices import device_budget, smallest_over_ranks
from ftloader.interop.torch.memory import PeakMemory, SteadyAllocator

__all__ = [
    "PeakMemory",
    "SteadyAllocator",
    "calibrate",
    "device_budget",
    "grid",
    "observe",
    "smallest_over_ranks",
    "synthetic_batch",
]
