"""Changes of training images, each against what it must do to every image of a batch."""

from __future__ import annotations

import pytest
import torch

from neurons import InvalidValue, UnknownName
from suite.runs import plan
from tasks.training import augmentation
from tasks.training.losses import LOSSES


@pytest.fixture
def images() -> torch.Tensor:
    return torch.randint(1, 256, (400, 3, 12, 10), dtype=torch.uint8)


def test_crop_moves_each_image_by_its_own_way(images: torch.Tensor) -> None:
    padded = torch.nn.functional.pad(images, [4] * 4)
    ways = []
    for index, found in enumerate(augmentation.crop(images)):
        own = [
            (top, left)
            for top in range(9)
            for left in range(9)
            if torch.equal(found, padded[index, :, top : top + 12, left : left + 10])
        ]
        assert own
        ways += own
    assert {top for top, _ in ways} == {left for _, left in ways} == set(range(9))


def test_flip_mirrors_half(images: torch.Tensor) -> None:
    found = augmentation.flip(images)
    mirrored = [torch.equal(own, image.flip(-1)) for own, image in zip(found, images, strict=True)]
    kept = [torch.equal(own, image) for own, image in zip(found, images, strict=True)]
    assert all(a or b for a, b in zip(mirrored, kept, strict=True))
    assert sum(mirrored) / 400 == pytest.approx(0.5, abs=0.1)


def test_cutout_puts_one_grey_rectangle_into_half(images: torch.Tensor) -> None:
    found = augmentation.cutout(images)
    changed = (found != images).any(1)
    cut = [index for index in range(400) if changed[index].any()]
    assert len(cut) / 400 == pytest.approx(0.5, abs=0.1)
    shares = []
    for index in cut:
        rows, columns = changed[index].any(1).nonzero().flatten(), changed[index].any(0).nonzero().flatten()
        box = found[index, :, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        assert len(box.unique()) == 1
        shares.append(box[0].numel() / 120)
    assert max(shares) <= 0.4
    assert min(shares) < 0.05
    assert max(shares) > 0.25


def test_cutmix_labels_are_shares_of_the_pixels(images: torch.Tensor) -> None:
    x = torch.arange(8.0).reshape(8, 1, 1, 1).expand(8, 3, 12, 10).contiguous()
    labels = torch.arange(8)
    mixed, shares = augmentation.cutmix(x, labels, 8, 1.0)
    for index in range(8):
        other = [own for own in mixed[index].unique().tolist() if own != index]
        own = float((mixed[index] == index).float().mean())
        assert float(shares[index, index]) == pytest.approx(own, abs=1e-5)
        assert float(shares[index].sum()) == pytest.approx(1)
        assert len(other) <= 1


@pytest.mark.parametrize("loss", LOSSES)
def test_losses_take_shares_as_they_take_labels(loss: str) -> None:
    scores, labels = torch.randn(3, 5, 4), torch.randint(4, (5,))
    hard = LOSSES[loss](scores, labels)
    assert torch.allclose(hard, LOSSES[loss](scores, torch.nn.functional.one_hot(labels, 4).float()), atol=1e-6)


def test_tet_to_labels_by_hand() -> None:
    scores, labels = torch.randn(3, 5, 4), torch.randint(4, (5,))
    expected = 0.0
    for step in scores:
        for own, label in zip(step, labels, strict=True):
            target = torch.zeros(4)
            target[label] = 1
            expected -= 0.95 * float(own.log_softmax(0)[label]) / 15
            expected += 0.05 * float((own - target).square().sum()) / 60
    assert float(LOSSES["tet_labels"](scores, labels)) == pytest.approx(expected, rel=1e-5)


def test_the_same_images_are_drawn_again_from_the_same_state(images: torch.Tensor) -> None:
    for name in ("crop", "flip", "cutout", "autoaugment"):
        (change,) = augmentation.parsed(name)
        few = images[:6]
        torch.manual_seed(5)
        first = change(few)
        torch.manual_seed(5)
        assert torch.equal(change(few), first)
        assert first.shape == few.shape
        assert first.dtype == torch.uint8


def test_wrong_names_are_one_line() -> None:
    with pytest.raises(UnknownName, match="unknown augmentation 'crob'; did you mean 'crop'"):
        augmentation.parsed("flip+crob")
    request = plan.Request("smoke", ["accuracy"], ["lif"], datasets=["digits"], settings={"augmentation": "flip"})
    with pytest.raises(InvalidValue, match="setting augmentation=flip: digits holds no images in pixels"):
        plan.make(request)
