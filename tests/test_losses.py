"""Losses and class weights: against slow transcriptions, by hand, and at the edges."""

import itertools
import math
from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from nclib import geometry, losses
from nclib.losses._contrastive import _drawn

COUNTS = [100, 30, 7, 1]


# Slow and literal: one sample, one class, one number at a time.


def softmax(row):
    top = max(row)
    powers = [math.exp(z - top) for z in row]
    return [power / sum(powers) for power in powers]


def cross_entropies(rows, labels):
    return [-math.log(softmax(row)[y]) for row, y in zip(rows, labels, strict=True)]


def mean(values, labels, weight):
    if weight is None:
        return sum(values) / len(values)
    chosen = [weight[y] for y in labels]
    return sum(w * v for w, v in zip(chosen, values, strict=True)) / sum(chosen)


def slow_ldam(rows, labels, counts, max_margin=0.5, scale=30.0, weight=None):
    largest = max(n ** (-1 / 4) for n in counts)
    margins = [max_margin * n ** (-1 / 4) / largest for n in counts]
    moved = [
        [scale * (z - margins[k] if k == y else z) for k, z in enumerate(row)]
        for row, y in zip(rows, labels, strict=True)
    ]
    return mean(cross_entropies(moved, labels), labels, weight)


def slow_logit_adjusted(rows, labels, counts, tau=1.0, weight=None):
    moved = [
        [z + tau * math.log(counts[k] / sum(counts)) for k, z in enumerate(row)] for row in rows
    ]
    return mean(cross_entropies(moved, labels), labels, weight)


def slow_balanced_softmax(rows, labels, counts, weight=None):
    values = []
    for row, y in zip(rows, labels, strict=True):
        powers = [n * math.exp(z) for n, z in zip(counts, row, strict=True)]
        values.append(-math.log(powers[y] / sum(powers)))
    return mean(values, labels, weight)


def slow_focal(rows, labels, counts, gamma=2.0, weight=None):
    values = []
    for row, y in zip(rows, labels, strict=True):
        p = softmax(row)[y]
        values.append(-((1 - p) ** gamma) * math.log(p))
    return mean(values, labels, weight)


def slow_effective_number_weights(counts, beta):
    inverse = [(1 - beta) / (1 - beta**n) for n in counts]
    return [len(counts) * w / sum(inverse) for w in inverse]


def slow_cb_focal(rows, labels, counts, beta=0.9999, gamma=2.0):
    weight = slow_effective_number_weights(counts, beta)
    return slow_focal(rows, labels, counts, gamma=gamma, weight=weight)


def focal(logits, labels, counts, **options):
    return losses.focal(logits, labels, **options)


def squared_distance(a, b):
    return sum((x - y) ** 2 for x, y in zip(a, b, strict=True))


def slow_within_class(rows, labels, centres):
    total = 0.0
    for k, centre in enumerate(centres):
        members = [row for row, y in zip(rows, labels, strict=True) if y == k]
        if members:
            total += sum(squared_distance(row, centre) for row in members) / len(members)
    return total


def slow_center_loss(rows, labels, centres):
    distances = [squared_distance(row, centres[y]) for row, y in zip(rows, labels, strict=True)]
    return sum(distances) / len(rows)


def cosine(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True)) / (math.hypot(*a) * math.hypot(*b))


def slow_between_class(centres):
    middle = [sum(column) / len(centres) for column in zip(*centres, strict=True)]
    centred = [[x - m for x, m in zip(row, middle, strict=True)] for row in centres]
    nearest = []
    for k, row in enumerate(centred):
        angles = [math.acos(cosine(row, other)) for j, other in enumerate(centred) if j != k]
        nearest.append(min(angles))
    return -sum(nearest) / len(centres)


def slow_dot_regression(rows, labels, etf):
    terms = [(cosine(row, etf[y]) - 1) ** 2 for row, y in zip(rows, labels, strict=True)]
    return sum(terms) / len(rows) / 2


def slow_label_aware_smoothing(rows, labels, counts, head=0.4, tail=0.1):
    most, least, values = max(counts), min(counts), []
    for row, y in zip(rows, labels, strict=True):
        smooth = tail + (head - tail) * math.sin(
            math.pi * (counts[y] - least) / (2 * (most - least))
        )
        p = softmax(row)
        wanted = [1 - smooth if k == y else smooth / (len(row) - 1) for k in range(len(row))]
        values.append(-sum(q * math.log(x) for q, x in zip(wanted, p, strict=True)))
    return sum(values) / len(values)


def slow_arb(rows, labels, counts):
    values = []
    for row, y in zip(rows, labels, strict=True):
        denominator = sum(n / counts[y] * math.exp(z) for n, z in zip(counts, row, strict=True))
        values.append(-math.log(math.exp(row[y]) / denominator))
    return sum(values) / len(values)


def slow_ride(scores, labels, counts, diversity=0.2, spread=0.05, scale=30.0, weight=None):
    classes, experts = len(counts), len(scores[0])
    temperatures = [1.0] * classes
    if weight is not None:
        temperatures = [1 + spread * (classes * n / sum(counts) - 1) for n in counts]
        temperatures = [t / max(temperatures) for t in temperatures]
    square = (sum(temperatures) / classes) ** 2
    total = 0.0
    for e in range(experts):
        total += slow_ldam([row[e] for row in scores], labels, counts, scale=scale, weight=weight)
        apart = 0.0
        for row in scores:
            together = [sum(column) / experts for column in zip(*row, strict=True)]
            p, q = (
                softmax([scale * z / t for z, t in zip(zs, temperatures, strict=True)])
                for zs in (together, row[e])
            )
            apart += sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))
        total -= diversity * square * apart / len(scores)
    return total


def batch(rows, columns, num_classes, seed=0):
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(rows, columns, generator=generator, dtype=torch.float64)
    return values, torch.randint(num_classes, (rows,), generator=generator)


