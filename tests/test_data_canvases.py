"""Canvases with several labels: tables of label sets, placements, data sets with options."""

import itertools

import pytest
import torch

from nclib import data
from nclib.runs import RunConfig

FIELDS = {"paper": "x", "profile": "smoke", "epochs": 2}


@pytest.fixture(scope="module")
def tiles():
    """Twelve images of each of four classes, 4×3, no pixel 0, each of one value of its own."""
    labels = torch.arange(48) % 4
    images = torch.arange(1, 49, dtype=torch.uint8)[:, None, None, None].expand(-1, 2, 4, 3)
    return images.contiguous(), labels


TABLE = data.all_supports(4, {1: 5, 2: 3, 3: 1})


def make(tiles, size=(9, 8), table=TABLE, **options):
    return data.canvases(*tiles, *table, size=size, **options)


def painted_slowly(images, layout):
    """Pixel by pixel, with Python's arithmetic."""
    height, width = layout.size
    canvases = torch.zeros(len(layout), images.shape[1], height, width, dtype=torch.uint8)
    for n, (tiles, boxes) in enumerate(zip(layout.tiles, layout.boxes, strict=True)):
        for tile, (top, left, h, w) in zip(tiles.tolist(), boxes.tolist(), strict=True):
            for i, j in itertools.product(range(max(h, 0)), range(max(w, 0))):
                place = n, slice(None), (top + i) % height, (left + j) % width
                canvases[place] = torch.maximum(canvases[place], images[tile, :, i, j])
    return canvases


PLACED = [("corners", 2), ("wrapped-corners", 3), ("grid", 0), ("free", 0)]


@pytest.mark.parametrize(("placement", "shift"), PLACED)
def test_a_canvas_shows_one_tile_of_each_of_its_labels(tiles, placement, shift):
    images, layout = make(tiles, placement=placement, shift=shift)
    assert torch.equal(layout.labels, TABLE.supports.repeat_interleave(TABLE.counts, dim=0))
    for labels, chosen, boxes in zip(layout.labels, layout.tiles, layout.boxes, strict=True):
        shown = tiles[1][chosen[chosen >= 0]].tolist()
        assert shown == labels.nonzero()[:, 0].tolist()
        assert (boxes[len(shown) :] == -1).all()
    assert torch.equal(images, painted_slowly(tiles[0], layout))


@pytest.mark.parametrize(("placement", "shift"), PLACED)
def test_a_seed_gives_the_same_canvases_again(tiles, placement, shift):
    first, again, other = (
        make(tiles, placement=placement, shift=shift, seed=seed) for seed in (3, 3, 4)
    )
    assert first.manifest() == again.manifest()
    assert first.manifest()["images_sha256"] != other.manifest()["images_sha256"]
    assert first.manifest()["support_counts"]["0 1 2"] == 1


def overlaps(boxes):
    """Pairs of boxes of one canvas that share a pixel."""
    pairs = itertools.combinations(boxes[boxes[:, 0] >= 0].tolist(), 2)
    return [
        (a, b)
        for a, b in pairs
        if all(a[i] < b[i] + b[i + 2] and b[i] < a[i] + a[i + 2] for i in (0, 1))
    ]


@pytest.mark.parametrize("size", [(9, 8), (8, 6), (16, 14)])
@pytest.mark.parametrize("placement", ["grid", "free"])
def test_tiles_in_cells_or_at_free_places_lie_inside_without_overlap(tiles, placement, size):
    """(8, 6) has room for the four tiles in one way alone, (16, 14) for more than the cells."""
    table = data.all_supports(4, {1: 5, 2: 5, 3: 5, 4: 30})
    _, layout = make(tiles, size=size, table=table, placement=placement)
    assert not any(overlaps(boxes) for boxes in layout.boxes)
    boxes = layout.boxes[layout.tiles >= 0]
    assert (boxes[:, :2] >= 0).all()
    assert (boxes[:, :2] + boxes[:, 2:] <= torch.tensor(size)).all()
    on_the_grid = (layout.boxes[-30:, :, :2] % torch.tensor([4, 3]) == 0).all()  # of four
    assert on_the_grid == (placement == "grid" or size == (8, 6))


