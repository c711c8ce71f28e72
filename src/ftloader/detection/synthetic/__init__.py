"""Synthetic COCO data: what real COCO costs a loader, without a download.

``synthetic_coco(SyntheticSpec(images=1000))`` returns a COCO folder whose image sizes, JPEG
encoding, bits per pixel, object counts, box sizes and polygons follow COCO 2017. Equal specs give
equal bytes for any number of workers and on every interpreter, with the same NumPy and Pillow on
the same kind of processor. ``edge_set()`` is the opposite: tiny images that decoders trip over.
"""

from ftloader.detection.synthetic.edge import (
    broken_set,
    edge_document,
    edge_set,
    write_edge_coco,
)
from ftloader.detection.synthetic.folder import synthetic_coco, write_synthetic_coco
from ftloader.detection.synthetic.spec import SyntheticSpec

__all__ = [
    "SyntheticSpec",
    "broken_set",
    "edge_document",
    "edge_set",
    "synthetic_coco",
    "write_edge_coco",
    "write_synthetic_coco",
]