WEIGHT = [0.5, 1.0, 2.0, 0.25]
OF_LOGITS = {
    "ldam": (losses.ldam, slow_ldam, {}),
    "ldam, other options": (losses.ldam, slow_ldam, {"max_margin": 0.3, "scale": 10.0}),
    "logit_adjusted": (losses.logit_adjusted, slow_logit_adjusted, {}),
    "logit_adjusted, tau": (losses.logit_adjusted, slow_logit_adjusted, {"tau": 1.5}),
    "balanced_softmax": (losses.balanced_softmax, slow_balanced_softmax, {}),
    "focal": (focal, slow_focal, {}),
    "focal, root": (focal, slow_focal, {"gamma": 0.5}),
}
WITHOUT_WEIGHT = {
    "cb_focal": (losses.cb_focal, slow_cb_focal, {}),
    "label_aware_smoothing": (losses.label_aware_smoothing, slow_label_aware_smoothing, {}),
    "label_aware_smoothing, options": (
        losses.label_aware_smoothing,
        slow_label_aware_smoothing,
        {"head": 0.3, "tail": 0.0},
    ),
    "arb": (losses.arb, slow_arb, {}),
    "cb_focal, options": (losses.cb_focal, slow_cb_focal, {"beta": 0.9, "gamma": 1.0}),
}


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["plain", "weighted"])
@pytest.mark.parametrize("name", OF_LOGITS)
def test_a_loss_of_the_logits_is_its_formula(name, weight):
    function, slow, options = OF_LOGITS[name]
    logits, labels = batch(20, 4, 4)
    given_weight = None if weight is None else torch.tensor(weight)
    value = function(logits, labels, torch.tensor(COUNTS), weight=given_weight, **options)
    expected = slow(logits.tolist(), labels.tolist(), COUNTS, weight=weight, **options)
    assert value.shape == ()
    assert value.item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", WITHOUT_WEIGHT)
def test_a_loss_with_weights_of_its_own_is_its_formula(name):
    function, slow, options = WITHOUT_WEIGHT[name]
    logits, labels = batch(20, 4, 4)
    value = function(logits, labels, torch.tensor(COUNTS), **options)
    expected = slow(logits.tolist(), labels.tolist(), COUNTS, **options)
    assert value.item() == pytest.approx(expected, rel=1e-12)


def test_arb_counts_the_batch_where_no_counts_are_given():
    logits, labels = batch(20, 4, 3)  # class 3 is absent, so it does not repel
    counts = [int((labels == k).sum()) for k in range(4)]
    expected = slow_arb(logits.tolist(), labels.tolist(), counts)
    assert losses.arb(logits, labels).item() == pytest.approx(expected, rel=1e-12)
    inputs = (logits.requires_grad_(),)
    assert torch.autograd.gradcheck(partial(losses.arb, labels=labels), inputs)


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["plain", "weighted"])
@pytest.mark.parametrize("options", [{}, {"diversity": 0.5, "spread": 0.3, "scale": 5.0}])
def test_ride_is_its_formula(weight, options):
    scores, labels = batch(10, 12, 4)
    scores = scores.tanh().unflatten(1, (3, 4))
    given_weight = None if weight is None else torch.tensor(weight)
    value = losses.ride(scores, labels, COUNTS, weight=given_weight, **options)
    expected = slow_ride(scores.tolist(), labels.tolist(), COUNTS, weight=weight, **options)
    assert value.item() == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["plain", "weighted"])
def test_gradient_of_ride(weight):
    scores, labels = batch(5, 8, 4)
    given_weight = None if weight is None else torch.tensor(weight)
    # The mean is held fixed, so differences of values give the gradient of the LDAM part alone.
    options = {"diversity": 0.0, "scale": 3.0, "weight": given_weight}
    bound = partial(losses.ride, labels=labels, counts=COUNTS, **options)
    assert torch.autograd.gradcheck(bound, scores.tanh().unflatten(1, (2, 4)).requires_grad_())


def test_the_experts_mean_gets_no_gradient_from_ride():
    scores, labels = batch(5, 8, 4)
    scores = scores.tanh().unflatten(1, (2, 4)).requires_grad_()
    value, none = (losses.ride(scores, labels, COUNTS, diversity=d, scale=3.0) for d in (1.0, 0.0))
    (gradient,) = torch.autograd.grad(value - none, scores)
    # Of −KL(p̄ ‖ p_e) at fixed p̄, averaged over the batch: s (p̄ − p_e) / N.
    own = (3 * scores).softmax(2)
    together = (3 * scores).mean(1, keepdim=True).softmax(2)
    torch.testing.assert_close(gradient, 3 * (together - own) / 5)


OF_FEATURES = {
    "within_class": (losses.within_class, slow_within_class),
    "center_loss": (losses.center_loss, slow_center_loss),
    "dot_regression": (losses.dot_regression, slow_dot_regression),
}


@pytest.mark.parametrize("name", OF_FEATURES)
def test_a_loss_of_the_features_is_its_formula(name):
    function, slow = OF_FEATURES[name]
    features, labels = batch(12, 5, 3)  # of four classes, so one is absent
    centres, _ = batch(4, 5, 4, seed=1)
    value = function(features, labels, centres)
    expected = slow(features.tolist(), labels.tolist(), centres.tolist())
    assert value.shape == ()
    assert value.item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("num_classes", [3, 4, 9])
def test_between_class_is_its_formula(num_classes):
    centres, _ = batch(num_classes, 5, 1)
    centres = centres + 3  # centring is the loss's
    expected = slow_between_class(centres.tolist())
    assert losses.between_class(centres).item() == pytest.approx(expected, rel=1e-9)


ALL_OF_LOGITS = {**OF_LOGITS, **WITHOUT_WEIGHT}


@pytest.mark.parametrize("name", ALL_OF_LOGITS)
def test_gradients_of_the_losses_of_the_logits(name):
    function, _, options = ALL_OF_LOGITS[name]
    logits, labels = batch(6, 4, 4)
    bound = partial(function, labels=labels, counts=COUNTS, **options)
    assert torch.autograd.gradcheck(bound, logits.requires_grad_())


@pytest.mark.parametrize("name", OF_FEATURES)
def test_gradients_of_the_losses_of_the_features(name):
    features, labels = batch(6, 5, 3)
    centres, _ = batch(4, 5, 4, seed=1)
    function = OF_FEATURES[name][0]
    inputs = (features.requires_grad_(), centres.requires_grad_())
    assert torch.autograd.gradcheck(lambda h, c: function(h, labels, c), inputs)


def test_gradient_of_between_class():
    centres, _ = batch(5, 4, 1)
    present = torch.tensor([True, True, False, True, True])
    inputs = (centres.requires_grad_(),)
    assert torch.autograd.gradcheck(losses.between_class, inputs)
    assert torch.autograd.gradcheck(partial(losses.between_class, present=present), inputs)


def test_gradients_reach_the_features_through_batch_means():
    features, labels = batch(9, 3, 3)

    def regularised(features):
        means, counts = losses.class_means(features, labels, 4)
        within = losses.within_class(features, labels, means)
        return within + losses.between_class(means, present=counts > 0)

    assert torch.autograd.gradcheck(regularised, (features.requires_grad_(),))


# Contrastive losses.


def slow_contrastive(queries, labels, views, keys, key_labels, chosen, temperature, targets=None):
    """With the positives given: for each query, indices of keys."""
    total, pull = 0.0, 0.0
    for i, query in enumerate(queries):
        others = [views[i], *keys, *(targets or [])]
        powers = [math.exp(cosine(query, other) / temperature) for other in others]
        terms = [math.log(powers[0] / sum(powers))]
        terms += [math.log(powers[1 + j] / sum(powers)) for j in chosen[i]]
        total -= sum(terms) / len(terms)
        if targets is not None:
            pull -= math.log(powers[1 + len(keys) + labels[i]] / sum(powers))
    return total / len(queries), pull / len(queries)


