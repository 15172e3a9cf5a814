"""The checks: losses by their literal formulas, descent, and searches that know no closed form."""

from __future__ import annotations

import math
from functools import cache
from itertools import pairwise

import numpy as np
import scipy
import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import cosine_similarity, normalize, softplus

from nclib import theory
from nclib.data import label_list, label_statistics, long_tail_sizes
from nclib.geometry import centring_matrix, pairwise_angles, simplex_etf
from nclib.papers import _cases
from nclib.papers._cases import at_least, at_most
from nclib.papers._claim import Evidence
from nclib.papers.mlc_nc import class_wise, tables
from nclib.papers.mlc_nc.class_wise import attend, fixed_optimum

ROUNDING = 1e-9


def embedding(num_classes: int, dim: int, seed: int = 0) -> Float[Tensor, "K P"]:
    """A simplex ETF in a random orientation."""
    return simplex_etf(num_classes, dim, generator=torch.Generator().manual_seed(seed))


def first(count: int, num_classes: int) -> Bool[Tensor, " K"]:
    """The labels 0 to count − 1."""
    return torch.arange(num_classes) < count


def random_labels(images: int, num_classes: int, seed: int) -> Bool[Tensor, "N K"]:
    """Labels that rare classes have rarely."""
    chances = long_tail_sizes(num_classes, 20.0, largest=0.8)
    uniform = torch.rand(
        images, num_classes, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )
    return uniform < chances


def alignment_loss(cosines: Tensor, labels: Tensor) -> Float[Tensor, ""]:
    """Equation (6) of the cosines of features and embeddings, (…, K)."""
    k = cosines.shape[-1]
    positive = (1 + cosines) / 2
    negative = 1 - (k - 1) / k * (1 / (k - 1) + cosines).abs()
    return -torch.where(labels, positive, negative).log().mean()


# --- Data and tables -----------------------------------------------------------------------------


def _co_occurrence(dataset: str, printed: float) -> Evidence:
    rate = label_statistics(label_list(dataset).labels).head_tail_rate
    return at_most([abs(100 * (rate or 0.0) - printed)], "difference, per cent", 0.005)


def voc_co_occurrence() -> Evidence:
    return _co_occurrence("voc-lt", 100.0)


def coco_co_occurrence() -> Evidence:
    return _co_occurrence("coco-lt", 99.26)


def wrong_totals(number: int) -> Evidence:
    """Totals that differ from the weighted mean of their parts by more than rounding."""
    totals = tables.totals(number)
    wrong = sum(not total.consistent for total in totals)
    return Evidence(wrong, 0, len(totals), "totals that differ by more than rounding")


def vg200_split() -> Evidence:
    """Classes that the published split of VG200 puts elsewhere than the thresholds."""
    pairs = zip(tables.split_sizes("vg200"), tables.split_by_counts(), strict=True)
    return at_least([sum(abs(a - b) for a, b in pairs) / 2], "classes in another part", 1)


# --- The alignment loss --------------------------------------------------------------------------


def _cosines(features: Tensor, embeddings: Tensor) -> Float[Tensor, "N K"]:
    return cosine_similarity(features, embeddings[None], dim=2)


def _stated(labels: Tensor) -> Float[Tensor, "N K"]:
    """The cosines of the theorem."""
    ones = torch.ones(labels.shape, dtype=torch.float64)
    return ones.where(labels, -ones / (labels.shape[1] - 1))


@cache
def _descended() -> list[tuple[Tensor, Tensor, Tensor]]:
    """Cosines, labels and unit features that descent on the loss of free features reaches."""
    ends = []
    for seed, k in enumerate((3, 6)):
        labels = random_labels(8, k, seed)
        embeddings = embedding(k, k + 1, seed)
        # Away from the embeddings: at the cosine 1 the loss of other classes is infinite.
        features = _cases.gaussian(8, k, k + 1, seed=seed) - embeddings
        features = normalize(features, dim=2).requires_grad_()
        for step in range(600):
            loss = alignment_loss(_cosines(features, embeddings), labels)
            (slope,) = torch.autograd.grad(loss, features)
            length = slope.norm(dim=2, keepdim=True).clamp(min=1e-12)
            moved = features.detach() - 0.1 * 0.985**step * slope / length
            features = normalize(moved, dim=2).requires_grad_()
        end = features.detach()
        ends.append((_cosines(end, embeddings), labels, end))
    return ends


