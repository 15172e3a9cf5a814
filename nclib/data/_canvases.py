r"""Canvases: images with several labels, composed of images (tiles) of a single-label set.

A table says which label sets there are and how many canvases have each. A canvas shows one tile of
each of its labels on a black ground; where two tiles overlap, the larger pixel value is seen. The
drawing is in two steps: :func:`lay_out` draws which tile stands where, which depends on the seed
alone, and :func:`paint` puts the pixels there, on the device of the images, for all canvases or
for the rows of a batch.

Tiles of a class are taken from a shuffled list of its images, which is shuffled anew when it has
been used up: no image is used a second time before each of its class has been used once.

A canvas may show distractors besides: tiles without a label, images cut into 4×4 blocks that stand
in a random order, so that they have the colours and the edges of things and show none.

Source: the placements are those of the sets ML-MNIST and ML-CIFAR10 of Li et al. (2023), "Neural
collapse in multi-label learning with pick-all-label loss", and two more. There, the images of each
class and each pair are drawn anew, so that single canvases and pairs may share images. Distractors:
cluttered MNIST of Mnih et al. (2014), "Recurrent models of visual attention", has pieces of images.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float32, Int64, UInt8
from torch import Tensor

from nclib import _check
from nclib._names import unknown
from nclib.data._files import checksum
from nclib.data._supports import SupportTable, label_set, support_table, tabulate

#: Where tiles stand, as :func:`lay_out` describes.
PLACEMENTS = ("corners", "wrapped-corners", "grid", "free")
_CORNERS = ((0, 0), (1, 1), (0, 1), (1, 0))  # opposite ones first; 1: at the end of the axis
_ROUNDS = 20  # in which free places are drawn anew
_CHUNK = 2048  # canvases placed or painted at once
_ORDERS = 64  # of a distractor's blocks, of 1,024 that are drawn


@dataclass(frozen=True)
class Layout:
    """Which tile stands where on each canvas.

    Tiles of a canvas are in the order of its labels, and then its distractors; where a canvas has
    fewer than M, its last tiles and boxes are −1.

    Attributes:
        size: height and width of a canvas.
        labels: whether a canvas shows a class.
        tiles: index of the source image of each tile.
        boxes: top, left, height, width. A tile covers the rows (top + i) mod the canvas's height,
            and the columns alike: only ``wrapped-corners`` go over the border.
    """

    size: tuple[int, int]
    labels: Bool[Tensor, "N K"]
    tiles: Int64[Tensor, "N M"]
    boxes: Int64[Tensor, "N M 4"]

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def label_boxes(self) -> Int64[Tensor, "N K 4"]:
        """The box of the tile of each label; −1 where a canvas does not show the class."""
        boxes = torch.full((*self.labels.shape, 4), -1)
        canvas, classes = self.labels.nonzero(as_tuple=True)
        slot = self.labels.cumsum(1)[canvas, classes] - 1
        boxes[canvas, classes] = self.boxes[canvas, slot]
        return boxes

    def label_cover(self, grid: tuple[int, int]) -> Float32[Tensor, "N K H W"]:
        """The share of each cell of a grid over the canvas that the tile of a label covers.

        What stands before a tile does not count. An attention map's weight on a label's tile is the
        sum of its entries times these.

        Args:
            grid: rows and columns, as of an attention map; they divide height and width.

        Raises:
            ValueError: if they do not.

        >>> layout = lay_out(
        ...     torch.arange(2), [[0, 1]], [1], tile=(2, 2), size=(4, 4), placement="corners"
        ... )
        >>> layout.label_cover((2, 2)).sum((0, 2, 3))  # no tile of class 0, a whole cell of class 1
        tensor([0., 1.])
        """
        shares = []
        for axis, (cells, pixels) in enumerate(zip(grid, self.size, strict=True)):
            _check.whole("grid", cells, least=1)
            if pixels % cells:
                raise ValueError(f"grid is {grid}, expected divisors of {self.size}")
            begin, extent = self.label_boxes[..., axis, None], self.label_boxes[..., 2 + axis, None]
            covered = (torch.arange(pixels) - begin) % pixels < extent  # an extent of −1 has none
            shares.append(covered.unflatten(2, (cells, -1)).float().mean(3))
        return shares[0][..., :, None] * shares[1][..., None, :]


class Canvases(NamedTuple):
    """Canvases and how they came about."""

    images: UInt8[Tensor, "N C H W"]
    layout: Layout

    def manifest(self) -> dict[str, Any]:
        """What is on the canvases, with checksums that a device does not change.

        Returns:
            Shape; canvases of each class and of each label set; how often a source image is used
            at most; SHA-256 of images and labels (uint8) and of tiles and boxes (int32,
            little-endian).
        """
        labels, tiles = self.layout.labels.cpu(), self.layout.tiles.cpu()
        table = tabulate(labels)
        parts = {
            "images": self.images.cpu().numpy(),
            "labels": labels.numpy().astype("u1"),
            "tiles": tiles.numpy().astype("<i4"),
            "boxes": self.layout.boxes.cpu().numpy().astype("<i4"),
        }
        return {
            "shape": list(self.images.shape),
            "class_counts": labels.sum(0).tolist(),
            "support_counts": {
                " ".join(str(k) for k in support.nonzero()[:, 0].tolist()): count
                for support, count in zip(table.supports, table.counts.tolist(), strict=True)
            },
            "uses_of_a_tile": int(tiles[tiles >= 0].bincount().max()),
            **{f"{name}_sha256": checksum(part.tobytes()) for name, part in parts.items()},
        }


def lay_out(
    labels: Int64[Tensor, " n"],
    supports: Any,
    counts: Any,
    *,
    tile: tuple[int, int],
    size: tuple[int, int],
    placement: str = "free",
    shift: int = 0,
    distractors: int = 0,
    shrink: int = 1,
    seed: int = 0,
) -> Layout:
    r"""Draw which tile stands where: the same on every device.

    - ``"corners"``: one or two tiles in opposite corners (top left, bottom right), three or four
      in all corners, in random order. Each is moved inwards along both axes by the same random 0
      to ``shift`` pixels, so that tiles may overlap in the middle: ML-CIFAR10, with shift 7.
    - ``"wrapped-corners"``: the same corners, but a canvas of one label has its tile at the bottom
      right. Each tile is rolled down and to the right by random 0 to ``shift`` pixels an axis; what
      leaves the canvas comes in on the other side: ML-MNIST, with shift 6.
    - ``"grid"``: tiles in different random cells; the cells begin at multiples of the tile's size.
    - ``"free"``: anywhere without overlap. Each tile in turn is at a random one of the places that
      are free. A canvas on which one finds none is begun anew; after 20 rounds its tiles stand in
      random cells of the grid, which are pushed apart at random.

    Args:
        labels: class of every source image.
        supports: (S, K) zeros and ones, the label sets. A class that no support has is on no
            canvas; its column of the layout's labels is empty.
        counts: canvases of each label set.
        tile: height and width of the tiles, to which :func:`paint` averages the source images down.
        size: height and width of a canvas.
        placement: one of ``PLACEMENTS``.
        shift: pixels, for the corners alone.
        distractors: tiles without a label on each canvas, of any images.
        shrink: each tile is smaller by a random whole factor from 1 to this, among those that
            divide its sides; it then stands at random within the place that it would have filled.
        seed: of every draw.

    Returns:
        The layout, in the order of the supports, on the CPU.

    Raises:
        TypeError: if labels, counts or sizes are no whole numbers.
        ValueError: if a support has a class without images, the tiles of one do not fit, or there
            is something else wrong with the table, as :func:`support_table` says.

    >>> layout = lay_out(
    ...     torch.arange(6) % 3, [[1, 0, 0], [0, 1, 1]], [2, 1], tile=(2, 2), size=(2, 4),
    ...     placement="grid",
    ... )
    >>> labels = torch.arange(6) % 3
    >>> labels[layout.tiles[2]].tolist(), layout.tiles[:2, 1].tolist()
    ([1, 2], [-1, -1])
    """
    labels = _check.class_ids("labels", labels).cpu()
    table = support_table(supports, counts)
    _check_images(labels, table)
    check_fit(table, tile, size, placement, shift, distractors)
    _check.whole("shrink", shrink, least=1)
    draws = torch.Generator().manual_seed(seed)
    rows = table.supports.repeat_interleave(table.counts, dim=0)
    sizes = rows.sum(1) + distractors
    most = int(sizes.max())
    canvas, classes = rows.nonzero(as_tuple=True)
    slot = rows.cumsum(1)[canvas, classes] - 1
    tiles = torch.full((len(rows), most), -1)
    tiles[canvas, slot] = _take(labels, classes, draws)
    if distractors:
        slots = rows.sum(1, keepdim=True) + torch.arange(distractors)
        tiles.scatter_(1, slots, torch.randint(len(labels), slots.shape, generator=draws))
    corners = _place(placement, sizes, most, tile, size, shift, draws)
    extents = torch.tensor(tile).expand_as(corners)
    if shrink > 1:
        corners, extents = _shrunk(corners, tile, size, shrink, draws)
    boxes = torch.cat([corners, extents], dim=2)
    boxes[tiles < 0] = -1
    return Layout(size, rows, tiles, boxes)


def paint(
    images: UInt8[Tensor, "n C h w"], layout: Layout, rows: Int64[Tensor, " B"] | None = None
) -> UInt8[Tensor, "N C H W"]:
    """The pixels of a layout, on the device of the images.

    Args:
        images: the source images that the layout's tiles are; larger ones are averaged down.
        layout: of :func:`lay_out`.
        rows: which canvases; None: all.

    Raises:
        TypeError: if the images are not uint8.
        ValueError: if their sides are no multiple of those of the layout's tiles.
    """
    images = _check.integers("images", images)
    if images.dtype != torch.uint8:
        raise TypeError(f"images must be uint8, got {images.dtype}")
    chosen = torch.arange(len(layout)) if rows is None else rows.cpu()
    device = images.device
    canvases = images.new_zeros(len(chosen), images.shape[1], *layout.size)
    for start in range(0, len(chosen), _CHUNK):
        part = chosen[start : start + _CHUNK]
        tiles, boxes, labels = layout.tiles[part], layout.boxes[part], layout.labels[part].sum(1)
        for extent in _extents(images, boxes[tiles >= 0]):
            fits = (boxes[..., 2:] == torch.tensor(extent)).all(2)
            for slot in range(tiles.shape[1]):
                shown = fits[:, slot].nonzero()[:, 0]
                if len(shown):
                    source = images[tiles[shown, slot].to(device)]
                    blurred = (labels[shown] <= slot).nonzero()[:, 0]
                    if len(blurred):
                        source[blurred.to(device)] = _scrambled(
                            source[blurred.to(device)], tiles[shown[blurred], slot]
                        )
                    _draw(
                        canvases,
                        start + shown.to(device),
                        _averaged(source, extent),
                        boxes[shown, slot].to(device),
                    )
    return canvases


def canvases(
    images: UInt8[Tensor, "n C h w"],
    labels: Int64[Tensor, " n"],
    supports: Any,
    counts: Any,
    *,
    size: tuple[int, int],
    tile: tuple[int, int] | None = None,
    placement: str = "free",
    shift: int = 0,
    distractors: int = 0,
    shrink: int = 1,
    seed: int = 0,
) -> Canvases:
    """Canvases of any single-label set: :func:`lay_out`, then :func:`paint`.

    Args:
        images: of the single-label set; the canvases are made on their device.
        labels: class of every image.
        supports: (S, K) zeros and ones, the label sets.
        counts: canvases of each label set.
        size: height and width of a canvas.
        tile: height and width of a tile; None: those of the images.
        placement: one of ``PLACEMENTS``.
        shift: pixels by which tiles in corners are moved.
        distractors: tiles without a label on each canvas.
        shrink: largest factor by which a tile is smaller.
        seed: of every draw; the device changes nothing.

    Raises:
        TypeError, ValueError: as the two functions do.

    >>> from nclib import data
    >>> digits = data.load("digits").train
    >>> table = data.all_supports(10, {1: 4, 2: 1})
    >>> made = data.canvases(*digits, *table, size=(16, 16), placement="free")
    >>> tuple(made.images.shape), made.layout.labels.sum(0).tolist() == [13] * 10
    ((85, 1, 16, 16), True)
    """
    images = _check.integers("images", images)
    if images.ndim != 4 or len(images) != len(labels):
        raise ValueError(
            f"images must have shape ({len(labels)}, C, H, W), as many as labels, "
            f"got {tuple(images.shape)}"
        )
    layout = lay_out(
        labels,
        supports,
        counts,
        tile=tile or (images.shape[2], images.shape[3]),
        size=size,
        placement=placement,
        shift=shift,
        distractors=distractors,
        shrink=shrink,
        seed=seed,
    )
    return Canvases(paint(images, layout), layout)


def _check_images(labels: Tensor, table: SupportTable) -> None:
    available = labels.bincount(minlength=table.supports.shape[1])
    for support in table.supports:
        for k in support.nonzero()[:, 0].tolist():
            if available[k] == 0:
                raise ValueError(
                    f"class {k} has no image, but label set {label_set(support)} asks for one"
                )


def check_fit(
    table: SupportTable,
    tile: tuple[int, int],
    size: tuple[int, int],
    placement: str,
    shift: int,
    distractors: int,
) -> None:
    """Refuse what :func:`lay_out` cannot place."""
    if placement not in PLACEMENTS:
        raise unknown("placement", placement, PLACEMENTS)
    for name, pair in (("tile", tile), ("size", size)):
        for pixels in pair:
            _check.whole(name, pixels, least=1)
    _check.whole("shift", shift, least=0)
    if shift and not placement.endswith("corners"):
        raise ValueError(f"shift is {shift}, but placement is {placement!r}: expected 0")
    room = min(whole - part for whole, part in zip(size, tile, strict=True))
    if placement == "corners" and shift > max(room, 0):
        raise ValueError(f"shift is {shift}, expected at most {room}, the room beside a tile")
    _check.whole("distractors", distractors, least=0)
    if distractors and (tile[0] % 2 or tile[1] % 2):
        raise ValueError(
            f"distractors is {distractors}, but tiles of {tile[0]}×{tile[1]} cannot be cut into "
            f"blocks: expected even sides"
        )
    down, across = size[0] // tile[0], size[1] // tile[1]
    most = down * across
    if placement.endswith("corners"):
        most = min(most, 2 if min(down, across) < 2 else 4)
    largest = table.supports[int(table.supports.sum(1).argmax())]
    if largest.sum() + distractors > most:
        beside = f" beside distractors {distractors}" if distractors else ""
        raise ValueError(
            f"label set {label_set(largest)} does not fit{beside}: placement {placement!r} has "
            f"room for {most} tiles of {tile[0]}×{tile[1]} on a canvas of {size[0]}×{size[1]}"
        )


def _take(
    labels: Int64[Tensor, " n"], classes: Int64[Tensor, " T"], draws: torch.Generator
) -> Int64[Tensor, " T"]:
    """A source image for each tile, from its class's shuffled lists one after the other."""
    taken = torch.empty_like(classes)
    for k in classes.unique().tolist():
        members, places = (labels == k).nonzero()[:, 0], (classes == k).nonzero()[:, 0]
        lists = [
            members[torch.randperm(len(members), generator=draws)]
            for _ in range(-(-len(places) // len(members)))
        ]
        taken[places] = torch.cat(lists)[: len(places)]
    return taken


def _place(
    placement: str,
    sizes: Int64[Tensor, " N"],
    most: int,
    tile: tuple[int, int],
    size: tuple[int, int],
    shift: int,
    draws: torch.Generator,
) -> Int64[Tensor, "N M 2"]:
    """Top and left of so many tiles a canvas; those beyond its ``sizes`` mean nothing."""
    if placement == "grid":
        return _cells(len(sizes), most, tile, size, draws)
    if placement == "free":
        parts = sizes.split(_CHUNK)
        return torch.cat([_free(part, most, tile, size, draws) for part in parts])
    wrapped = placement == "wrapped-corners"
    order = torch.rand(len(sizes), len(_CORNERS), generator=draws)
    order[torch.arange(len(_CORNERS)) >= sizes.clamp(min=2)[:, None]] = torch.inf
    corner = order.argsort(1)[:, :most]
    if wrapped:
        corner[sizes == 1] = 1  # the bottom right
    end = torch.tensor(_CORNERS)[corner]  # (N, M, 2)
    room = torch.tensor(size) - torch.tensor(tile)
    if wrapped:
        roll = torch.randint(shift + 1, end.shape, generator=draws)
        return (end * room + roll) % torch.tensor(size)
    inwards = torch.randint(shift + 1, end.shape[:2], generator=draws)[:, :, None]
    return torch.where(end == 1, room - inwards, inwards)


def _cells(
    count: int, most: int, tile: tuple[int, int], size: tuple[int, int], draws: torch.Generator
) -> Int64[Tensor, "N M 2"]:
    """Different cells of the grid, at random."""
    down, across = size[0] // tile[0], size[1] // tile[1]
    cell = torch.rand(count, down * across, generator=draws).argsort(1)[:, :most]
    return torch.stack([cell // across * tile[0], cell % across * tile[1]], dim=2)


def _free(
    sizes: Int64[Tensor, " N"],
    most: int,
    tile: tuple[int, int],
    size: tuple[int, int],
    draws: torch.Generator,
) -> Int64[Tensor, "N M 2"]:
    """Places without overlap: one tile after the other, where there is room."""
    places = torch.cartesian_prod(
        torch.arange(size[0] - tile[0] + 1), torch.arange(size[1] - tile[1] + 1)
    ).view(-1, 2)
    extent = torch.tensor(tile)
    corners = torch.zeros(len(sizes), most, 2, dtype=torch.int64)
    left = torch.arange(len(sizes))  # canvases that are not done
    for _ in range(_ROUNDS):
        stuck = torch.zeros(len(left), dtype=torch.bool)
        free = torch.ones(len(left), len(places), dtype=torch.bool)
        for slot in range(most):
            stuck |= ~free.any(1) & (slot < sizes[left])
            score = torch.rand(free.shape, generator=draws)
            corner = places[score.masked_fill_(~free, -1).argmax(1)]
            corners[left, slot] = corner
            free &= ((places - corner[:, None]).abs() >= extent).any(2)
        left = left[stuck]
        if len(left) == 0:
            return corners
    corners[left] = _pushed_apart(len(left), most, tile, size, draws)
    return corners


def _pushed_apart(
    count: int, most: int, tile: tuple[int, int], size: tuple[int, int], draws: torch.Generator
) -> Int64[Tensor, "N M 2"]:
    """Cells of the grid with random gaps: between rows, and between the cells of each row."""
    down, across = size[0] // tile[0], size[1] // tile[1]
    spare = size[0] - down * tile[0], size[1] - across * tile[1]
    lower = torch.randint(spare[0] + 1, (count, down), generator=draws).sort(1).values
    right = torch.randint(spare[1] + 1, (count, down, across), generator=draws).sort(2).values
    corner = _cells(count, most, tile, size, draws)
    row, column = corner[:, :, 0] // tile[0], corner[:, :, 1] // tile[1]
    canvas = torch.arange(count)[:, None]
    gaps = torch.stack([lower[canvas, row], right[canvas, row, column]], dim=2)
    return corner + gaps


def _shrunk(
    corners: Int64[Tensor, "N M 2"],
    tile: tuple[int, int],
    size: tuple[int, int],
    shrink: int,
    draws: torch.Generator,
) -> tuple[Int64[Tensor, "N M 2"], Int64[Tensor, "N M 2"]]:
    """Corners and extents of tiles of random scale, each within the place of a whole one."""
    factors = torch.tensor(
        [factor for factor in range(1, shrink + 1) if not (tile[0] % factor or tile[1] % factor)]
    )
    chosen = torch.randint(len(factors), corners.shape[:2], generator=draws)
    extents = torch.tensor(tile) // factors[chosen][..., None]
    room = torch.tensor(tile) - extents + 1
    inwards = (torch.rand(corners.shape, generator=draws, dtype=torch.float64) * room).long()
    return (corners + inwards) % torch.tensor(size), extents


def _extents(
    images: UInt8[Tensor, "n C h w"], boxes: Int64[Tensor, "T 4"]
) -> list[tuple[int, int]]:
    """The sizes of these tiles, to which the images can be averaged down."""
    height, width = images.shape[2:]
    extents = sorted({(h, w) for h, w in boxes[:, 2:].unique(dim=0).tolist()})
    for h, w in extents:
        if height % h or width % w or height // h != width // w:
            raise ValueError(f"images are {height}×{width}, but the layout has tiles of {(h, w)}")
    return extents


def _averaged(
    images: UInt8[Tensor, "B C h w"], extent: tuple[int, int]
) -> UInt8[Tensor, "B C s t"]:
    """Images averaged down to a smaller size, whose sides divide theirs."""
    if images.shape[2:] == extent:
        return images
    parts = images.float().unflatten(3, (extent[1], -1)).unflatten(2, (extent[0], -1))
    return parts.mean((3, 5)).round().to(torch.uint8)


def _scrambled(
    images: UInt8[Tensor, "B C h w"], numbers: Int64[Tensor, " B"]
) -> UInt8[Tensor, "B C h w"]:
    """Images cut into 4×4 blocks (2×2 where a side is no multiple of 4), each at another place.

    The number of an image says at which: the same on every canvas and device.
    """
    parts = 4 if images.shape[2] % 4 == images.shape[3] % 4 == 0 else 2
    draws = torch.Generator().manual_seed(0)
    orders = torch.rand(1024, parts * parts, generator=draws).argsort(1)
    orders = orders[(orders != torch.arange(parts * parts)).all(1)]
    order = orders[numbers % _ORDERS].to(images.device)[:, None, :, None, None]
    blocks = images.unflatten(3, (parts, -1)).unflatten(2, (parts, -1)).transpose(3, 4)
    flat = blocks.flatten(2, 3)  # (B, C, blocks, rows, columns)
    moved = flat.gather(2, order.expand_as(flat)).unflatten(2, (parts, parts))
    return moved.transpose(3, 4).reshape(images.shape)


def _draw(
    canvases: UInt8[Tensor, "N C H W"],
    rows: Int64[Tensor, " B"],
    source: UInt8[Tensor, "B C h w"],
    boxes: Int64[Tensor, "B 4"],
) -> None:
    """Put one tile on each of these canvases; the larger value is seen."""
    height, width = canvases.shape[2:]
    down = (boxes[:, :1] + torch.arange(source.shape[2], device=boxes.device)) % height
    across = (boxes[:, 1:2] + torch.arange(source.shape[3], device=boxes.device)) % width
    index = (down[:, :, None] * width + across[:, None, :]).flatten(1)  # (B, h·w)
    pixels = canvases.flatten(2)
    place = rows[:, None], slice(None), index
    there = pixels[place]  # (B, h·w, C)
    pixels[place] = torch.maximum(there, source.flatten(2).transpose(1, 2))