def test_free_places_reach_every_corner_of_the_canvas(tiles):
    table = data.all_supports(4, {2: 300})
    top, left = make(tiles, size=(5, 7), table=table).layout.boxes.flatten(0, 1)[:, :2].T
    assert sorted(set(top.tolist())) == [0, 1]
    assert sorted(set(left.tolist())) == [0, 1, 3, 4]  # at 2 a tile leaves no room for another


def test_corners_are_opposite_and_moved_inwards_alike_on_both_axes(tiles):
    """ML-CIFAR10: the small side is padded by 0 to 7 pixels, above and beside alike."""
    table = data.all_supports(4, {1: 60, 2: 60})
    _, layout = make(tiles, size=(20, 20), table=table, placement="corners", shift=2)
    top, left = layout.boxes[..., 0], layout.boxes[..., 1]
    room = torch.tensor([16, 17])
    at_the_end = top > 8
    inwards = torch.where(at_the_end, room[0] - top, top)
    present = layout.tiles >= 0
    assert torch.equal(inwards[present], torch.where(at_the_end, room[1] - left, left)[present])
    assert set(inwards[present].tolist()) == {0, 1, 2}
    assert set(at_the_end[:240, 0].tolist()) == {False, True}  # single tiles in both
    assert (at_the_end[240:].sum(1) == 1).all()  # pairs in opposite ones
    assert set(at_the_end[240:, 0].tolist()) == {False, True}  # in random order


def test_wrapped_corners_roll_around_the_border(tiles):
    """ML-MNIST: one digit is at the bottom right; rolls of 0 to 6 pixels on each axis."""
    table = data.all_supports(4, {1: 60, 2: 60})
    _, layout = make(tiles, size=(20, 20), table=table, placement="wrapped-corners", shift=2)
    begin = layout.boxes[:240, 0, :2]
    assert set(begin[:, 0].tolist()) == {16, 17, 18}
    assert set(begin[:, 1].tolist()) == {17, 18, 19}
    assert len(begin.unique(dim=0)) == 9
    pairs = layout.boxes[240:, :, :2] > 10
    assert (pairs.sum(1) == 1).all()


def test_three_and_four_tiles_have_corners_of_their_own(tiles):
    table = data.all_supports(4, {3: 9, 4: 9})
    _, layout = make(tiles, size=(8, 6), table=table, placement="corners")
    assert not any(overlaps(boxes) for boxes in layout.boxes)


def test_no_image_is_used_again_before_each_of_its_class(tiles):
    """Class 0 is asked for 5 + 9 + 3 = 17 times and has 12 images."""
    _, layout = make(tiles)
    uses = layout.tiles[layout.tiles >= 0].bincount(minlength=48).view(12, 4)
    assert uses.sum(0).tolist() == [17] * 4
    assert set(uses.unique().tolist()) == {1, 2}


def test_batches_are_painted_from_the_layout(tiles):
    images, layout = make(tiles)
    rows = torch.tensor([7, 0, 7, 30])
    assert torch.equal(data.paint(tiles[0], layout, rows), images[rows])


def test_what_overlaps_shows_the_larger_value(tiles):
    table = data.all_supports(4, {2: 20})
    images, layout = make(tiles, size=(8, 8), table=table, placement="corners", shift=4)
    covered = [n for n, boxes in enumerate(layout.boxes) if overlaps(boxes)]
    assert covered
    assert torch.equal(images, painted_slowly(tiles[0], layout))


# Tables


def test_all_supports_are_all_subsets_of_a_size():
    table = data.all_supports(5, {2: 3, 5: 1})
    sets = {tuple(row.nonzero()[:, 0].tolist()) for row in table.supports}
    assert sets == {*itertools.combinations(range(5), 2), (0, 1, 2, 3, 4)}  # m = K too
    assert table.counts.tolist() == [3] * 10 + [1]


@pytest.mark.parametrize(
    ("supports", "counts", "error", "message"),
    [
        ([[1, 0], [0, 0]], [1, 1], ValueError, "supports has row 1 without a label"),
        ([[1, 0], [0, 1], [1, 0]], [1, 1, 2], ValueError, r"supports has \{0\} in rows 0, 2"),
        ([[1, 0], [0, 1]], [0.5, 0.5], TypeError, r"counts has 0.5 for \{0\}.*if it is a prob"),
        ([[1, 0], [0, 1]], [1, -1], ValueError, r"counts has -1 for \{1\}, expected at least 0"),
        ([[1, 0], [0, 2]], [1, 1], ValueError, "supports has 2 in row 1, column 1: multi-hot"),
        ([[1, 0], [0, 1]], [1], ValueError, r"counts must have shape \(2,\)"),
        ([[1, 0], [0, 1]], [0, 0], ValueError, "counts must have a positive one"),
        ([1, 0], [1, 1], ValueError, r"supports must be multi-hot, of shape \(N, K\)"),
    ],
)
def test_a_bad_table_is_refused_by_name(supports, counts, error, message):
    with pytest.raises(error, match=message):
        data.support_table(supports, counts)


