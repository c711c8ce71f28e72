"""From NumPy batches to tensors, and to a device while the batch before is in use.

Pixels stay uint8 until they are where they are used: a quarter of the bytes to move. The tensors of
a batch show its arrays, and keep its buffer from being used again as long as they live.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import torch

from ftloader.batching.collate import PaddedBatch
from ftloader.batching.ranks import PlannedBatch


@dataclass(frozen=True, slots=True, eq=False)
class TensorBatch:
    """A batch of detection samples as tensors.

    Attributes:
        images: (n, 3, H, W), in channels-last memory format; uint8, or floating point on its way
            through :func:`to_device`.
        sizes: int32 (n, 2), width and height of each image without padding, pixels.
        boxes: for each image float32 (N, 4), ``x1, y1, x2, y2`` in pixels.
        labels: for each image int64 (N,).
        crowd: for each image bool (N,).
        image_ids: int64 (n,).
        planned: what was planned, with the weights for the loss; None where nothing was.
    """

    images: torch.Tensor
    sizes: torch.Tensor
    boxes: tuple[torch.Tensor, ...]
    labels: tuple[torch.Tensor, ...]
    crowd: tuple[torch.Tensor, ...]
    image_ids: torch.Tensor
    planned: PlannedBatch | None

    def __len__(self) -> int:
        """How many images it has."""
        return len(self.images)

    @property
    def mask(self) -> torch.Tensor:
        """bool (n, H, W), true where there is padding, as transformers want it."""
        height, width = self.images.shape[2:]
        rows = torch.arange(height, device=self.images.device)
        columns = torch.arange(width, device=self.images.device)
        outside_x = columns[None, None, :] >= self.sizes[:, 0, None, None]
        outside_y = rows[None, :, None] >= self.sizes[:, 1, None, None]
        return outside_x | outside_y


def tensors(batch: PaddedBatch) -> TensorBatch:
    """Show a batch as tensors on the host, without copying a pixel.

    Annotations are copied: they are small, and other batches may share them.
    """
    return TensorBatch(
        images=torch.from_numpy(batch.images).permute(0, 3, 1, 2),
        sizes=torch.from_numpy(batch.sizes),
        boxes=tuple(torch.tensor(boxes) for boxes in batch.boxes),
        labels=tuple(torch.tensor(labels) for labels in batch.labels),
        crowd=tuple(torch.tensor(crowd) for crowd in batch.crowd),
        image_ids=torch.from_numpy(batch.image_ids),
        planned=batch.planned,
    )


def to_device(
    batches: Iterable[PaddedBatch],
    device: torch.device | str,
    *,
    dtype: torch.dtype | None = torch.float32,
    scale: float = 1 / 255,
) -> Iterator[TensorBatch]:
    """Yield batches on a device, each copied while the one before is in use.

    On CUDA the copy goes through pinned memory on a stream of its own, so that it runs beside the
    training step; on the CPU nothing is copied but for a change of ``dtype``.

    Args:
        batches: of a loader.
        device: where to.
        dtype: of the images there: float32, or bfloat16 or float16 for mixed precision; None leaves
            uint8, for models that normalise on the device themselves.
        scale: what pixels are multiplied with when they become floating point.

    Thread safety: for one consumer thread.
    """
    mover = _Mover(torch.device(device), dtype, scale)
    if mover.device.type != "cuda":
        return (mover.moved(tensors(batch), mover.copy) for batch in batches)
    return _one_ahead(mover, iter(batches))


class _Mover:
    """Moves one batch after the other."""

    def __init__(self, device: torch.device, dtype: torch.dtype | None, scale: float) -> None:
        self.device = device
        self._dtype, self._scale = dtype, scale

    def copy(self, tensor: torch.Tensor) -> torch.Tensor:
        """Return a tensor on the device; the same one if it is there."""
        return tensor.to(self.device)

    def pinned_copy(self, tensor: torch.Tensor) -> torch.Tensor:
        """Return a tensor that will be on the device when its stream has come so far."""
        return tensor.pin_memory().to(self.device, non_blocking=True)

    def moved(
        self, batch: TensorBatch, move: Callable[[torch.Tensor], torch.Tensor]
    ) -> TensorBatch:
        """Return a batch on the device, with pixels of the type wanted."""
        # As the array lies in memory, and seen as torch wants it again there.
        images = move(batch.images.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        if self._dtype is not None:
            whole = not images.is_floating_point()
            images = images.to(self._dtype)
            images = images.mul_(self._scale) if whole else images
        return TensorBatch(
            images=images,
            sizes=move(batch.sizes),
            boxes=tuple(map(move, batch.boxes)),
            labels=tuple(map(move, batch.labels)),
            crowd=tuple(map(move, batch.crowd)),
            image_ids=move(batch.image_ids),
            planned=batch.planned,
        )


def _one_ahead(mover: _Mover, batches: Iterator[PaddedBatch]) -> Iterator[TensorBatch]:
    """Begin the next copy before the batch before is handed out; CUDA only."""
    stream = torch.cuda.Stream(mover.device)

    def begun() -> tuple[TensorBatch, torch.cuda.Event] | None:
        batch = next(batches, None)
        if batch is None:
            return None
        with torch.cuda.stream(stream):
            return mover.moved(tensors(batch), mover.pinned_copy), stream.record_event()

    ready = begun()
    while ready is not None:
        coming = begun()
        batch, copied = ready
        # What the consumer does next waits for this copy; the host and the next copy do not.
        current = torch.cuda.current_stream(mover.device)
        current.wait_event(copied)
        whole = (batch.images, batch.sizes, batch.image_ids)
        for tensor in (*whole, *batch.boxes, *batch.labels, *batch.crowd):
            tensor.record_stream(current)
        yield batch
        ready = coming