def contrastive_batch():
    queries, labels = batch(6, 5, 3)
    views, _ = batch(6, 5, 3, seed=1)
    keys, key_labels = batch(20, 5, 3, seed=2)
    key_labels[:3] = -1  # of no class
    return queries, labels, views, keys, key_labels


def same_class(labels, key_labels):
    return [[j for j, k in enumerate(key_labels.tolist()) if k == y] for y in labels.tolist()]


def test_contrastive_loss_with_all_positives_is_its_formula():
    arguments = contrastive_batch()
    value = losses.supervised_contrastive(*arguments, temperature=0.3)
    chosen = same_class(arguments[1], arguments[4])
    lists = (tensor.tolist() for tensor in arguments)
    expected, _ = slow_contrastive(*lists, chosen, 0.3)
    assert value.item() == pytest.approx(expected, rel=1e-12)


def test_contrastive_loss_with_targets_is_its_formula():
    arguments = contrastive_batch()
    targets = geometry.simplex_etf(3, 5, generator=torch.Generator().manual_seed(3))
    value = losses.supervised_contrastive(
        *arguments, temperature=0.3, targets=targets, target_weight=0.7
    )
    lists = (tensor.tolist() for tensor in arguments)
    chosen = same_class(arguments[1], arguments[4])
    expected, pull = slow_contrastive(*lists, chosen, 0.3, targets.tolist())
    assert value.item() == pytest.approx(expected + 0.7 * pull, rel=1e-12)


def test_a_target_may_be_one_more_positive_of_its_weight():
    """(class + w · target)/(k + 2) of the released code of TSC: k positives and the other view."""
    arguments = contrastive_batch()
    targets = geometry.simplex_etf(3, 5, generator=torch.Generator().manual_seed(3))
    options = {"temperature": 0.3, "targets": targets, "target_weight": 0.2}
    value = losses.supervised_contrastive(*arguments, target_as="positive", **options)
    queries, labels, views, keys, _ = (tensor.tolist() for tensor in arguments)
    total = 0.0
    for query, label, view, chosen in zip(
        queries, labels, views, same_class(arguments[1], arguments[4]), strict=True
    ):
        others = [view, *keys, *targets.tolist()]
        powers = [math.exp(cosine(query, other) / 0.3) for other in others]
        log_p = [math.log(power / sum(powers)) for power in powers]
        of_class = log_p[0] + sum(log_p[1 + j] for j in chosen)
        total -= (of_class + 0.2 * log_p[1 + len(keys) + label]) / (len(chosen) + 2)
    assert value.item() == pytest.approx(total / 6, rel=1e-12)


def test_contrastive_loss_without_positives_is_that_of_the_two_views():
    arguments = contrastive_batch()
    value = losses.supervised_contrastive(*arguments, temperature=0.3, positives=0)
    lists = (tensor.tolist() for tensor in arguments)
    expected, _ = slow_contrastive(*lists, [[]] * 6, 0.3)
    assert value.item() == pytest.approx(expected, rel=1e-12)


def test_as_many_positives_as_there_are_is_all_of_them():
    arguments = contrastive_batch()
    every = losses.supervised_contrastive(*arguments)
    torch.testing.assert_close(losses.supervised_contrastive(*arguments, positives=20), every)
    torch.testing.assert_close(losses.supervised_contrastive(*arguments, positives=99), every)


def test_positives_are_drawn_without_replacement_and_all_alike():
    candidates = torch.tensor([[True, False, True, True, True, False]]).expand(4000, 6)
    drawn = _drawn(candidates, 3, torch.Generator().manual_seed(0))
    assert (drawn.sum(1) == 3).all()
    assert not drawn[:, [1, 5]].any()
    # Each is drawn with probability 3/4: five standard deviations are 0.034.
    torch.testing.assert_close(
        drawn[:, [0, 2, 3, 4]].double().mean(0),
        torch.full((4,), 0.75, dtype=torch.float64),
        rtol=0,
        atol=0.034,
    )
    few = torch.tensor([[True, False, False, True, False, False]])
    assert torch.equal(_drawn(few, 3, None), few)


def test_the_same_generator_draws_the_same_positives():
    arguments = contrastive_batch()
    first, second, third = (
        losses.supervised_contrastive(
            *arguments, positives=2, generator=torch.Generator().manual_seed(seed)
        )
        for seed in (0, 0, 1)
    )
    assert first == second
    assert first != third


def test_gradient_of_the_contrastive_loss():
    queries, labels, views, keys, key_labels = contrastive_batch()
    targets = geometry.simplex_etf(3, 5, generator=torch.Generator().manual_seed(3))

    def loss(queries, views):
        return losses.supervised_contrastive(
            queries, labels, views, keys, key_labels, temperature=0.5, targets=targets
        )

    assert torch.autograd.gradcheck(loss, (queries.requires_grad_(), views.requires_grad_()))