def test_supports_of_no_possible_size_are_refused():
    with pytest.raises(ValueError, match="a label set of 5 labels, expected 1 to 4"):
        data.all_supports(4, {5: 1})
    with pytest.raises(ValueError, match="size 2 has 3 counts, expected 6"):
        data.all_supports(4, {2: [1, 2, 3]})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": (4, 6), "placement": "grid"}, r"\{0, 1, 2\} does not fit: .* 2 tiles of 4×3 on "),
        ({"size": (7, 100)}, None),  # a row of cells
        ({"size": (4, 100), "placement": "corners"}, r"\{0, 1, 2\} does not fit.* 2 tiles"),
        ({"size": (3, 90)}, r"does not fit: placement 'free' has room for 0 tiles"),
        ({"placement": "fre"}, "unknown placement 'fre'; did you mean free"),
        ({"placement": "grid", "shift": 1}, "shift is 1, but placement is 'grid': expected 0"),
        ({"placement": "corners", "shift": 6}, "shift is 6, expected at most 5"),
    ],
)
def test_a_placement_that_does_not_fit_is_refused_by_name(tiles, options, message):
    if message is None:
        make(tiles, **options)
        return
    with pytest.raises(ValueError, match=message):
        make(tiles, **options)


def test_a_class_that_nobody_has_is_refused_where_it_is_asked_for(tiles):
    supports = [[1, 0, 0, 0, 0], [0, 1, 0, 0, 1]]
    with pytest.raises(ValueError, match=r"class 4 has no image, but label set \{1, 4\} asks"):
        make(tiles, table=(supports, [1, 1]))
    made = make(tiles, table=([[*row[:4], 0] for row in supports], [1, 1]))
    assert made.manifest()["class_counts"] == [1, 1, 0, 0, 0]  # else it is on no canvas


@pytest.mark.unchecked
def test_images_that_are_not_those_of_the_layout_are_refused(tiles):
    images, labels = tiles
    layout = make(tiles).layout
    with pytest.raises(ValueError, match=r"images are 3×3, but the layout has tiles of \(4, 3\)"):
        data.paint(images[:, :, :3], layout)
    with pytest.raises(TypeError, match=r"images must be uint8, got torch.int64"):
        data.paint(images.long(), layout)
    with pytest.raises(ValueError, match=r"images must have shape \(48, C, H, W\)"):
        make((images[:9], labels))


# Distractors, scales, and where a label's tile stands


@pytest.fixture(scope="module")
def blocks():
    """Images of 8×6 random pixels."""
    values = torch.randint(1, 256, (48, 2, 8, 6), generator=torch.Generator().manual_seed(0))
    return values.byte(), torch.arange(48) % 4


def test_distractors_and_smaller_tiles_stand_behind_the_labels_tiles(blocks):
    images, labels = blocks
    _, layout = data.canvases(images, labels, *TABLE, size=(24, 24), distractors=2, shrink=4)
    sizes = layout.labels.sum(1)
    assert torch.equal((layout.tiles >= 0).sum(1), sizes + 2)
    for shown, chosen in zip(layout.labels, layout.tiles, strict=True):
        of_labels = labels[chosen[: int(shown.sum())]].tolist()
        assert of_labels == shown.nonzero()[:, 0].tolist()
    assert not any(overlaps(boxes) for boxes in layout.boxes)
    extents = layout.boxes[layout.tiles >= 0][:, 2:]
    assert {tuple(e) for e in extents.tolist()} == {(8, 6), (4, 3)}  # by 1 and 2, not 3 and 4


def test_a_smaller_tile_is_the_average_of_its_image(blocks):
    images, labels = blocks
    made, layout = data.canvases(images, labels, *TABLE, size=(24, 24), shrink=2)
    for n in range(0, len(layout), 5):
        top, left, h, w = layout.boxes[n, 0].tolist()
        f = 8 // h
        tile = images[layout.tiles[n, 0]].double().view(2, h, f, w, f).mean((2, 4))
        assert torch.equal(made[n, :, top : top + h, left : left + w], tile.round().byte())


