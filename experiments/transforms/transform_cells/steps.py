"""(a) Steps that change the size or the values of pixels, with boxes, beside their peers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ftloader.detection.image import decode
from ftloader.detection.transforms.crop import RandomCrop
from ftloader.detection.transforms.expand import Expand
from ftloader.detection.transforms.flip import RandomFlip
from ftloader.detection.transforms.normalize import Normalize
from ftloader.detection.transforms.pad import Pad
from ftloader.detection.transforms.photometric import PhotoMetricDistortion, PhotoMetricParams
from ftloader.detection.transforms.resize import Resize

from .case import Bound, Case, Outcome, Peer, Task

MMDET, TORCHVISION, ALBUMENTATIONS = "by_mmdet", "by_torchvision", "by_albumentations"
TENSOR, PIL = "torchvision v2, tensor", "torchvision v2, PIL image"
FULL = Resize((1333, 800))
# Bilinear filters round differently; OpenCV's and Pillow's differ by 0.2 on average when enlarging.
ROUNDING = 0.5


def decoded(tasks: Sequence[Task], transform: Any) -> Bound:
    return Bound([task.jpeg for task in tasks], decode, Outcome)


CASES = (
    Case(
        "decode",
        "Decode a JPEG",
        "JPEG bytes in memory to RGB (mmcv: BGR, its default); torchvision decodes to a tensor",
        lambda data: FULL,
        (
            Peer("mmcv", "mmcv, OpenCV", MMDET, "decode", ROUNDING),
            Peer("tv_tensor", TENSOR, TORCHVISION, "decode", ROUNDING),
        ),
        ours=decoded,
    ),
    Case(
        "resize_up",
        "Resize, enlarging",
        "images and boxes to fit 1333 × 800, keeping their shape; bilinear everywhere, "
        "albumentations and mmdet's default through OpenCV",
        lambda data: FULL,
        (
            Peer("mmdet", "mmdet, OpenCV", MMDET, "resize", ROUNDING),
            Peer("mmdet_pillow", "mmdet, Pillow", MMDET, "resize_pillow"),
            Peer("tv_tensor", TENSOR, TORCHVISION, "resize_tensor", ROUNDING),
            Peer("tv_pil", PIL, TORCHVISION, "resize_pil"),
            Peer("albumentations", "albumentations", ALBUMENTATIONS, "resize", ROUNDING),
        ),
    ),
    Case(
        "resize_down",
        "Resize, shrinking",
        "images and boxes to exactly 300 × 300; ftloader, Pillow and torchvision filter all the "
        "pixels that are shrunk into one, OpenCV's bilinear rule takes four of them: another "
        "picture, not judged; albumentations also with the means of areas",
        lambda data: Resize((300, 300), keep_ratio=False),
        (
            Peer("mmdet", "mmdet, OpenCV", MMDET, "resize", None, judged=False),
            Peer("mmdet_pillow", "mmdet, Pillow", MMDET, "resize_pillow"),
            Peer("tv_tensor", TENSOR, TORCHVISION, "resize_tensor", ROUNDING),
            Peer("tv_pil", PIL, TORCHVISION, "resize_pil"),
            Peer("albumentations", "albumentations, bilinear", ALBUMENTATIONS, "resize", None,
                 judged=False),
            Peer("albumentations_area", "albumentations, areas", ALBUMENTATIONS, "resize_area",
                 None, judged=False),
        ),
    ),
    Case(
        "flip",
        "Mirror",
        "left and right are swapped; mmcv makes a view, and the copy that its packing makes of it "
        "later is timed here",
        lambda data: RandomFlip(1.0),
        (
            Peer("mmdet", "mmdet", MMDET, "flip"),
            Peer("tv_tensor", TENSOR, TORCHVISION, "flip_tensor"),
            Peer("tv_pil", PIL, TORCHVISION, "flip_pil"),
            Peer("albumentations", "albumentations", ALBUMENTATIONS, "flip"),
        ),
    ),
    Case(
        "flip_full",
        "Mirror, after resizing",
        "the same on images that were resized to fit 1333 × 800, as in the standard recipe",
        lambda data: RandomFlip(1.0),
        (
            Peer("mmdet", "mmdet", MMDET, "flip"),
            Peer("tv_tensor", TENSOR, TORCHVISION, "flip_tensor"),
            Peer("tv_pil", PIL, TORCHVISION, "flip_pil"),
            Peer("albumentations", "albumentations", ALBUMENTATIONS, "flip"),
        ),
        before=FULL,
    ),
    Case(
        "crop",
        "Crop",
        "a rectangle of 384 × 384 (or less) anywhere; ftloader copies it, so that the rest can be "
        "freed, albumentations too; mmdet and torchvision's tensors return views: not judged. "
        "torchvision leaves it to another transform to drop boxes outside",
        lambda data: RandomCrop((384, 384), allow_negative_crop=True),
        (
            Peer("mmdet", "mmdet, a view", MMDET, "crop", judged=False),
            Peer("tv_tensor", f"{TENSOR}, a view", TORCHVISION, "crop_tensor", judged=False),
            Peer("tv_pil", PIL, TORCHVISION, "crop_pil"),
            Peer("albumentations", "albumentations", ALBUMENTATIONS, "crop"),
        ),
    ),
    Case(
        "pad",
        "Pad",
        "images resized to fit 1333 × 800, padded at the right and the bottom to multiples of 32",
        lambda data: Pad(divisor=32),
        (
            Peer("mmdet", "mmdet", MMDET, "pad"),
            Peer("tv_tensor", TENSOR, TORCHVISION, "pad_tensor"),
            Peer("tv_pil", PIL, TORCHVISION, "pad_pil"),
            Peer("albumentations", "albumentations", ALBUMENTATIONS, "pad"),
        ),
        before=FULL,
    ),
    Case(
        "expand",
        "Expand",
        "images placed on a canvas of the mean colour, up to four times as wide and high",
        lambda data: Expand((123.675, 116.28, 103.53), probability=1.0),
        (
            Peer("mmdet", "mmdet", MMDET, "expand"),
            Peer("tv_tensor", TENSOR, TORCHVISION, "expand_tensor"),
            Peer("tv_pil", PIL, TORCHVISION, "expand_pil"),
            Peer("albumentations", "albumentations", ALBUMENTATIONS, "expand"),
        ),
    ),
    Case(
        "normalize",
        "Normalise",
        "uint8 images resized to fit 1333 × 800, to float32; mmcv swaps the channels on the way, "
        "torchvision first scales to 0 to 1",
        lambda data: Normalize(),
        (
            Peer("mmcv", "mmcv, OpenCV", MMDET, "normalize", 1e-3),
            Peer("tv_tensor", TENSOR, TORCHVISION, "normalize", 1e-3),
            Peer("albumentations", "albumentations", ALBUMENTATIONS, "normalize", 1e-3),
        ),
        before=FULL,
    ),
    Case(
        "photometric",
        "Distort colours, as drawn",
        "brightness, contrast, saturation, hue and the order of channels, each in half of the "
        "images; mmdet computes and returns float32 in any case, ftloader uint8",
        lambda data: PhotoMetricDistortion(),
        (Peer("mmdet", "mmdet, OpenCV", MMDET, "distort", ROUNDING),),
    ),
    Case(
        "photometric_all",
        "Distort colours, all four",
        "brightness, contrast, saturation and hue of every image; torchvision's and "
        "albumentations' changes of these names are defined otherwise: not judged",
        lambda data: PhotoMetricDistortion(),
        (
            Peer("mmdet", "mmdet, OpenCV", MMDET, "distort", ROUNDING),
            Peer("tv_tensor", TENSOR, TORCHVISION, "distort_tensor", None, judged=False),
            Peer("tv_pil", PIL, TORCHVISION, "distort_pil", None, judged=False),
            Peer("albumentations", "albumentations", ALBUMENTATIONS, "distort", None,
                 judged=False),
        ),
        params=PhotoMetricParams(brightness=12.0, contrast=0.8, saturation=1.3, hue=7.0),
    ),
)  # fmt: skip