@given(st.permutations(range(5)))
def test_targets_are_assigned_as_the_best_of_all_permutations(order):
    etf = geometry.simplex_etf(5, 6, generator=torch.Generator().manual_seed(0))
    noise = torch.randn(5, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    centres = etf[list(order)] + 0.3 * noise
    assigned = losses.assigned_targets(centres, etf)
    unit = functional.normalize(centres)
    best = max((unit * etf[list(p)]).sum().item() for p in itertools.permutations(range(5)))
    assert (unit * assigned).sum().item() == pytest.approx(best, rel=1e-12)


# By hand.


def test_ldam_by_hand():
    # n = (16, 1): margins in proportion 1/2 : 1, so (1/4, 1/2). Logits 4·(0.75 − 0.25) = 2 and 0.
    value = losses.ldam(
        torch.tensor([[0.75, 0.0]], dtype=torch.float64), torch.tensor([0]), [16, 1], scale=4.0
    )
    assert value.item() == pytest.approx(math.log(1 + math.exp(-2)), rel=1e-12)


def test_logit_adjustment_by_hand():
    # Equal logits leave the priors: p_y = 0.9, 0.1; with τ = 2 they are 0.81 : 0.01.
    logits, labels = torch.zeros(2, 2, dtype=torch.float64), torch.tensor([0, 1])
    value = losses.logit_adjusted(logits, labels, [90, 10])
    assert value.item() == pytest.approx(-(math.log(0.9) + math.log(0.1)) / 2, rel=1e-12)
    value = losses.logit_adjusted(logits[:1], labels[:1], [90, 10], tau=2.0)
    assert value.item() == pytest.approx(math.log(82 / 81), rel=1e-12)


def test_balanced_softmax_by_hand():
    # e^z = (2, 1) and n = (3, 1): 6 : 1, so p_y = 6/7 and 1/7.
    logits = torch.tensor([[math.log(2), 0.0]], dtype=torch.float64)
    for label, p in enumerate((6 / 7, 1 / 7)):
        value = losses.balanced_softmax(logits, torch.tensor([label]), [3, 1])
        assert value.item() == pytest.approx(-math.log(p), rel=1e-12)


def test_focal_by_hand():
    # p_y = 3/4.
    logits = torch.tensor([[math.log(3), 0.0]], dtype=torch.float64)
    value = losses.focal(logits, torch.tensor([0]), gamma=2.0)
    assert value.item() == pytest.approx(math.log(4 / 3) / 16, rel=1e-12)


def test_class_balanced_focal_by_hand():
    # p_y = 3/4 and twice 1/2: (1/4)² log 4/3, (1/2)² log 2. β = 1/2 weighs n = (1, 3) as 7 : 4.
    logits = torch.tensor([[math.log(3), 0.0], [0.0, 0.0], [0.0, 0.0]], dtype=torch.float64)
    value = losses.cb_focal(logits, torch.tensor([0, 1, 1]), [1, 3], beta=0.5, gamma=2.0)
    expected = (7 * math.log(4 / 3) / 16 + 2 * 4 * math.log(2) / 4) / (7 + 4 + 4)
    assert value.item() == pytest.approx(expected, rel=1e-12)


def test_label_aware_smoothing_by_hand():
    # n = (5, 3, 1) are at 1, 1/2 and 0 of the way: ε = 0.4, 0.1 + 0.3/√2 and 0.1.
    logits = torch.tensor([[math.log(2), 0.0, 0.0]], dtype=torch.float64)  # p = (1/2, 1/4, 1/4)
    for label, smooth in enumerate((0.4, 0.1 + 0.3 / math.sqrt(2), 0.1)):
        value = losses.label_aware_smoothing(logits, torch.tensor([label]), [5, 3, 1])
        on_first = 1 - smooth if label == 0 else smooth / 2
        expected = on_first * math.log(2) + (1 - on_first) * math.log(4)
        assert value.item() == pytest.approx(expected, rel=1e-12)


def test_label_aware_smoothing_of_equal_counts_is_label_smoothing():
    logits, labels = batch(20, 4, 4)
    value = losses.label_aware_smoothing(logits, labels, [7, 7, 7, 7], head=0.3)
    # torch spreads over all classes, so 0.3 over the others is 0.4 over all four.
    torch.testing.assert_close(value, functional.cross_entropy(logits, labels, label_smoothing=0.4))


def test_arb_with_the_training_sets_counts_is_balanced_softmax():
    logits, labels = batch(20, 4, 4)
    value = losses.arb(logits, labels, COUNTS)
    assert value == losses.balanced_softmax(logits, labels, COUNTS)


def test_within_class_and_center_loss_by_hand():
    features = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 5.0]])
    labels, centres = torch.tensor([0, 0, 2]), torch.tensor([[0.0, 0.0], [9.0, 9.0], [0.0, 2.0]])
    # Class 0: (1 + 1)/2; class 1 absent; class 2: 9.
    assert losses.within_class(features, labels, centres).item() == 10
    assert losses.center_loss(features, labels, centres).item() == pytest.approx(11 / 3)


def test_between_class_by_hand():
    # Centred, the corners of a rectangle of half-sides √3 and 1: nearest angles of 60° everywhere.
    corners = torch.tensor([[3.0, 1.0], [3.0, -1.0], [-3.0, 1.0], [-3.0, -1.0]]).double()
    corners[:, 0] /= math.sqrt(3)
    value = losses.between_class(corners + torch.tensor([5.0, 7.0]))
    assert value.item() == pytest.approx(-math.pi / 3, rel=1e-9)


def test_dot_regression_by_hand():
    # Cosines 1, 0 and −1: shortfalls 0, 1 and 2.
    features = torch.tensor([[2.0, 0.0], [0.0, 3.0], [-4.0, 0.0]])
    value = losses.dot_regression(features, torch.tensor([0, 0, 0]), 5 * torch.eye(2))
    assert value.item() == pytest.approx((0 + 1 + 4) / 6)


def test_effective_number_weights_by_hand():
    # β = 1/2: (1/2)/(1 − 1/2), (1/2)/(1 − 1/8) are 1 and 4/7; times 2/(11/7).
    weights = losses.effective_number_weights([1, 3], beta=0.5)
    torch.testing.assert_close(weights, torch.tensor([14 / 11, 8 / 11], dtype=torch.float64))


# Relations between them.


def test_losses_of_nothing_in_particular_are_the_cross_entropy():
    logits, labels = batch(20, 4, 4)
    plain = functional.cross_entropy(logits, labels)
    weight = torch.tensor(WEIGHT, dtype=torch.float64)
    weighted = functional.cross_entropy(logits, labels, weight=weight)
    for value in (
        losses.ldam(logits, labels, COUNTS, max_margin=0.0, scale=1.0),
        losses.logit_adjusted(logits, labels, COUNTS, tau=0.0),
        losses.balanced_softmax(logits, labels, [7, 7, 7, 7]),
        losses.focal(logits, labels, gamma=0.0),
        losses.cb_focal(logits, labels, COUNTS, beta=0.0, gamma=0.0),
    ):
        torch.testing.assert_close(value, plain)
    for value in (
        losses.ldam(logits, labels, COUNTS, max_margin=0.0, scale=1.0, weight=weight),
        losses.focal(logits, labels, gamma=0.0, weight=weight),
    ):
        torch.testing.assert_close(value, weighted)


@pytest.mark.parametrize("beta", [0.0, 0.5, 0.99, 0.9999])
def test_effective_number_weights_are_their_formula_and_sum_to_the_number_of_classes(beta):
    weights = losses.effective_number_weights(COUNTS, beta=beta)
    expected = torch.tensor(slow_effective_number_weights(COUNTS, beta), dtype=torch.float64)
    torch.testing.assert_close(weights, expected, rtol=1e-11, atol=0.0)
    assert weights.sum().item() == pytest.approx(4, rel=1e-14)


def test_effective_number_weights_go_from_equal_to_inverse_frequency():
    equal = losses.effective_number_weights(COUNTS, beta=0.0)
    torch.testing.assert_close(equal, torch.ones(4, dtype=torch.float64))
    inverse = losses.effective_number_weights(COUNTS, beta=1 - 1e-12)
    torch.testing.assert_close(
        inverse, losses.inverse_frequency_weights(COUNTS), rtol=1e-4, atol=0.0
    )