def test_a_distractor_has_the_blocks_of_an_image_and_none_in_its_place(blocks):
    images, labels = blocks[0][:, :, :, :4].contiguous(), blocks[1]  # 8×4: blocks of 2×1
    made, layout = data.canvases(images, labels, *TABLE, size=(16, 16), distractors=1)
    for n in range(0, len(layout), 3):
        slot = int(layout.labels[n].sum())
        top, left, h, w = layout.boxes[n, slot].tolist()
        cut = [
            picture.view(2, 4, 2, 4, 1).permute(1, 3, 0, 2, 4).reshape(16, -1)
            for picture in (
                made[n, :, top : top + h, left : left + w],
                images[layout.tiles[n, slot]],
            )
        ]
        assert sorted(map(tuple, cut[0].tolist())) == sorted(map(tuple, cut[1].tolist()))
        assert not (cut[0] == cut[1]).all(1).any()


@pytest.mark.parametrize("placement", ["free", "wrapped-corners"])
def test_boxes_and_cover_of_a_label_are_where_its_tile_is(tiles, placement):
    """A canvas of one class's tiles alone, painted as ones, covers what the label covers."""
    images, labels = torch.ones_like(tiles[0][:, :1]), tiles[1]
    layout = data.lay_out(labels, *TABLE, tile=(4, 3), size=(12, 12), placement=placement)
    cover = layout.label_cover((6, 4))
    assert cover.shape == (len(layout), 4, 6, 4)
    for k in range(4):
        boxes = torch.full_like(layout.boxes[:, :1], -1)
        chosen = torch.full_like(layout.tiles[:, :1], -1)
        shown = layout.labels[:, k]
        boxes[shown, 0] = layout.label_boxes[shown, k]
        chosen[shown] = 0
        alone = data.Layout((12, 12), layout.labels, chosen, boxes)
        cells = data.paint(images, alone).float().view(-1, 6, 2, 4, 3).mean((2, 4))
        torch.testing.assert_close(cover[:, k], cells)
        assert (layout.label_boxes[~shown, k] == -1).all()
    with pytest.raises(ValueError, match=r"grid is \(5, 4\), expected divisors of \(12, 12\)"):
        layout.label_cover((5, 4))


def test_distractors_that_do_not_fit_are_refused(blocks):
    with pytest.raises(ValueError, match=r"does not fit beside distractors 2: .* room for 4 tiles"):
        data.canvases(*blocks, *TABLE, size=(16, 12), distractors=2)
    with pytest.raises(ValueError, match="distractors is 1, but tiles of 4×3 cannot be cut"):
        data.lay_out(blocks[1], *TABLE, tile=(4, 3), size=(16, 12), distractors=1)


# Data sets


@pytest.mark.parametrize("preset", data.CANVAS_PRESETS["canvas-digits"])
def test_canvases_of_digits_have_the_class_sizes_that_their_entry_says(preset):
    options = data.CANVAS_PRESETS["canvas-digits"][preset]
    info = data.info("canvas-digits", options)
    dataset = data.load("canvas-digits", options=options)
    assert dataset.info.shape == info.shape == dataset.train.images.shape[1:]
    sizes = dataset.train.labels.sum(0)
    assert (int(sizes.min()), int(sizes.max())) == info.train_per_class
    assert info.task == "multi_label"
    assert dataset.train.labels.dtype == torch.bool


def test_canvases_for_testing_are_made_of_test_images():
    digits, made = data.load("digits"), data.load_canvases("canvas-digits")
    for split, (images, layout) in made.items():
        source = getattr(digits, split)
        first = layout.boxes[:, 0]
        for n in range(0, len(layout), 97):
            top, left, h, w = first[n].tolist()
            rolled = images[n].roll((-top, -left), (1, 2))[:, :h, :w]
            if layout.labels[n].sum() == 1:
                assert torch.equal(rolled, source.images[layout.tiles[n, 0]])
        assert made[split].manifest()["uses_of_a_tile"] == 1


