"""Losses of long-tailed images with several labels: transcriptions, by hand, and at the edges."""

import math
from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nclib import geometry, losses

COUNTS, SAMPLES = [100, 30, 7, 1], 110
TARGETS = torch.tensor(  # images with none, one, some and all of four labels
    [[0, 0, 0, 0], [0, 1, 0, 0], [1, 0, 1, 0], [1, 1, 1, 1], [0, 1, 1, 0], [0, 0, 1, 1]]
)


def numbers(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return 2 * torch.randn(*shape, generator=generator, dtype=torch.float64)


# Slow and literal: one sample, one class, one number at a time.


def sigmoid(z):
    return 1 / (1 + math.exp(-z))


def entries(rows, targets):
    """Logit, label and class of every entry."""
    for row, target in zip(rows, targets, strict=True):
        for k, (z, y) in enumerate(zip(row, target, strict=True)):
            yield z, y, k


def mean(values):
    values = list(values)
    return sum(values) / len(values)


def slow_binary_focal(rows, targets, gamma=2.0):
    def one(z, y):
        q = sigmoid(z) if y else 1 - sigmoid(z)
        return -((1 - q) ** gamma) * math.log(q)

    return mean(one(z, y) for z, y, _ in entries(rows, targets))


def slow_class_balanced_focal(rows, targets, beta=0.9999, gamma=2.0):
    weights = [(1 - beta) / (1 - beta**n) for n in COUNTS]
    weights = [len(weights) * w / sum(weights) for w in weights]
    return mean(
        weights[k] * slow_binary_focal([[z]], [[y]], gamma) for z, y, k in entries(rows, targets)
    )


def slow_binary_ldam(rows, targets, max_margin=0.5, scale=30.0):
    margins = [n ** (-1 / 4) for n in COUNTS]
    margins = [max_margin * m / max(margins) for m in margins]

    def one(z, y, k):
        return math.log1p(math.exp(-scale * (z - margins[k]) if y else scale * z))

    return mean(one(*entry) for entry in entries(rows, targets))


def slow_asymmetric(rows, targets, gamma_neg=4.0, gamma_pos=1.0, clip=0.05):
    total = 0.0
    for z, y, _ in entries(rows, targets):
        p = sigmoid(z)
        shifted = max(p - clip, 0)
        if y:
            total -= (1 - p) ** gamma_pos * math.log(p)
        else:
            total -= shifted**gamma_neg * math.log(1 - shifted)
    return total


def slow_distribution_balanced(
    rows, targets, mu, lam, alpha=0.1, beta=10.0, init_bias=0.05, focal=True
):
    values = []
    for row, target in zip(rows, targets, strict=True):
        for k, (z, y) in enumerate(zip(row, target, strict=True)):
            if any(target):
                repeated = sum(1 / n for n, there in zip(COUNTS, target, strict=True) if there)
                weight = alpha + sigmoid(beta * (1 / COUNTS[k] / repeated - mu))
            else:
                weight = alpha + 1
            kappa = init_bias / lam
            b = -math.log(SAMPLES / COUNTS[k] - 1)
            moved = z + kappa * b
            if y:
                q, share = sigmoid(moved), 1
            else:
                q, share = sigmoid(-lam * moved), 1 / lam
            modulation = 2 * (1 - q) ** 2 if focal else 1
            values.append(modulation * weight * share * -math.log(q))
    return mean(values)


def slow_two_way(rows, targets, t_pos=4.0, t_neg=1.0, reduction="positives"):
    def one(z, y):
        negatives = [math.exp(a / t_neg) for a, there in zip(z, y, strict=True) if not there]
        positives = [math.exp(-a / t_pos) for a, there in zip(z, y, strict=True) if there]
        if not negatives or not positives:
            return 0.0
        gap = t_neg * math.log(sum(negatives)) + t_pos * math.log(sum(positives))
        return math.log1p(math.exp(gap))

    total = 0.0
    for lists, labels in ((rows, targets), (zip(*rows, strict=True), zip(*targets, strict=True))):
        pairs = list(zip(lists, labels, strict=True))
        count = sum(any(y) for _, y in pairs) if reduction == "positives" else len(pairs)
        total += sum(one(z, y) for z, y in pairs) / count
    return total


def cosine(a, b):
    product = sum(x * y for x, y in zip(a, b, strict=True))
    return product / (math.hypot(*a) * math.hypot(*b)) if any(a) and any(b) else 0.0


def slow_feature_label_alignment(features, embeddings, targets):
    total, classes = 0.0, len(embeddings)
    for image, target in zip(features, targets, strict=True):
        for f, label, y in zip(image, embeddings, target, strict=True):
            sim = cosine(f, label)
            if y:
                inside = (1 + sim) / 2
            else:
                inside = 1 - (classes - 1) / classes * abs(1 / (classes - 1) + sim)
            total -= math.log(max(inside, 1e-6))
    return total / len(features) / classes


def slow_projected_collapse(features, centres, targets, tau=0.5, reduction="paper"):
    total, pairs = 0.0, 0
    for image, target in zip(features, targets, strict=True):
        for k, y in enumerate(target):
            if y:
                powers = [math.exp(cosine(image[k], centre) / tau) for centre in centres]
                total -= math.log(powers[k] / sum(powers))
                pairs += 1
    return total / (len(features) if reduction == "paper" else pairs)


class_balanced_focal = partial(losses.class_balanced_focal, counts=torch.tensor(COUNTS))
binary_ldam = partial(losses.binary_ldam, counts=torch.tensor(COUNTS))
distribution_balanced = partial(
    losses.distribution_balanced, counts=torch.tensor(COUNTS), num_samples=SAMPLES
)
VOC, COCO = {"mu": 0.3, "lam": 5.0}, {"mu": 0.2, "lam": 2.0}
OF_LOGITS = {
    "binary_focal": (losses.binary_focal, slow_binary_focal, {}),
    "binary_focal, root": (losses.binary_focal, slow_binary_focal, {"gamma": 0.5}),
    "class_balanced_focal": (class_balanced_focal, slow_class_balanced_focal, {}),
    "class_balanced_focal, options": (
        class_balanced_focal,
        slow_class_balanced_focal,
        {"beta": 0.9, "gamma": 1.0},
    ),
    "binary_ldam": (binary_ldam, slow_binary_ldam, {}),
    "binary_ldam, options": (binary_ldam, slow_binary_ldam, {"max_margin": 0.3, "scale": 2.0}),
    "asymmetric": (losses.asymmetric, slow_asymmetric, {}),
    "asymmetric, options": (
        losses.asymmetric,
        slow_asymmetric,
        {"gamma_neg": 2.0, "gamma_pos": 0.0, "clip": 0.0},
    ),
    "distribution_balanced": (distribution_balanced, slow_distribution_balanced, VOC),
    "distribution_balanced, plain": (
        distribution_balanced,
        slow_distribution_balanced,
        {**COCO, "focal": False},
    ),
    "distribution_balanced, options": (
        distribution_balanced,
        slow_distribution_balanced,
        {**COCO, "alpha": 0.3, "beta": 4.0, "init_bias": 1.0},
    ),
    "two_way": (losses.two_way, slow_two_way, {}),
    "two_way, options": (losses.two_way, slow_two_way, {"t_pos": 1.0, "t_neg": 2.0}),
    "two_way, paper": (losses.two_way, slow_two_way, {"reduction": "paper"}),
}
CLASS_WISE = {
    "feature_label_alignment": (
        losses.feature_label_alignment,
        slow_feature_label_alignment,
        {},
    ),
    "projected_collapse": (losses.projected_collapse, slow_projected_collapse, {}),
    "projected_collapse, pairs": (
        losses.projected_collapse,
        slow_projected_collapse,
        {"tau": 0.2, "reduction": "pairs"},
    ),
}


@pytest.mark.parametrize("name", OF_LOGITS)
def test_a_loss_of_the_logits_is_its_formula(name):
    function, slow, options = OF_LOGITS[name]
    logits = numbers(6, 4)
    expected = slow(logits.tolist(), TARGETS.tolist(), **options)
    for targets in (TARGETS, TARGETS.bool(), TARGETS.float()):
        value = function(logits, targets, **options)
        assert value.shape == ()
        assert value.item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", CLASS_WISE)
def test_a_loss_of_class_wise_features_is_its_formula(name):
    function, slow, options = CLASS_WISE[name]
    features, rows = numbers(6, 4, 5), numbers(4, 5, seed=1)
    features[2, 0] = 0  # has the cosine 0
    expected = slow(features.tolist(), rows.tolist(), TARGETS.tolist(), **options)
    for targets in (TARGETS, TARGETS.bool(), TARGETS.float()):
        value = function(features, rows, targets, **options)
        assert value.shape == ()
        assert value.item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", [name for name in OF_LOGITS if "asymmetric" not in name])
def test_gradients_of_the_losses_of_the_logits(name):
    function, _, options = OF_LOGITS[name]
    bound = partial(function, targets=TARGETS, **options)
    assert torch.autograd.gradcheck(bound, numbers(6, 4).requires_grad_())


@pytest.mark.parametrize("options", [{}, {"gamma_neg": 2.0, "gamma_pos": 0.5, "clip": 0.2}])
def test_the_powers_of_the_asymmetric_loss_get_no_gradient(options):
    logits = numbers(6, 4).requires_grad_()
    (gradient,) = torch.autograd.grad(losses.asymmetric(logits, TARGETS, **options), logits)
    down, up, clip = ({"gamma_neg": 4.0, "gamma_pos": 1.0, "clip": 0.05} | options).values()
    for (z, y, _), slope in zip(
        entries(logits.tolist(), TARGETS.tolist()), gradient.flatten().tolist(), strict=True
    ):
        p = sigmoid(z)
        positive = -((1 - p) ** up) * (1 - p)
        negative = (p - clip) ** down * p * (1 - p) / (1 - p + clip) if p > clip else 0.0
        assert slope == pytest.approx(positive if y else negative, rel=1e-9)


@pytest.mark.parametrize("name", CLASS_WISE)
def test_gradients_of_the_losses_of_class_wise_features(name):
    function, _, options = CLASS_WISE[name]
    features, rows = numbers(6, 4, 5).requires_grad_(), numbers(4, 5, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda h, c: function(h, c, TARGETS, **options), (features, rows)
    )


# By hand, and relations between them.


def test_losses_of_nothing_in_particular_are_the_logistic_loss():
    logits, targets = numbers(5, 4), TARGETS[1:]  # every image has a label
    plain = losses.binary_cross_entropy(logits, targets, reduction="mean")
    neutral = {"mu": 0.0, "lam": 1.0, "alpha": 0.5, "beta": 0.0, "init_bias": 0.0, "focal": False}
    for value in (
        losses.binary_focal(logits, targets, gamma=0.0),
        losses.class_balanced_focal(logits, targets, COUNTS, beta=0.0, gamma=0.0),
        losses.binary_ldam(logits, targets, COUNTS, max_margin=0.0, scale=1.0),
        losses.asymmetric(logits, targets, gamma_neg=0.0, gamma_pos=0.0, clip=0.0) / 20,
        losses.distribution_balanced(logits, targets, COUNTS, SAMPLES, **neutral),
    ):
        torch.testing.assert_close(value, plain)


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_weights_multiply_all_entries_of_their_class(power):
    logits, weight = numbers(6, 4), losses.inverse_frequency_weights(COUNTS, power=power)
    shares = [n**-power for n in COUNTS]
    shares = [4 * share / sum(shares) for share in shares]
    expected = sum(
        shares[k] * -math.log(sigmoid(z) if y else 1 - sigmoid(z))
        for z, y, k in entries(logits.tolist(), TARGETS.tolist())
    )
    value = losses.binary_cross_entropy(logits, TARGETS, weight=weight)
    assert value.item() == pytest.approx(expected / 6, rel=1e-12)


def test_two_way_by_hand():
    # One positive and one negative a row: softplus(z_n − z_p), whatever the temperatures.
    logits = torch.tensor([[1.0, 3.0], [2.0, -1.0]], dtype=torch.float64)
    targets = torch.tensor([[1, 0], [0, 1]])
    for options in ({}, {"t_pos": 1.0}, {"t_neg": 3.0}, {"reduction": "paper"}):
        # Rows: 3 − 1 and 2 + 1; columns: 2 − 1 and 3 + 1.
        expected = sum(math.log1p(math.exp(gap)) for gap in (2, 3, 1, 4)) / 2
        value = losses.two_way(logits, targets, **options)
        assert value.item() == pytest.approx(expected, rel=1e-12)


def test_rows_and_columns_without_positives_or_negatives():
    logits = numbers(3, 4)
    nobody, everybody = torch.zeros(3, 4), torch.ones(3, 4)
    for reduction in ("positives", "paper"):
        assert losses.two_way(logits, nobody, reduction=reduction) == 0
        assert losses.two_way(logits, everybody, reduction=reduction) == 0
    # A row with all labels counts, one with none does not: ("positives").
    mixed = torch.tensor([[1, 1, 1, 1], [0, 0, 0, 0], [1, 0, 0, 0]])
    expected = slow_two_way(logits.tolist(), mixed.tolist())
    assert losses.two_way(logits, mixed).item() == pytest.approx(expected, rel=1e-12)


def test_the_weights_of_an_image_depend_on_the_labels_that_share_it():
    # Of labels with 100 and 1 images, r is 1/101 and 100/101.
    options = {"mu": 0.3, "lam": 1.0, "init_bias": 0.0, "focal": False}
    values = [
        losses.distribution_balanced(
            torch.zeros(1, 2, dtype=torch.float64), torch.tensor([labels]), [100, 1], 200, **options
        ).item()
        for labels in ([1, 0], [1, 1], [0, 0])
    ]
    alone, together = sigmoid(10 * (1 - 0.3)), sigmoid(10 * (1 / 101 - 0.3))
    rare, rare_alone = sigmoid(10 * (100 / 101 - 0.3)), sigmoid(10 * (100 - 0.3))
    expected = [0.2 + alone + rare_alone, 0.2 + together + rare, 2.2]
    assert values == pytest.approx([math.log(2) * e / 2 for e in expected], rel=1e-12)


def test_a_label_that_every_image_has_counts_as_one_that_all_but_one_have():
    value, other = (
        losses.distribution_balanced(numbers(6, 4), TARGETS, [n, 30, 7, 1], 100, **VOC)
        for n in (100, 99)
    )
    assert value.item() == pytest.approx(other.item(), rel=1e-3)
    assert value.isfinite()


@given(st.integers(2, 12), st.integers(0, 2**12 - 1), st.integers(0, 9))
def test_alignment_is_zero_at_the_simplex_and_on_the_cone_around_it(num_classes, mask, extra):
    """Features of labels at l_c, the others at the cosine −1/(K − 1), wherever on that cone."""
    generator = torch.Generator().manual_seed(mask)
    etf = geometry.simplex_etf(num_classes, num_classes + extra, generator=generator)
    targets = torch.tensor([[mask >> k & 1 for k in range(num_classes)]])
    free = torch.randn(num_classes, num_classes + extra, generator=generator, dtype=torch.float64)
    free = free - (free * etf).sum(1, keepdim=True) * etf
    free = torch.nn.functional.normalize(free)
    cos = -1 / (num_classes - 1)
    on_cone = cos * etf + math.sqrt(1 - cos**2) * free
    features = 3 * torch.where(targets[0, :, None] > 0, etf, on_cone)
    value = losses.feature_label_alignment(features[None], etf, targets)
    assert value.item() == pytest.approx(0, abs=1e-12)
    away = losses.feature_label_alignment(features[None] + 0.1 * free, etf, targets)
    assert away > 1e-4


def test_collapse_is_least_at_the_centres_of_a_simplex():
    etf = geometry.simplex_etf(4, 6, generator=torch.Generator().manual_seed(0))
    value = losses.projected_collapse(5 * etf.expand(6, 4, 6), 2 * etf, TARGETS, reduction="pairs")
    least = math.log1p(3 * math.exp(-(1 + 1 / 3) / 0.5))  # of centres that are an ETF
    assert value.item() == pytest.approx(least, rel=1e-12)


def test_a_centre_that_is_zero_has_the_cosine_0():
    features = numbers(6, 4, 5)
    value = losses.projected_collapse(features, torch.zeros(4, 5), TARGETS, reduction="pairs")
    assert value.item() == pytest.approx(math.log(4), rel=1e-12)


# Free of scale, and at the ends.


@pytest.mark.parametrize("size", [1e-35, 1e-20, 1e20, 1e35])
@pytest.mark.parametrize("which", ["features", "rows"])
@pytest.mark.parametrize("name", CLASS_WISE)
def test_class_wise_losses_are_free_of_scale_in_single_precision(name, which, size):
    function, _, options = CLASS_WISE[name]
    leaves = {"features": numbers(6, 4, 5).float(), "rows": numbers(4, 5, seed=1).float()}

    def at(size):
        given_leaves = {**leaves, which: (size * leaves[which]).requires_grad_()}
        value = function(*given_leaves.values(), TARGETS, **options)
        return value, torch.autograd.grad(value, given_leaves[which])[0]

    (value, gradient), (expected, slope) = at(size), at(1.0)
    torch.testing.assert_close(value, expected, rtol=2e-6, atol=0)
    torch.testing.assert_close(size * gradient, slope, rtol=1e-4, atol=1e-6)


def every_loss(logits, features, rows, targets):
    """Each loss by name."""
    of_logits = {name: f(logits, targets, **o) for name, (f, _, o) in OF_LOGITS.items()}
    return of_logits | {
        name: f(features, rows, targets, **o) for name, (f, _, o) in CLASS_WISE.items()
    }


@pytest.mark.parametrize("size", [0.0, 1e-30, 1.0, 100.0, 1e10, 1e20])
def test_values_and_gradients_are_finite_at_the_ends(size):
    leaves = [(size * n).float() for n in (numbers(6, 4), numbers(6, 4, 5))]
    leaves.append(torch.ones(4, 5))
    for targets in (TARGETS, 0 * TARGETS, 0 * TARGETS + 1):
        given_leaves = [leaf.clone().requires_grad_() for leaf in leaves]
        for name, value in every_loss(*given_leaves, targets).items():
            assert value.isfinite(), name
            for slope in torch.autograd.grad(value, given_leaves, allow_unused=True):
                assert slope is None or slope.isfinite().all(), name


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_features_along_and_against_their_label(sign):
    rows = numbers(4, 5)
    features = (sign * rows).expand(6, 4, 5).clone().requires_grad_()
    value = losses.feature_label_alignment(features, rows, TARGETS)
    share = TARGETS.double().mean().item()
    # Against: every label is at log 1e-6, the others at 1 − ¾(1 − ⅓) = ½. Along: the others alone.
    ends = (share * -math.log(1e-6) + (1 - share) * math.log(2), (1 - share) * -math.log(1e-6))
    assert value.item() == pytest.approx(ends[sign > 0], rel=1e-6)
    (gradient,) = torch.autograd.grad(value, features)
    assert gradient.abs().max() < 1e-6  # a cosine is flat there


def test_one_class_alone():
    logits, targets = numbers(3, 1), torch.tensor([[1], [0], [1]])
    value = losses.two_way(logits, targets)  # rows have no negatives
    assert value.item() == pytest.approx(slow_two_way(logits.tolist(), targets.tolist()), rel=1e-12)
    features, rows = numbers(3, 1, 5).requires_grad_(), numbers(1, 5, seed=1)
    for name, (function, _, options) in CLASS_WISE.items():
        value = function(features, rows, targets, **options)
        assert value.isfinite(), name
        assert torch.autograd.grad(value, features)[0].isfinite().all(), name
    assert losses.projected_collapse(features, rows, targets) == 0  # no other centre


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_computed_in_float32(dtype):
    arguments = [n.to(dtype) for n in (numbers(6, 4), numbers(6, 4, 5), numbers(4, 5, seed=1))]
    full = every_loss(*(n.float() for n in arguments), TARGETS)
    for name, value in every_loss(*arguments, TARGETS).items():
        assert value.dtype == torch.float32
        assert value == full[name], name


def test_autocast_changes_no_value():
    arguments = [n.float() for n in (numbers(6, 4), numbers(6, 4, 5), numbers(4, 5, seed=1))]
    plain = every_loss(*arguments, TARGETS)
    with torch.autocast("cpu", torch.bfloat16):
        assert every_loss(*arguments, TARGETS) == plain


@pytest.mark.unchecked
def test_losses_compile_whole():
    arguments = numbers(6, 4), numbers(6, 4, 5), numbers(4, 5, seed=1), TARGETS.double()
    values = torch.compile(every_loss, backend="eager", fullgraph=True)(*arguments)
    for name, expected in every_loss(*arguments).items():
        torch.testing.assert_close(values[name], expected)


# What is refused.

LOGITS, FEATURES, ROWS = torch.zeros(6, 4), torch.zeros(6, 4, 5), torch.zeros(4, 5)
REFUSED = [
    (lambda: losses.binary_focal(LOGITS, TARGETS[:, :3]), r"targets .*\(6, 4\), as the logits"),
    (lambda: losses.binary_focal(LOGITS, 2 * TARGETS), r"targets has 2 in row 1, column 1"),
    (lambda: losses.binary_focal(LOGITS, TARGETS, gamma=-1.0), r"gamma is -1.0"),
    (lambda: losses.class_balanced_focal(LOGITS, TARGETS, [5, 0, 1, 1]), r"has 0 for class 1"),
    (lambda: losses.class_balanced_focal(LOGITS, TARGETS, COUNTS, beta=1.0), r"beta is 1.0"),
    (lambda: losses.class_balanced_focal(LOGITS, TARGETS, COUNTS, gamma=-1.0), r"gamma is -1.0"),
    (lambda: losses.binary_ldam(LOGITS, TARGETS, [1, 2]), r"counts .*\(4,\).* got \(2,\)"),
    (lambda: losses.binary_ldam(LOGITS, TARGETS, COUNTS, scale=0.0), r"scale is 0.0"),
    (lambda: losses.asymmetric(LOGITS, TARGETS, clip=1.0), r"clip is 1.0, expected in \[0, 1\)"),
    (lambda: losses.asymmetric(LOGITS, TARGETS, gamma_neg=-1.0), r"gamma_neg is -1.0"),
    (lambda: losses.two_way(LOGITS, TARGETS, t_pos=0.0), r"t_pos is 0.0"),
    (lambda: losses.two_way(LOGITS, TARGETS, reduction="mean"), r"unknown reduction 'mean'"),
    (
        lambda: losses.distribution_balanced(LOGITS, TARGETS, COUNTS, 99, **VOC),
        r"counts has 100 for class 0, expected at most num_samples = 99",
    ),
    (
        lambda: losses.distribution_balanced(LOGITS, TARGETS, COUNTS, 1, **VOC),
        r"num_samples 1 must be at least 2",
    ),
    (
        lambda: losses.distribution_balanced(LOGITS, TARGETS, COUNTS, 110, mu=0.3, lam=0.0),
        r"lam is 0.0",
    ),
    (
        lambda: losses.feature_label_alignment(FEATURES, ROWS[:3], TARGETS),
        r"features .* \(N, 3, 5\) for embeddings of shape \(3, 5\), got \(6, 4, 5\)",
    ),
    (
        lambda: losses.feature_label_alignment(LOGITS, ROWS, TARGETS),
        r"features must be class by class.*got \(6, 4\)",
    ),
    (
        lambda: losses.projected_collapse(FEATURES, ROWS, TARGETS[:2]),
        r"targets must have shape \(6, 4\), as the features .*, got \(2, 4\)",
    ),
    (lambda: losses.projected_collapse(FEATURES, ROWS, TARGETS, tau=0.0), r"tau is 0.0"),
    (
        lambda: losses.projected_collapse(FEATURES, ROWS, TARGETS, reduction="pair"),
        r"unknown reduction 'pair'; did you mean pairs",
    ),
]


@pytest.mark.unchecked
@pytest.mark.parametrize(("call", "match"), REFUSED)
def test_what_does_not_fit_is_refused(call, match):
    with pytest.raises(ValueError, match=match):
        call()


@pytest.mark.unchecked
def test_what_is_no_tensor_of_numbers_is_refused():
    with pytest.raises(TypeError, match=r"logits must be floating point, got torch.int64"):
        losses.two_way(TARGETS, TARGETS)
    with pytest.raises(TypeError, match=r"targets must be a torch\.Tensor, got list"):
        losses.asymmetric(LOGITS, TARGETS.tolist())
    with pytest.raises(TypeError, match=r"features must be floating point, got torch.int64"):
        losses.projected_collapse(FEATURES.long(), ROWS, TARGETS)
    with pytest.raises(TypeError, match=r"embeddings must be a torch\.Tensor, got list"):
        losses.feature_label_alignment(FEATURES, ROWS.tolist(), TARGETS)