def descent_aligns() -> Evidence:
    """Free features from random starts: the cosines are those of the theorem."""
    misfits = []
    for cosines, labels, _ in _descended():
        expected = _stated(labels)
        misfits.append(float((cosines - expected).abs().max()))
    return at_most(misfits, "misfit of a cosine", 1e-3)


def negatives_are_free() -> Evidence:
    """The spread of unit features of other classes about their mean, after the same descent."""
    spreads = []
    for _, labels, features in _descended():
        for k in range(labels.shape[1]):
            others = features[~labels[:, k], k]
            if len(others) > 1:
                spreads.append(float((others - others.mean(0)).square().sum(1).mean()))
    return at_least([float(np.median(spreads))], "median squared spread of a class", 0.1)


def loss_is_zero_there() -> Evidence:
    """The loss at the stated cosines, and below it nowhere: random features of random labels."""
    misfits = []
    for seed in range(20):
        k = 2 + seed % 7
        labels = random_labels(5, k, seed)
        stated = _stated(labels)
        misfits.append(abs(float(alignment_loss(stated, labels))))
        other = 2 * torch.rand(5, k, generator=torch.Generator().manual_seed(seed)).double() - 1
        misfits.append(max(0.0, -float(alignment_loss(other, labels))))
    return at_most(misfits, "loss there, and how far another is below 0", ROUNDING)


def _token_losses(tokens: Tensor, labels: Tensor, embeddings: Tensor) -> float:
    return float(alignment_loss(attend(tokens, embeddings).cosines, labels))