def test_inverse_frequency_weights_give_every_class_the_same_total():
    weights = losses.inverse_frequency_weights(COUNTS)
    totals = weights * torch.tensor(COUNTS)
    torch.testing.assert_close(totals, totals[0].expand(4))
    assert weights.sum().item() == pytest.approx(4, rel=1e-14)


@given(st.integers(2, 12), st.integers(0, 6), st.floats(-5, 5))
def test_between_class_is_least_at_the_simplex(num_classes, extra, shift):
    dim = num_classes - 1 + extra
    generator = torch.Generator().manual_seed(num_classes * 10 + extra)
    etf = geometry.simplex_etf(num_classes, dim, generator=generator)
    others = torch.randn(num_classes, dim, generator=generator, dtype=torch.float64)
    value = losses.between_class(3 * etf + shift)
    least = -math.acos(max(-1 / (num_classes - 1), -(1 - 1e-6)))
    assert value.item() == pytest.approx(least, abs=1e-9)
    assert value <= losses.between_class(others) + 1e-9


@given(st.integers(0, 2**8 - 1), st.integers(0, 100))
def test_between_class_of_those_present_is_that_of_their_rows(mask, seed):
    centres, _ = batch(8, 3, 1, seed)
    present = torch.tensor([bool(mask >> k & 1) for k in range(8)])
    chosen = centres.masked_fill(~present[:, None], float("nan"))  # what is absent is not read
    value = losses.between_class(chosen, present=present)
    if present.any():
        torch.testing.assert_close(value, losses.between_class(centres[present]))
    else:
        assert value == 0


@given(st.integers(1, 30), st.integers(1, 6), st.integers(0, 100))
def test_class_means_are_those_of_a_loop(rows, num_classes, seed):
    features, labels = batch(rows, 3, num_classes, seed)
    means, counts = losses.class_means(features, labels, num_classes)
    for k in range(num_classes):
        members = features[labels == k]
        assert counts[k] == len(members)
        expected = members.mean(0) if len(members) else torch.zeros(3, dtype=torch.float64)
        torch.testing.assert_close(means[k], expected)


@given(st.integers(1, 30), st.integers(1, 6), st.integers(0, 100))
def test_class_means_of_several_labels_are_those_of_the_pairs(rows, num_classes, seed):
    features, _ = batch(rows, 3, num_classes, seed)
    pairs = torch.rand(rows, num_classes, generator=torch.Generator().manual_seed(seed)) < 0.3
    means, counts = losses.class_means(features, pairs.float(), num_classes)
    for k in range(num_classes):
        members = features[pairs[:, k]]
        assert counts[k] == len(members)
        expected = members.mean(0) if len(members) else torch.zeros(3, dtype=torch.float64)
        torch.testing.assert_close(means[k], expected)


@given(st.integers(1, 6), st.booleans(), st.integers(0, 100))
def test_misalignment_is_the_mean_of_one_minus_the_cosines(num_classes, centre, seed):
    generator = torch.Generator().manual_seed(seed)
    weight, means = torch.randn(2, num_classes, 4, generator=generator, dtype=torch.float64)
    present = torch.rand(num_classes, generator=generator) < 0.7
    value = losses.misalignment(weight, means, centre=centre, present=present)
    rows, mu = weight[present], means[present]
    if centre and len(rows):
        rows, mu = rows - rows.mean(0), mu - mu.mean(0)
    cosines = [
        0 if centre and len(rows) == 1 else (w @ m / w.norm() / m.norm()).item()
        for w, m in zip(rows, mu, strict=True)
    ]
    expected = sum(1 - cosine for cosine in cosines) / max(len(cosines), 1)
    assert value.item() == pytest.approx(expected, abs=1e-12)


def test_misalignment_is_free_of_scales_and_of_common_shifts():
    weight, means = torch.randn(2, 5, 4, dtype=torch.float64)
    value = losses.misalignment(weight, means)
    moved = losses.misalignment(7 * weight + torch.ones(4), 1e-200 * (means - 3))
    torch.testing.assert_close(value, moved)
    assert losses.misalignment(means, -means).item() == pytest.approx(2)


def test_rows_without_a_direction_have_no_gradient():
    for weight, means, centre in (
        (torch.zeros(3, 2), torch.randn(3, 2), False),
        (torch.ones(3, 2) / 3, torch.randn(3, 2), True),  # all at their mean
        (torch.randn(1, 2), torch.randn(1, 2), True),
    ):
        weight, means = weight.requires_grad_(), means.requires_grad_()
        value = losses.misalignment(weight, means, centre=centre)
        value.backward()
        assert value == 1
        assert not weight.grad.any()
        assert means.grad.isfinite().all()


def test_dot_regression_is_zero_at_the_vertices_whatever_the_lengths():
    etf = geometry.simplex_etf(4, 6, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([0, 1, 2, 3, 3])
    lengths = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0], dtype=torch.float64)
    features = lengths[:, None] * etf[labels]
    assert losses.dot_regression(features, labels, etf).item() == pytest.approx(0, abs=1e-15)


# Free of scale.


def of_scale(name, size, seed=0):
    """A loss whose named argument is a leaf of that size, and the leaf."""
    features, labels = batch(8, 5, 4, seed)
    centres, _ = batch(4, 5, 4, seed + 1)
    other, _ = batch(8, 5, 4, seed + 2)

    def loss(leaf):
        rows = {"features": features, "centres": centres, "other": other}
        rows = {key: value.to(leaf.dtype) for key, value in rows.items()}
        argument = name.rpartition(", ")[2]
        if argument != "weight":
            rows[argument] = leaf
        h, c, v = rows.values()
        if name.startswith("between_class"):
            return losses.between_class(c)
        if name.startswith("dot_regression"):
            return losses.dot_regression(h, labels, c)
        if name.startswith("contrastive"):
            return losses.supervised_contrastive(
                h, labels, v, v.roll(1, 0), labels.roll(1), temperature=0.5, targets=c
            )
        function = losses.focal if name.startswith("focal") else partial(losses.ldam, counts=COUNTS)
        return function(h[:, :4], labels, weight=leaf)

    weight = torch.tensor(WEIGHT, dtype=torch.float64)
    leaf = {"features": features, "centres": centres, "other": other, "weight": weight}
    return loss, size * leaf[name.rpartition(", ")[2]]


FREE_OF_SCALE = [
    "between_class, centres",
    "dot_regression, features",
    "dot_regression, centres",
    "contrastive, features",
    "contrastive, other",
    "contrastive, centres",
]


