"""Changes of training images that leave their class: on whole batches and on the device that holds them.

Crop, flip and cutout are drawn here for each image of a batch at once. torchvision's transforms of that name draw once
for a batch; image by image they took four times as long (14.1 against 3.6 ms for 128 images of 3×32×32 on one core).
Of torchvision v2 are AutoAugment, image by image, and CutMix.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from neurons import UnknownName

PADDING = 4
CUTOUT_SHARE, CUTOUT_AREA, CUTOUT_RATIO = 0.5, (0.02, 0.4), (0.4, 2.5)
"""Of images that are cut, of an image's area and of the sides: those of the CLIF paper's code."""


def crop(images: Tensor) -> Tensor:
    """Moved by up to four pixels in each direction; black comes in."""
    count, _, height, width = images.shape
    top, left = (_whole(count, 2 * PADDING + 1, images.device) for _ in range(2))
    rows = (torch.arange(height, device=images.device) + top[:, None])[:, None, :, None]
    columns = (torch.arange(width, device=images.device) + left[:, None])[:, None, None, :]
    padded = F.pad(images, [PADDING] * 4)
    samples = torch.arange(count, device=images.device)[:, None, None, None]
    channels = torch.arange(images.shape[1], device=images.device)[None, :, None, None]
    return padded[samples, channels, rows, columns]


def flip(images: Tensor) -> Tensor:
    """Half of them mirrored, left for right."""
    return torch.where(_uniform(len(images), images.device)[:, None, None, None] < 0.5, images.flip(-1), images)


def cutout(images: Tensor) -> Tensor:
    """Half of them with a rectangle of one grey (DeVries and Taylor 2017), of sizes as the CLIF paper's code draws."""
    count, _, height, width = images.shape
    area = _between(*CUTOUT_AREA, count, images.device) * height * width
    ratio = _between(*CUTOUT_RATIO, count, images.device)
    tall, wide = (area * ratio).sqrt().long().clamp(max=height - 1), (area / ratio).sqrt().long().clamp(max=width - 1)
    top = (_uniform(count, images.device) * (height - tall)).long()
    left = (_uniform(count, images.device) * (width - wide)).long()
    row, column = (torch.arange(size, device=images.device) for size in (height, width))
    rows = (row >= top[:, None]) & (row < (top + tall)[:, None])
    columns = (column >= left[:, None]) & (column < (left + wide)[:, None])
    cut = rows[:, :, None] & columns[:, None, :] & (_uniform(count, images.device) < CUTOUT_SHARE)[:, None, None]
    grey = _whole(count, 256, images.device).to(images.dtype)[:, None, None, None]
    return torch.where(cut[:, None], grey, images)


def autoaugment(images: Tensor) -> Tensor:
    """The policy for ImageNet of Cubuk et al. 2019, as torchvision has it, drawn for each image."""
    policy = _autoaugment()
    return torch.stack([policy(image) for image in images])


@cache
def _autoaugment() -> Callable[[Tensor], Tensor]:
    from torchvision.transforms import v2

    return v2.AutoAugment(v2.AutoAugmentPolicy.IMAGENET)


def cutmix(images: Tensor, labels: Tensor, classes: int, alpha: float) -> tuple[Tensor, Tensor]:
    """Rectangles of images in others (Yun et al. 2019), and the shares of the classes [N, classes] as labels."""
    from torchvision.transforms import v2

    mix: Any = v2.CutMix(num_classes=classes, alpha=alpha)
    return mix(images, labels)


AUGMENTATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "crop": crop,
    "flip": flip,
    "cutout": cutout,
    "autoaugment": autoaugment,
}
"""Of images [N, C, H, W] in whole numbers from 0 to 255, each drawn from torch's generator of the CPU."""


def parsed(names: str | None) -> list[Callable[[Tensor], Tensor]]:
    """The changes of a setting, "crop+flip+cutout", in that order.

    Raises:
        UnknownName: there is no such change.
    """
    found = [] if names is None else names.split("+")
    for name in found:
        if name not in AUGMENTATIONS:
            raise UnknownName("augmentation", name, AUGMENTATIONS)
    return [AUGMENTATIONS[name] for name in found]


def _uniform(count: int, device: torch.device) -> Tensor:
    """Drawn on the CPU, so that every device sees the same images."""
    return torch.rand(count).to(device)


def _between(low: float, high: float, count: int, device: torch.device) -> Tensor:
    return low + (high - low) * _uniform(count, device)


def _whole(count: int, limit: int, device: torch.device) -> Tensor:
    return torch.randint(limit, (count,)).to(device)