def tokens_align() -> Evidence:
    """Closed-form tokens, by equations (3) to (6): every number of labels but 0 and K − 1."""
    losses = []
    for k in (2, 3, 5, 6, 20, 80):
        for m in sorted({1, 2, 3, k // 2, k - 2, k} - {0, k - 1} | {1}):
            if 1 <= m <= k and (m == 1 or m != k - 1):
                tokens = theory.aligned_tokens(embedding(k, k - 1, k), first(m, k))
                losses.append(abs(_token_losses(tokens, first(m, k), embedding(k, k - 1, k))))
    return at_most(losses, "loss of closed-form tokens", ROUNDING)


def empty_images() -> Evidence:
    """Descent on the tokens of an image without labels stays above the bound."""
    excesses = []
    for k in (3, 5, 8):
        embeddings, labels = embedding(k, k + 1, k), first(0, k)
        bound = math.log(k / (k - 1)) / k
        for seed in range(2):
            start = _cases.gaussian(12, k + 1, seed=seed)
            _, value, _ = class_wise.descend(
                lambda x, e=embeddings, y=labels: alignment_loss(attend(x, e).cosines, y),  # type: ignore[misc]
                start,
                steps=100,
            )
            excesses.append(value / bound)
    return at_least(excesses, "least loss that a search reaches, in units of the bound", 1.0)


@cache
def _searched_nonnegative() -> list[tuple[float, float]]:
    """The largest cosine of a feature without negative entries, searched; and the bound."""
    pairs = []
    for seed, (k, dim) in enumerate(((3, 4), (5, 8), (20, 64))):
        embeddings = embedding(k, dim, seed)
        for row, bound in zip(
            embeddings[:2], theory.largest_nonnegative_cosine(embeddings)[:2], strict=True
        ):
            start = _cases.gaussian(dim, seed=seed).abs()
            end, _, _ = class_wise.descend(
                lambda x, row=row: -cosine_similarity(x.square(), row, dim=0),  # type: ignore[misc]
                start,
                steps=500,
            )
            pairs.append((float(cosine_similarity(end.square(), row, dim=0)), float(bound)))
    return pairs


def nonnegative_cosines() -> Evidence:
    return at_most(
        (abs(reached - bound) for reached, bound in _searched_nonnegative()),
        "difference of the bound and what a search reaches",
        1e-4,
    )


def nonnegative_tokens_align() -> Evidence:
    """A random orientation: the largest cosine of features without negative entries is below 1."""
    return at_most(
        (1 - reached for reached, _ in _searched_nonnegative()), "one less the largest cosine", 1e-3
    )


def orientations() -> Evidence:
    """The simplex along the axes attains the best of all orientations; random ones are below."""
    misfits = []
    for k in (2, 3, 5, 20):
        best = math.sqrt((k - 1) / k)
        along = theory.largest_nonnegative_cosine(centring_matrix(k))
        misfits.append(float((along - best).abs().max()))
        for seed in range(10):
            turned = theory.largest_nonnegative_cosine(embedding(k, k + seed, seed))
            misfits.append(max(0.0, float(turned.min()) - best))
    return at_most(misfits, "misfit, or excess of an orientation", ROUNDING)


def nonnegative_angles() -> Evidence:
    angles = []
    for seed in range(5):
        tokens = _cases.gaussian(49, 64, seed=seed).clamp(min=0)
        features = attend(tokens, embedding(20, 64, seed)).features
        angles.append(float(pairwise_angles(features, centre=False).max()) - 90)
    return at_most(angles, "excess over 90°", ROUNDING)


def projections_reach_the_simplex() -> Evidence:
    """A linear map for each class takes features without negative entries to any directions."""
    features = _cases.gaussian(5, 16, seed=0).clamp(min=0)
    simplex = embedding(5, 7)
    maps = simplex[:, :, None] * (features / features.square().sum(1, keepdim=True))[:, None, :]
    projected = torch.einsum("kbp,kp->kb", maps, features)
    return at_most([_cases.etf_misfit(projected @ projected.T)], "misfit of the simplex", ROUNDING)


def attention_bound() -> Evidence:
    """Searched tokens: what a tile receives at most, with signs and without."""
    misfits = []
    for inside, total in ((1, 4), (1, 49), (12, 49)):
        for nonnegative in (False, True):
            row = torch.tensor([1.0, -1.0, 1.0, -1.0], dtype=torch.float64)

            def received(x: Tensor, n: int = inside, signs: bool = not nonnegative) -> Tensor:
                tokens = x if signs else x.square()
                return -attend(tokens, row[None]).weights[0, :n].sum()  # noqa: B023

            start = _cases.gaussian(total, 4, seed=total)
            _, value, _ = class_wise.descend(received, start, steps=150)
            bound = theory.largest_attention(inside / total, nonnegative=nonnegative)
            misfits.append(abs(-value - bound))
    return at_most(misfits, "difference of the bound and what a search reaches", 1e-4)


# --- The fixed classifier ------------------------------------------------------------------------


def _supports(num_classes: int) -> Bool[Tensor, "S K"]:
    """All single labels and all pairs."""
    pairs = [(a, b) for a in range(num_classes) for b in range(a + 1)]
    labels = torch.zeros(len(pairs), num_classes, dtype=torch.bool)
    for row, support in enumerate(pairs):
        labels[row, list(support)] = True
    return labels


def _counts(labels: Tensor, ratio: float) -> Float[Tensor, " S"]:
    """Rarer the rarer the rarest class of a support."""
    classes = long_tail_sizes(labels.shape[1], ratio, largest=100)
    return torch.stack([classes[row].min() for row in labels])


def _change_of_logits(loss: str) -> float:
    labels = _supports(4)
    optima = [fixed_optimum(labels, _counts(labels, r), lam_h=0.05, loss=loss) for r in (1, 100)]
    assert all(optimum.gap < ROUNDING for optimum in optima)
    return float((optima[0].logits - optima[1].logits).abs().max())


def counts_cancel() -> Evidence:
    return at_most([_change_of_logits("bce")], "largest change of a logit, ratio 1 to 100", 1e-4)


def rows_cancel() -> Evidence:
    return at_most([_change_of_logits("rows")], "largest change of a logit, ratio 1 to 100", 1e-4)


def two_way_cancels() -> Evidence:
    change = _change_of_logits("two-way")
    return at_most([change], "largest change of a logit, ratio 1 to 100", 1e-4)


def two_way_couples() -> Evidence:
    return at_least([_change_of_logits("two-way")], "largest change of a logit, ratio 1 to 100", 1)


def trainable_depends() -> Evidence:
    """The certified optimum of a trainable classifier: head and tail at the ratio 100."""
    counts = long_tail_sizes(10, 100, largest=100)
    best = _cases.solve_to_gap(
        torch.eye(10, dtype=torch.float64),
        counts,
        lam_w=0.05,
        lam_h=0.05 / float(counts.sum()),
        lam_b=math.inf,
        loss="bce",
    )
    logits = best.logits.diagonal()
    return at_least([float(logits[0] - logits[-1])], "logit of the head less that of the tail", 1)


def closed_logits() -> Evidence:
    """Against descent over all images together, and what other classes and images leave alone."""
    misfits = []
    for k in (4, 6):
        labels = _supports(k)
        optimum = fixed_optimum(labels, _counts(labels, 30), lam_h=0.05)
        for row, logits in zip(labels, optimum.logits, strict=True):
            best = theory.fixed_classifier_logits(k, int(row.sum()), lam_h=0.05)
            expected = torch.where(row, best.positive, best.negative).double()
            misfits.append(float((logits - expected).abs().max()))
    return at_most(misfits, "misfit of a logit", 1e-4)


def all_labels_are_zero() -> Evidence:
    one, full = (theory.fixed_classifier_logits(80, m, lam_h=0.01) for m in (1, 80))
    misfits = [abs(one.positive - 38.2), abs(one.negative + 0.48), abs(full.positive)]
    return at_most(misfits, "misfit of +38.2, −.48 and 0", 0.05)


def shared_layers_keep_counts() -> Evidence:
    r"""A ridge on a shared layer: support S has the ridge λN/n_S."""
    misfits = []
    labels = _supports(4)
    counts = _counts(labels, 30)
    optimum = fixed_optimum(labels, counts, lam_h=0.01, shared=True)
    for row, count, logits in zip(labels, counts, optimum.logits, strict=True):
        ridge = 0.01 * float(counts.sum() / count)
        best = theory.fixed_classifier_logits(4, int(row.sum()), lam_h=ridge)
        expected = torch.where(row, best.positive, best.negative).double()
        misfits.append(float((logits - expected).abs().max()))
    return at_most(misfits, "misfit of a logit", 1e-4)


# --- Unit blocks ---------------------------------------------------------------------------------


@cache
def _rotations() -> list[float]:
    """Best losses over rotations and classes, C = 4, p = 3, γ = 5."""
    return [
        theory.unit_block_optimum(embedding(4, 12, seed), torch.arange(4) == k, scale=5.0).loss
        for seed in range(5)
        for k in range(4)
    ]


def rotation_matters() -> Evidence:
    losses = _rotations()
    return at_least([max(losses) / min(losses)], "largest best loss over the smallest", 1.5)


def rotations_stay_in_range() -> Evidence:
    least = theory.fixed_norm_logits(4, 1, length=10.0).loss
    most = theory.fixed_norm_logits(4, 1, length=5.0).loss
    excesses = [max(least - loss, loss - most) for loss in _rotations()]
    return at_most(excesses, "excess over the range", ROUNDING)


def searches_agree_on_blocks() -> Evidence:
    """Descent on the unit features themselves, from several starts."""
    misfits = []
    for seed in range(2):
        rows, labels = embedding(4, 12, seed), first(1 + seed % 2, 4)
        signs = torch.where(labels, 1.0, -1.0).double()

        def loss(x: Tensor, v: Tensor = rows, s: Tensor = signs) -> Tensor:
            return softplus(-5 * s * (v @ normalize(x, dim=1).flatten())).sum()

        ends = [
            class_wise.descend(loss, _cases.gaussian(4, 3, seed=start), steps=100)[1]
            for start in range(3)
        ]
        best = theory.unit_block_optimum(rows, labels, scale=5.0)
        misfits += [abs(min(ends) - best.loss), abs(best.gap)]
    return at_most(misfits, "difference of the certified loss and what a search reaches", 1e-6)


def free_scale_has_no_optimum() -> Evidence:
    """The best loss falls with the scale towards 0."""
    rows, labels = embedding(5, 25), first(2, 5)
    losses = [theory.unit_block_optimum(rows, labels, scale=s).loss for s in (5.0, 10.0, 20.0)]
    ratios = [after / before for before, after in pairwise(losses)]
    return at_most(ratios, "loss at twice the scale over the loss", 0.2)


# --- The trainable classifier --------------------------------------------------------------------


def _means_cosine(num_classes: int, lam: float, lam_b: float) -> float:
    best = _cases.solve_to_gap(
        torch.eye(num_classes, dtype=torch.float64),
        torch.full((num_classes,), 10.0, dtype=torch.float64),
        lam_w=lam,
        lam_h=lam / (10 * num_classes),
        lam_b=lam_b,
        loss="bce",
    )
    unit = normalize(best.means, dim=1)
    return float(unit[0] @ unit[1])


def two_numbers(num_classes: int, lam: float) -> tuple[float, float]:
    """a and b of Z = aC + bJ/K, the optimum without a bias, by a search over two numbers."""
    k = num_classes

    def value(x: np.ndarray) -> float:
        a, b = x
        diagonal, others = ((k - 1) * a + b) / k, (b - a) / k
        loss = np.logaddexp(0, -diagonal) + (k - 1) * np.logaddexp(0, others)
        return float(loss + lam / math.sqrt(k) * ((k - 1) * abs(a) + abs(b)))

    best = scipy.optimize.minimize(
        value,
        np.array([2.0, -1.0]),
        method="Nelder-Mead",
        options={"xatol": 1e-10, "fatol": 1e-14, "maxiter": 4000},
    )
    return float(best.x[0]), float(best.x[1])


def no_bias_no_simplex() -> Evidence:
    """Balanced classes without a bias: the cosine is that of the two numbers."""
    misfits = []
    for k, lam in ((3, 1e-3), (4, 1e-3), (10, 1e-3), (10, 1e-2)):
        a, b = two_numbers(k, lam)
        expected = (abs(b) - a) / (abs(b) + (k - 1) * a)
        misfits.append(abs(_means_cosine(k, lam, math.inf) - expected))
    return at_most(misfits, "misfit of the cosine", 1e-4)


def no_bias_limit() -> Evidence:
    """The distance from (K − 4)/(3K − 4) shrinks with the regularisation."""
    shares = []
    for k in (3, 5, 10):
        limit = (k - 4) / (3 * k - 4)
        gaps = [abs(_means_cosine(k, lam, math.inf) - limit) for lam in (1e-2, 1e-3, 1e-4)]
        shares += [after / before for before, after in pairwise(gaps)]
    return at_most(shares, "largest share of the distance that is left", 0.9)


def a_free_bias_restores_it() -> Evidence:
    misfits = [abs(_means_cosine(k, 1e-3, 0.0) + 1 / (k - 1)) for k in (3, 4, 10)]
    return at_most(misfits, "misfit of the cosine of a simplex")


# --- Class centres -------------------------------------------------------------------------------


def simplex_centres_hold() -> Evidence:
    """Descent of one feature for simplex centres, from starts elsewhere."""
    misfits = []
    for k in (3, 6, 20):
        centres, row = embedding(k, k, k), torch.ones(1, dtype=torch.float64)
        start = _cases.gaussian(1, k, seed=k)

        def loss(x: Tensor, c: Tensor = centres, n: Tensor = row) -> Tensor:
            scores = normalize(x, dim=1) @ c.T / 0.5
            return n @ (scores.logsumexp(1) - scores[:, 0])

        end, value, _ = class_wise.descend(loss, start, steps=200)
        misfits.append(1 - float(cosine_similarity(end[0], centres[0], dim=0)))
        misfits.append(abs(value - theory.simplex_prototype_loss(k)))
    return at_most(misfits, "misfit of the cosine and of the loss", 1e-6)


def epochs_reach_the_simplex() -> Evidence:
    """Collapsed features of balanced and of unequal classes, from random starts."""
    misfits = []
    for seed, ratio in enumerate((1.0, 3.0, 10.0)):
        centres = class_wise.epochs(
            _cases.gaussian(6, 6, seed=seed), long_tail_sizes(6, ratio, largest=100), 600
        )
        misfits.append(_cases.etf_misfit(centres @ centres.T))
    return at_most(misfits, "misfit of the simplex", 1e-4)


def balanced_centres_are_simplex() -> Evidence:
    misfits = []
    for k in (3, 6):
        centres = class_wise.joint_centres(long_tail_sizes(k, 1.0, largest=100), k)
        misfits.append(_cases.etf_misfit(centres @ centres.T))
    return at_most(misfits, "misfit of the simplex")


def unequal_centres_are_not() -> Evidence:
    misfits = []
    for ratio in (3.0, 10.0, 100.0):
        centres = class_wise.joint_centres(long_tail_sizes(6, ratio, largest=100), 6)
        misfits.append(_cases.etf_misfit(centres @ centres.T))
    return at_least(misfits, "smallest misfit of the simplex", 0.05)


# --- Angles --------------------------------------------------------------------------------------


def optimal_angle() -> Evidence:
    angles = pairwise_angles(embedding(20, 19), centre=False)[0, 1:]
    return at_most([float((angles - 93.0).abs().max())], "difference from 93°", 0.5)


def mean_angles() -> Evidence:
    """Searches for centred means of equal norm at the smallest mean angle, 20 classes."""
    reached = []
    for seed in range(3):

        def mean_angle(x: Tensor) -> Tensor:
            unit = normalize(x, dim=1)
            cosines = (unit @ unit.T)[~torch.eye(20, dtype=torch.bool)]
            angle = cosines.clamp(-1 + 1e-9, 1 - 1e-9).arccos().mean()
            return angle + 10 * unit.mean(0).square().sum()

        end, _, _ = class_wise.descend(mean_angle, _cases.gaussian(20, 3, seed=seed), steps=100)
        unit = normalize(end, dim=1)
        for _ in range(200):  # to equal norms and mean zero
            unit = normalize(unit - unit.mean(0), dim=1)
        if float(unit.mean(0).norm()) < ROUNDING:
            angles = pairwise_angles(unit)[~torch.eye(20, dtype=torch.bool)]
            reached.append(float(angles.mean()))
    return at_least(reached, "least mean angle of a search, degrees", theory.least_mean_angle(20))


def unequal_norms_allow_less() -> Evidence:
    """Nineteen means on one side, one long one on the other."""
    means = torch.eye(1, 3, dtype=torch.float64).repeat(20, 1)
    means[-1] *= -19
    angles = pairwise_angles(means)[~torch.eye(20, dtype=torch.bool)]
    return at_most([float(angles.mean())], "mean angle, degrees", 43.0)


def average_cosine() -> Evidence:
    """Centred vectors of equal norm: opposite couples and a triangle."""
    misfits = []
    for seed in range(10):
        ends = normalize(_cases.gaussian(1 + seed % 4, 3, seed=seed), dim=1)
        rows = torch.cat([ends, -ends, embedding(3, 3, seed)])
        cosines = (rows @ rows.T)[~torch.eye(len(rows), dtype=torch.bool)]
        misfits.append(abs(float(cosines.mean()) + 1 / (len(rows) - 1)))
    return at_most(misfits, "misfit of the mean cosine", ROUNDING)