@pytest.mark.parametrize("size", [1e-35, 1e-25, 1e20, 1e35])
@pytest.mark.parametrize("name", [*FREE_OF_SCALE, "focal, weight", "ldam, weight"])
def test_what_is_free_of_scale_is_so_in_single_precision(name, size):
    loss, leaf = of_scale(name, 1.0)
    with_gradient = name in FREE_OF_SCALE
    leaf = leaf.float().requires_grad_(with_gradient)
    expected = loss(leaf)
    scaled = (size * leaf.detach()).requires_grad_(with_gradient)
    value = loss(scaled)
    torch.testing.assert_close(value, expected, rtol=2e-6, atol=0)
    if with_gradient:  # which goes as one over the scale
        (slope,) = torch.autograd.grad(expected, leaf)
        (gradient,) = torch.autograd.grad(value, scaled)
        assert gradient.isfinite().all()
        torch.testing.assert_close(size * gradient, slope, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("size", [1e-200, 1e-25, 1e20, 1e200])
@pytest.mark.parametrize("name", FREE_OF_SCALE)
def test_gradients_of_what_is_free_of_scale(name, size):
    loss, leaf = of_scale(name, size)
    # Differences of values are taken in units of the scale.
    unit = (leaf / size).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: loss(size * x), (unit,))


def test_scaling_by_a_power_of_two_changes_no_bit():
    for name in FREE_OF_SCALE:
        loss, leaf = of_scale(name, 1.0)
        for dtype in (torch.float32, torch.float64):
            assert loss(2.0**-70 * leaf.to(dtype)) == loss(leaf.to(dtype))


def test_targets_are_assigned_at_any_scale():
    etf = geometry.simplex_etf(4, 6, generator=torch.Generator().manual_seed(0)).float()
    for size in (1e-25, 1e20):
        assert torch.equal(
            losses.assigned_targets(size * etf[[2, 0, 3, 1]], etf), etf[[2, 0, 3, 1]]
        )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_centre_at_the_mean_up_to_rounding_is_at_a_right_angle_to_all(dtype):
    point = torch.tensor([[0.1, 0.7, 0.3]], dtype=dtype)
    equal = point.expand(7, 3).clone().requires_grad_()
    assert (equal - equal.mean(0)).any()  # their mean is off by rounding
    value = losses.between_class(equal)
    assert value.item() == pytest.approx(-math.pi / 2, rel=1e-6)
    (gradient,) = torch.autograd.grad(value, equal)
    assert (gradient == 0).all()


def test_focal_weights_are_divided_by_their_sum_or_by_the_count():
    logits, labels = batch(50, 4, 4)
    weight = torch.tensor(WEIGHT, dtype=torch.float64)
    rows = zip(logits.split(1), labels.split(1), strict=True)
    total = sum(weight[y] * losses.focal(z, y) for z, y in rows).item()
    mean, each = (
        losses.focal(logits, labels, weight=weight, normalisation=n) for n in ("weight", "count")
    )
    assert mean.item() == pytest.approx(total / weight[labels].sum().item(), rel=1e-12)
    assert each.item() == pytest.approx(total / 50, rel=1e-12)
    plain = losses.focal(logits, labels)
    assert losses.focal(logits, labels, normalisation="count") == plain


@pytest.mark.parametrize(("num_classes", "factor"), [(10, 5.8), (100, 4.9)])
def test_the_two_normalisations_differ_by_what_the_long_tail_makes_of_the_mean_weight(
    num_classes, factor
):
    largest = {10: 5000, 100: 500}[num_classes]
    counts = [int(largest * 100 ** (-k / (num_classes - 1))) for k in range(num_classes)]
    labels = torch.arange(num_classes).repeat_interleave(torch.tensor(counts))
    logits = torch.zeros(len(labels), num_classes)
    mean, each = (
        losses.cb_focal(logits, labels, counts, normalisation=n) for n in ("weight", "count")
    )
    assert mean.item() / each.item() == pytest.approx(factor, abs=0.05)


# Edges.


def every_loss(features, labels, centres, counts):
    """Each loss by name; the features serve as logits, of as many classes as there are columns."""
    means, numbers = losses.class_means(features, labels, len(centres))
    return {
        "ldam": losses.ldam(features, labels, counts),
        "logit_adjusted": losses.logit_adjusted(features, labels, counts),
        "balanced_softmax": losses.balanced_softmax(features, labels, counts),
        "focal": losses.focal(features, labels),
        "focal, root": losses.focal(features, labels, gamma=0.5),
        "cb_focal": losses.cb_focal(features, labels, counts),
        "label_aware_smoothing": losses.label_aware_smoothing(features, labels, counts),
        "arb": losses.arb(features, labels),
        "ride": losses.ride(torch.stack((features, -features), 1), labels, counts),
        "within_class": losses.within_class(features, labels, centres),
        "center_loss": losses.center_loss(features, labels, centres),
        "between_class": losses.between_class(means, present=numbers > 0),
        "dot_regression": losses.dot_regression(features, labels, centres),
    }


def assert_finite(features, labels, counts=None):
    num_classes = features.shape[1]
    counts = counts or list(range(num_classes, 0, -1))
    features = features.clone().requires_grad_()
    centres = torch.eye(num_classes, dtype=features.dtype)
    for name, value in every_loss(features, labels, centres, counts).items():
        assert value.isfinite(), name
        (gradient,) = torch.autograd.grad(value, features, retain_graph=True)
        assert gradient.isfinite().all(), name


@pytest.mark.parametrize("num_classes", [2, 5])
@pytest.mark.parametrize("rows", [1, 2, 7])
def test_one_class_in_a_batch(num_classes, rows):
    features, _ = batch(rows, num_classes, 1)
    labels = torch.full((rows,), num_classes - 1)
    assert_finite(features.float(), labels)
    means, counts = losses.class_means(features, labels, num_classes)
    assert losses.between_class(means, present=counts > 0) == 0
    if rows == 1:  # its own mean
        assert losses.within_class(features, labels, means) == 0


def test_absent_classes_add_nothing():
    features, labels = batch(10, 3, 2)
    centres, _ = batch(6, 3, 1)
    value = losses.within_class(features, labels, centres)
    assert value == losses.within_class(features, labels, centres[:2])
    (gradient,) = torch.autograd.grad(
        losses.within_class(features, labels, centres.requires_grad_()), centres
    )
    assert (gradient[2:] == 0).all()
    assert (gradient[:2] != 0).any(1).all()


@pytest.mark.parametrize("size", [0.0, 1e-30, 1e4, 1e15])
def test_extreme_values_stay_finite(size):
    features, labels = batch(8, 4, 4)
    assert_finite(size * features.float(), labels)
    assert_finite(size * torch.eye(4), torch.tensor([0, 1, 2, 3]))  # sure and right
    assert_finite(size * torch.eye(4), torch.tensor([1, 2, 3, 0]))  # sure and wrong


def test_extreme_imbalance_stays_finite():
    features, labels = batch(8, 4, 4)
    assert_finite(features.float(), labels, counts=[10**9, 10**6, 2, 1])