def test_the_defaults_have_the_ratio_of_the_published_sets():
    """3,100 canvases a class and 200 a pair; 800 and 50 for testing."""
    cifar, digits = (
        {name: o.default for name, o in data.info(f"canvas-{base}").options.items()}
        for base in ("cifar10", "digits")
    )
    assert [cifar[n] for n in ("single", "pair", "test_single", "test_pair")] == [
        3100,
        200,
        800,
        50,
    ]
    assert digits["single"] == round(digits["pair"] * 3100 / 200)
    assert digits["test_single"] == digits["test_pair"] * 800 / 50
    assert data.info("canvas-cifar10").shape == (3, 64, 64)
    assert data.info("canvas-cifar10").train_per_class == (4900, 4900)


def test_ratios_fall_from_class_to_class_and_over_thirds_of_the_pairs():
    table = data.load_canvases(
        "canvas-digits", options={"single": 60, "single_ratio": 10, "pair": 9, "pair_ratio": 9}
    )
    train, test = (table[split].manifest()["support_counts"] for split in ("train", "test"))
    assert [train[str(k)] for k in range(10)] == data.long_tail_counts(10, 60, 10)
    pairs = {pair: n for pair, n in train.items() if " " in pair}
    for pair, count in pairs.items():
        assert count == [9, 3, 1][sum(map(int, pair.split())) % 3]
    assert sorted(pairs.values()) == [1] * 15 + [3] * 15 + [9] * 15
    assert {n for pair, n in test.items() if " " not in pair} == {16}  # balanced


def test_tiles_are_averaged_down():
    made = data.load_canvases(
        "canvas-digits",
        options={"tile": 4, "height": 4, "width": 8, "placement": "grid", "shift": 0},
    )["train"]
    source = data.load("digits").train.images
    top, left, h, w = made.layout.boxes[0, 0].tolist()
    tile = source[made.layout.tiles[0, 0]].double().view(4, 2, 4, 2).mean((1, 3))
    assert torch.equal(made.images[0, 0, top : top + h, left : left + w], tile.round().byte())


# Long-tailed label sets


@pytest.mark.parametrize("rate", [0, 50, 100])
def test_the_dial_leaves_class_counts_and_groups_as_they_are(rate):
    options = data.CANVAS_PRESETS["canvas-digits"][f"head-tail-{rate}"]
    made = data.load_canvases("canvas-digits", options=options)
    labels = made["train"].layout.labels
    found = data.label_statistics(labels)
    assert set(found.sizes.nonzero()[:, 0].tolist()) == {2}
    expected = 50 ** -torch.linspace(0, 1, 10).double()
    expected *= 800 / expected.sum()
    assert (found.class_counts - expected).abs().max() <= 3
    assert (found.head, found.tail) == ((0, 1, 2), (7, 8, 9))
    assert abs(found.tail_images_with_head - rate / 100 * found.tail_images) <= 1
    test = made["test"].layout.labels  # all pairs alike, whatever the dial says
    assert {int(n) for n in data.tabulate(test).counts} == {4, 5}


def test_test_canvases_may_be_long_tailed_too():
    options = {**data.CANVAS_PRESETS["canvas-digits"]["head-tail-100"], "test_ratios": "training"}
    made = data.load_canvases("canvas-digits", options=options)["test"].layout.labels
    assert (
        data.label_statistics(made, train_counts=[100] * 3 + [50] * 4 + [9] * 3).head_tail_rate == 1
    )