def test_coincident_and_opposite_centres_have_finite_gradients():
    centres = torch.tensor([[1.0, 0.0], [1.0, 0.0], [-2.0, 0.0]], requires_grad=True)
    value = losses.between_class(centres)
    # Two at angle 0, clamped; the third at 180° to both, clamped.
    small = math.acos(1 - 1e-6)
    assert value.item() == pytest.approx(-(2 * small + math.pi - small) / 3, rel=1e-3)
    (gradient,) = torch.autograd.grad(value, centres)
    assert gradient.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_computed_in_float32(dtype):
    features, labels = batch(8, 4, 4)
    features = features.to(dtype)
    centres = torch.eye(4).to(dtype)
    half = every_loss(features, labels, centres, COUNTS)
    full = every_loss(features.float(), labels, centres.float(), COUNTS)
    for name, value in half.items():
        assert value.dtype == torch.float32
        assert value == full[name], name


def test_autocast_changes_no_value():
    features, labels = batch(8, 4, 4)
    features, centres = features.float(), torch.eye(4)
    plain = every_loss(features, labels, centres, COUNTS)
    with torch.autocast("cpu", torch.bfloat16):
        inside = every_loss(features, labels, centres, COUNTS)
    assert inside == plain


def test_counts_are_taken_as_a_list_or_a_tensor_of_any_type():
    logits, labels = batch(8, 4, 4)
    value = losses.ldam(logits, labels, COUNTS)
    for dtype in (torch.int32, torch.int64, torch.float32):
        assert losses.ldam(logits, labels, torch.tensor(COUNTS, dtype=dtype)) == value


@pytest.mark.unchecked
def test_losses_compile_whole():
    features, labels = batch(8, 4, 4)
    centres = torch.eye(4, dtype=torch.float64)
    counts = torch.tensor(COUNTS)
    compiled = torch.compile(every_loss, backend="eager", fullgraph=True)
    values = compiled(features, labels, centres, counts)
    for name, expected in every_loss(features, labels, centres, counts).items():
        torch.testing.assert_close(values[name], expected)


# What is refused.

LOGITS, LABELS = torch.zeros(3, 2), torch.tensor([0, 1, 1])