def test_label_sets_of_voc_lt_keep_their_proportions():
    info = data.info("canvas-cifar100-coarse")
    assert (info.shape, info.num_classes) == ((3, 64, 64), 20)
    table = info.train_supports
    voc = data.tabulate(data.label_list("voc-lt").labels)
    published = {tuple(s.tolist()): int(n) for s, n in zip(*voc, strict=True)}
    for support, count in zip(*table, strict=True):
        assert abs(int(count) - 2000 / 1142 * published[tuple(support.tolist())]) < 1
    counts = (table.supports * table.counts[:, None]).sum(0)
    expected = 2000 / 1142 * (voc.supports * voc.counts[:, None]).sum(0)
    rare = expected < 20
    assert (counts - expected)[rare].abs().max() <= 2
    labels = table.supports.repeat_interleave(table.counts, dim=0)
    assert data.label_statistics(labels).head_tail_rate == 1  # as of the published list
    assert info.train_per_class == (int(counts.min()), int(counts.max()))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        (
            "canvas-digits",
            {"label_sets": "voc-lt", "test_ratios": "natural"},
            "has 20 classes, but",
        ),
        ("canvas-digits", {"head_tail": 0.5}, "head_tail is 0.5, but label_sets is 'counted', so"),
        (
            "canvas-digits",
            {"label_sets": "long-tailed", "single": 5},
            "single is 5, but label_sets is 'long-tailed', so nothing depends on it: expected 78",
        ),
        ("canvas-digits", {"test_ratios": "natural"}, "'natural', but label_sets is 'counted'"),
        ("canvas-cifar100-coarse", {"test_ratios": "balanced"}, "expected natural or training"),
        ("canvas-cifar100-coarse", {"canvases": 30}, "class 0 would be on no canvas for"),
        ("canvas-cifar100-coarse", {"head_tail": 1.5}, "head_tail is 1.5, expected 0 to 1"),
        ("canvas-cifar100-coarse", {"distractors": 11}, "does not fit beside distractors 11"),
        (
            "canvas-digits",
            {"label_sets": "long-tailed", "label_ratio": 1},
            "classes have 400 to 400, expected some with at least 100",
        ),
        (
            "canvas-digits",
            {"label_sets": "long-tailed", "labels": 3, "label_ratio": 400},
            "labels 3, label_ratio 400 and head_tail 1.0: shares has 1.46",
        ),
    ],
)
def test_label_sets_that_cannot_be_are_refused_by_name(name, options, message):
    with pytest.raises(ValueError, match=message):
        data.info(name, options)


def test_options_that_came_later_leave_ids_alone():
    run = RunConfig(dataset="canvas-digits", loss="pal", **FIELDS)
    spelt = run.replace(dataset_options={"distractors": 0, "label_sets": "counted", "shrink": 1})
    assert spelt.id == run.id
    assert run.replace(dataset_options={"distractors": 1}).id != run.id


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"singel": 3}, "unknown option of data set 'canvas-digits': 'singel'.*single"),
        ({"single": -1}, "option single is -1, expected 0 or more"),
        ({"single": 1.5}, "option single is 1.5, expected a whole number"),
        ({"placement": "corner"}, "option placement is 'corner', expected one of corners"),
        ({"tile": 3}, "option tile is 3, expected a divisor of 8"),
        ({"height": 8, "width": 8}, r"label set \{0, 1\} does not fit"),
        ({"single": 0, "pair": 0}, "options single, pair, triple are 0: there are no canvases"),
        ({"single_ratio": 100}, "class 9 of 10 would be empty"),
    ],
)
def test_bad_options_are_refused_by_name(options, message):
    with pytest.raises(ValueError, match=message):
        data.load("canvas-digits", options=options)
    with pytest.raises(ValueError, match=message):
        RunConfig(dataset="canvas-digits", dataset_options=options, **FIELDS)


def test_only_canvases_have_options_and_layouts():
    with pytest.raises(ValueError, match="data set 'digits' takes no options, got 'single'"):
        data.load("digits", options={"single": 3})
    with pytest.raises(ValueError, match="digits has no canvases: expected one of canvas-digits"):
        data.load_canvases("digits")


# Configurations


def test_one_run_has_one_id_whether_defaults_are_spelt_out_or_not():
    run = RunConfig(dataset="canvas-digits", loss="pal", **FIELDS)
    spelt = RunConfig(
        dataset="canvas-digits", loss="pal", dataset_options={"pair": 5, "shift": 1}, **FIELDS
    )
    assert spelt == run
    assert spelt.id == run.id
    assert run.replace(dataset_options={"pair": 4}).id != run.id
    assert RunConfig.model_validate_json(run.to_json()) == run


def test_a_data_set_without_options_leaves_ids_alone():
    run = RunConfig(dataset="digits", **FIELDS)
    assert "dataset_options" not in run.to_json()
    canvases = RunConfig(dataset="canvas-digits", loss="pal", **FIELDS)
    assert canvases.replace(dataset="digits", loss="mse") == run
    assert run.replace(dataset="canvas-digits", loss="pal") == canvases


@pytest.mark.parametrize("changes", [{"per_class": 5}, {"imbalance": 10}])
def test_subsets_of_canvases_are_refused_by_name(changes):
    with pytest.raises(ValueError, match=r"several labels an image"):
        RunConfig(dataset="canvas-digits", loss="pal", **FIELDS, **changes)