@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: losses.focal(LOGITS, LABELS[:2]), ValueError, r"labels.*\(3,\).*got \(2,\)"),
        (lambda: losses.focal(LOGITS, LABELS.float()), TypeError, r"integers.*float32"),
        (lambda: losses.focal(LOGITS.long(), LABELS), TypeError, r"logits.*int64"),
        (lambda: losses.focal(LOGITS[0], LABELS), ValueError, r"logits.*matrix.*\(2,\)"),
        (lambda: losses.focal(LOGITS[:0], LABELS[:0]), ValueError, r"logits.*rows.*\(0, 2\)"),
        (lambda: losses.focal(LOGITS, LABELS + 1), ValueError, r"label 2.*0 to 1"),
        (lambda: losses.center_loss(LOGITS, -LABELS, LOGITS), ValueError, r"label -1.*0 to 2"),
        (lambda: losses.focal(LOGITS, LABELS, gamma=-1.0), ValueError, r"gamma is -1.0"),
        (
            lambda: losses.focal(LOGITS, LABELS, weight=torch.ones(3)),
            ValueError,
            r"weight.*\(2,\).*got \(3,\)",
        ),
        (lambda: losses.ldam(LOGITS, LABELS, [1, 2, 3]), ValueError, r"counts.*\(2,\).*\(3,\)"),
        (lambda: losses.ldam(LOGITS, LABELS, [5, 0]), ValueError, r"counts has 0 for class 1"),
        (lambda: losses.ldam(LOGITS, LABELS, [5, 1], scale=0.0), ValueError, r"scale is 0.0"),
        (lambda: losses.ldam(LOGITS, LABELS, None), TypeError, r"counts must be numbers, got None"),
        (lambda: losses.ldam(LOGITS, LABELS, ["a", 1]), TypeError, r"numbers, got \['a', 1\]"),
        (lambda: losses.ldam(LOGITS, LABELS, [5, 1], scale="3"), TypeError, r"scale.* got '3'"),
        (
            lambda: losses.ldam(LOGITS, LABELS, [5, 1], weight=[1.0, -1.0]),
            ValueError,
            r"weight has -1.0 for class 1, expected 0 or more",
        ),
        (
            lambda: losses.focal(LOGITS, LABELS, weight=[math.nan, 1.0]),
            ValueError,
            r"weight has nan for class 0",
        ),
        (
            lambda: losses.focal(LOGITS, LABELS, weight=[0.0, 0.0]),
            ValueError,
            r"weight is 0 for every class",
        ),
        (
            lambda: losses.focal(LOGITS, LABELS, normalisation="counts"),
            ValueError,
            r"unknown normalisation 'counts'; did you mean count",
        ),
        (
            lambda: losses.ldam(LOGITS, LABELS, [math.inf, 1.0]),
            ValueError,
            r"counts has inf for class 0",
        ),
        (lambda: losses.class_means(LOGITS, LABELS, 0), ValueError, r"num_classes is 0"),
        (
            lambda: losses.class_means(LOGITS, torch.ones(2, 4), 4),
            ValueError,
            r"labels must have 3 rows, one for each row of features, got 2",
        ),
        (
            lambda: losses.misalignment(LOGITS, LOGITS[:2]),
            ValueError,
            r"weight and means of one shape \(K, P\), got \(3, 2\) and \(2, 2\)",
        ),
        (lambda: losses.effective_number_weights([5], beta="x"), TypeError, r"beta.*'x'"),
        (
            lambda: losses.between_class(LOGITS, present=[True, True, False]),
            TypeError,
            r"present must be a torch.Tensor, got list",
        ),
        (
            lambda: losses.supervised_contrastive(LOGITS, LABELS, LOGITS, LOGITS, [0, 1, 1]),
            TypeError,
            r"key_labels must be a torch.Tensor, got list",
        ),
        (
            lambda: losses.ldam(LOGITS, LABELS, [5, 1], max_margin=math.nan),
            ValueError,
            r"max_margin is nan",
        ),
        (
            lambda: losses.logit_adjusted(LOGITS, LABELS, [5, 1], tau=-1.0),
            ValueError,
            r"tau is -1.0",
        ),
        (
            lambda: losses.within_class(LOGITS, LABELS, torch.zeros(2, 3)),
            ValueError,
            r"centres.*\(K, 2\).*got \(2, 3\)",
        ),
        (
            lambda: losses.dot_regression(LOGITS, LABELS, torch.zeros(2, 3)),
            ValueError,
            r"etf.*\(K, 2\).*got \(2, 3\)",
        ),
        (
            lambda: losses.between_class(LOGITS, present=torch.ones(3)),
            ValueError,
            r"present must be boolean.*float32",
        ),
        (
            lambda: losses.label_aware_smoothing(LOGITS, LABELS, [5, 1], head=1.0),
            ValueError,
            r"head is 1.0.*\[0, 1\)",
        ),
        (
            lambda: losses.label_aware_smoothing(LOGITS[:, :1], LABELS * 0, [5]),
            ValueError,
            r"at least 2 classes, got 1",
        ),
        (
            lambda: losses.supervised_contrastive(LOGITS, LABELS, LOGITS[:2], LOGITS, LABELS),
            ValueError,
            r"views.*\(3, 2\), got \(2, 2\)",
        ),
        (
            lambda: losses.supervised_contrastive(LOGITS, LABELS, LOGITS, LOGITS, LABELS[:2]),
            ValueError,
            r"key_labels.*\(3,\).*got \(2,\)",
        ),
        (
            lambda: losses.supervised_contrastive(
                LOGITS, LABELS, LOGITS, LOGITS, LABELS, positives=-1
            ),
            ValueError,
            r"positives is -1",
        ),
        (
            lambda: losses.supervised_contrastive(
                LOGITS, LABELS, LOGITS, LOGITS, LABELS, targets=torch.eye(2)[:1]
            ),
            ValueError,
            r"label 1 is out of range: expected 0 to 0",
        ),
        (
            lambda: losses.supervised_contrastive(
                LOGITS, LABELS, LOGITS, LOGITS, LABELS, target_as="terms"
            ),
            ValueError,
            r"unknown target_as 'terms'; did you mean term",
        ),
        (
            lambda: losses.supervised_contrastive(LOGITS, -LABELS, LOGITS, LOGITS, LABELS),
            ValueError,
            r"label -1 is out of range",
        ),
        (
            lambda: losses.assigned_targets(LOGITS, LOGITS[:2]),
            ValueError,
            r"targets.*\(3, 2\), got \(2, 2\)",
        ),
        (lambda: losses.ride(LOGITS, LABELS, [5, 1]), ValueError, r"\(N, E, K\), got \(3, 2\)"),
        (
            lambda: losses.ride(LOGITS[:, None], LABELS[:2], [5, 1]),
            ValueError,
            r"labels.*\(3,\).*got \(2,\)",
        ),
        (
            lambda: losses.ride(LOGITS[:, None], LABELS, [5, 1], spread=1.0),
            ValueError,
            r"spread is 1.0",
        ),
        (
            lambda: losses.effective_number_weights([3, 1], beta=1.0),
            ValueError,
            r"beta is 1.0.*\[0, 1\)",
        ),
        (lambda: losses.effective_number_weights([3, -1]), ValueError, r"counts has -1"),
        (lambda: losses.inverse_frequency_weights([]), ValueError, r"counts must be a vector"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(call, error, match):
    with pytest.raises(error, match=match):
        call()


# Several labels an image.


def multi_hot_batch():
    """Images with none, one, some and all of four labels."""
    logits, _ = batch(6, 4, 4)
    rows = [[0, 0, 0, 0], [0, 1, 0, 0], [1, 0, 1, 0], [1, 1, 1, 1], [0, 1, 1, 0], [0, 0, 0, 1]]
    return logits, torch.tensor(rows)


def slow_pick_all_label(rows, targets, normalise="sum"):
    total = 0.0
    for row, target in zip(rows, targets, strict=True):
        chosen = [k for k, t in enumerate(target) if t]
        terms = [-math.log(softmax(row)[k]) for k in chosen]
        total += sum(terms) / (len(chosen) if normalise == "mean" and chosen else 1)
    return total / len(rows)


def slow_binary_cross_entropy(rows, targets, reduction="sum"):
    total = 0.0
    for row, target in zip(rows, targets, strict=True):
        p = [1 / (1 + math.exp(-z)) for z in row]
        terms = [-math.log(q if t else 1 - q) for q, t in zip(p, target, strict=True)]
        total += sum(terms) / (len(row) if reduction == "mean" else 1)
    return total / len(rows)


OF_SEVERAL = [
    (losses.pick_all_label, slow_pick_all_label, {}),
    (losses.pick_all_label, slow_pick_all_label, {"normalise": "mean"}),
    (losses.binary_cross_entropy, slow_binary_cross_entropy, {}),
    (losses.binary_cross_entropy, slow_binary_cross_entropy, {"reduction": "mean"}),
]


@pytest.mark.parametrize(("function", "slow", "options"), OF_SEVERAL)
def test_a_loss_of_several_labels_is_its_formula(function, slow, options):
    logits, targets = multi_hot_batch()
    expected = slow(logits.tolist(), targets.tolist(), **options)
    for given_targets in (targets, targets.bool(), targets.float()):
        value = function(logits, given_targets, **options)
        assert value.item() == pytest.approx(expected, rel=1e-12)
    bound = partial(function, targets=targets, **options)
    assert torch.autograd.gradcheck(bound, logits.requires_grad_())


@pytest.mark.parametrize("normalise", ["sum", "mean"])
def test_pick_all_label_of_one_label_an_image_is_the_cross_entropy(normalise):
    logits, labels = batch(9, 4, 4)
    value = losses.pick_all_label(logits, functional.one_hot(labels, 4).bool(), normalise=normalise)
    torch.testing.assert_close(value, functional.cross_entropy(logits, labels))


def test_losses_of_several_labels_stay_finite_and_are_computed_in_float32():
    logits = torch.tensor([[1e4, -1e4, 0.0]])
    for function in (losses.pick_all_label, losses.binary_cross_entropy):
        value = function(logits, torch.tensor([[0, 1, 0]]))
        assert 1e4 <= value < 3.1e4
        assert function(logits.bfloat16(), torch.tensor([[0, 1, 0]])).dtype == torch.float32


@pytest.mark.unchecked
@pytest.mark.parametrize("function", [losses.pick_all_label, losses.binary_cross_entropy])
def test_bad_labels_of_several_are_named(function):
    logits, targets = multi_hot_batch()
    with pytest.raises(ValueError, match=r"targets has 2 in row 0, column 1"):
        function(logits, targets + torch.tensor([0, 2, 0, 0]))
    with pytest.raises(ValueError, match=r"targets has 0\.5 in row 2, column 0"):
        function(logits, targets / 2 * torch.tensor([1, 0, 0, 0]))
    with pytest.raises(ValueError, match=r"targets must have shape \(6, 4\), as the logits"):
        function(logits, targets[:, :3])
    with pytest.raises(TypeError, match=r"targets must be a torch\.Tensor, got list"):
        function(logits, targets.tolist())
    option = "normalise" if function is losses.pick_all_label else "reduction"
    with pytest.raises(ValueError, match=f"unknown {option} 'none'; expected one of mean, sum"):
        function(logits, targets, **{option: "none"})
