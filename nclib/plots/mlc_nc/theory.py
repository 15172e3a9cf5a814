"""Figures of what class-wise features, a fixed classifier and class centres can reach."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from nclib.plots._style import COLOURS, MARKERS, PALETTE, headline


def promises(
    shares: Sequence[float],
    attention: Mapping[str, Sequence[float]],
    counts: Sequence[float],
    logits: Mapping[str, Sequence[float]],
) -> Figure:
    """What a tile can receive of the attention, and which logits remember the counts.

    Args:
        shares: of the map that a tile fills.
        attention: by name, the largest share of the weight, for each of them.
        counts: images of each class, the largest first.
        logits: by model, the logit of its label in an image of each class.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.6, 4.2))
    for index, (name, values) in enumerate(attention.items()):
        left.plot(shares, values, color=COLOURS[index], label=name)
    left.plot([0, 1], [0, 1], color=PALETTE["grey"], linestyle="--", linewidth=1, label="uniform")
    left.set(xlabel="share of the map", ylabel="largest share of the attention", ylim=(0, 1.02))
    left.set_title("what a tile receives")
    left.legend(loc="lower right")
    for index, (name, values) in enumerate(logits.items()):
        right.semilogx(
            counts, values, color=COLOURS[index], marker=MARKERS[index], markersize=4, label=name
        )
    right.invert_xaxis()
    right.axhline(0, color=PALETTE["grey"], linewidth=0.8)
    right.set(xlabel="images of the class", ylabel="logit of the label")
    right.set_title("head to tail")
    figure.legend(
        *right.get_legend_handles_labels(), loc="outside lower center", ncols=2, columnspacing=1
    )
    headline(
        figure, "Attention stays diffuse; a fixed classifier forgets the counts, its loss may not"
    )
    return figure


def token_cosines(
    cosines: Mapping[str, Sequence[float]], *, labels: int, ceiling: float, needed: float
) -> Figure:
    """The cosine of each class's feature with its embedding, for tokens of several kinds.

    Args:
        cosines: by kind of tokens, one a class, the labels of the image first.
        labels: how many labels the image has.
        ceiling: the largest cosine of features without negative entries.
        needed: the cosine at which other classes have the loss 0.
    """
    figure, axes = plt.subplots(figsize=(7.2, 3.8))
    for index, (name, values) in enumerate(cosines.items()):
        axes.plot(
            range(1, len(values) + 1),
            values,
            MARKERS[index],
            color=COLOURS[index],
            markersize=11 if index == 0 else 6,  # the first stays visible below the others
            label=name,
        )
    axes.axhline(1, color=PALETTE["black"], linewidth=1)
    axes.axhline(needed, color=PALETTE["black"], linewidth=1)
    axes.axhline(ceiling, color=PALETTE["grey"], linestyle="--", linewidth=1.2)
    axes.annotate("ceiling after a ReLU", (len(next(iter(cosines.values()))), ceiling), (0, 4),
                  textcoords="offset points", ha="right")  # fmt: skip
    axes.axvspan(0.5, labels + 0.5, color=PALETTE["grey"], alpha=0.15, lw=0)
    axes.set(xlabel="class (labels shaded)", ylabel=r"$\cos(f_c,\,l_c)$", ylim=(-0.3, 1.12))
    axes.set_title("Free tokens reach both lines; after a ReLU the labels stay below")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(loc="center right")
    return figure


def fixed_logits(
    numbers: Sequence[int],
    positive: Sequence[float],
    negative: Sequence[float],
    loss: Sequence[float],
) -> Figure:
    """Logits and loss of an image under a fixed simplex classifier, by the number of its labels.

    Args:
        numbers: of labels, m, from none to all.
        positive: the logit of a label.
        negative: the logit of another class.
        loss: the cross-entropy of the image, summed over the classes.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.6, 3.6))
    left.plot(numbers[1:], positive[1:], color=COLOURS[0], label="its labels")
    left.plot(numbers[:-1], negative[:-1], color=COLOURS[1], linestyle="--", label="other classes")
    left.axhline(0, color=PALETTE["grey"], linewidth=0.8)
    left.set(xlabel="labels $m$ of the image", ylabel="logit")
    left.set_title("logits add up to zero")
    left.legend()
    right.plot(numbers, loss, color=COLOURS[2])
    right.set(xlabel="labels $m$ of the image", ylabel="cross-entropy", ylim=(0, None))
    right.set_title("so a full image stays at $K\\log 2$")
    headline(
        figure, "Without a bias the logits depend on the number of labels, and on nothing else"
    )
    return figure


def unit_blocks(
    losses: Sequence[Sequence[float]],
    least: float,
    most: float,
    scales: Sequence[float],
    falls: Mapping[str, Sequence[float]],
) -> Figure:
    """Best losses of unit features by rotation and class, and as the scale grows.

    Args:
        losses: a rotation a row, a class a column.
        least: of all classifiers.
        most: of all classifiers.
        scales: γ.
        falls: by name, the loss at each scale.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.6, 3.8))
    values = np.asarray(losses)
    for k in range(values.shape[1]):
        left.plot(
            range(1, len(values) + 1),
            values[:, k],
            MARKERS[k],
            color=COLOURS[k],
            markersize=5,
            label=f"class {k + 1}",
        )
    for level, name, shift in ((least, "even blocks", -12), (most, "one block", 3)):
        left.axhline(level, color=PALETTE["black"], linestyle="--", linewidth=1)
        left.annotate(name, (1, level), (0, shift), textcoords="offset points")
    left.set(xlabel="rotation of the classifier", ylabel="best loss", ylim=(0, 1.15 * most))
    left.set_title("at one scale")
    left.legend(loc="center right")
    for index, (name, curve) in enumerate(falls.items()):
        right.semilogy(scales, curve, color=COLOURS[index], marker=MARKERS[index], ms=4, label=name)
    right.set(xlabel=r"scale $\gamma$", ylabel="best loss")
    right.set_title("as the scale grows")
    right.legend()
    headline(figure, "With unit features the rotation of the classifier counts, and the class")
    return figure


def centres(
    ratios: Sequence[float], curves: Mapping[str, Sequence[float]], *, simplex: float
) -> Figure:
    """The largest cosine between class centres, where they move with the features or wait an epoch.

    Args:
        ratios: of imbalance.
        curves: by name, the largest cosine.
        simplex: the cosine of a simplex.
    """
    figure, axes = plt.subplots(figsize=(7.0, 3.8))
    for index, (name, values) in enumerate(curves.items()):
        axes.semilogx(
            ratios, values, color=COLOURS[index], marker=MARKERS[index], markersize=5, label=name
        )
    axes.axhline(simplex, color=PALETTE["black"], linestyle="--", linewidth=1, label="simplex")
    axes.set(xlabel="imbalance ratio", ylabel="largest cosine of two centres", ylim=(-0.5, 1.05))
    axes.set_title("Centres of the last epoch do not know the counts")
    axes.legend()
    return figure


def angle_bound(
    theta: float, marks: Mapping[str, tuple[float, float]], *, num_classes: int
) -> Figure:
    """The arc cosine and the line that bounds mean angles from below.

    Args:
        theta: where the line touches, in degrees.
        marks: by name, the mean cosine that is needed and the angle that is printed.
        num_classes: K.
    """
    figure, axes = plt.subplots(figsize=(7.0, 3.8))
    cosines = np.linspace(-1, 1, 400)
    axes.plot(cosines, np.degrees(np.arccos(cosines)), color=COLOURS[0], label="angle of a pair")
    slope = theta / (1 - np.cos(np.radians(theta)))
    axes.plot(
        cosines, slope * (1 - cosines), color=COLOURS[1], linestyle="--", label="mean angle ≥"
    )
    axes.axvline(-1 / (num_classes - 1), color=PALETTE["grey"], linewidth=1)
    for index, (name, point) in enumerate(marks.items()):
        axes.plot(*point, MARKERS[2 + index], color=COLOURS[2 + index], markersize=8, label=name)
    axes.set(xlabel="mean cosine", ylabel="angle, degrees", xlim=(-1, 1), ylim=(0, 182))
    axes.set_title("78° and 43° lie below the line")
    axes.legend()
    return figure


def audit(differences: Mapping[str, Mapping[str, float]], *, rounding: float) -> Figure:
    """Printed totals less the weighted means of their printed parts.

    Args:
        differences: by table, by row.
        rounding: what rounding can explain.
    """
    figure, axes = plt.subplots(figsize=(7.2, 3.8))
    place, named = 0, set[float]()
    for index, (table, rows) in enumerate(differences.items()):
        values = np.array(list(rows.values()))
        places = place + np.arange(len(values))
        axes.plot(places, values, MARKERS[index], color=COLOURS[index], ms=5, label=table)
        for x, (name, value) in zip(places, rows.items(), strict=True):
            if abs(value) > rounding and round(value, 3) not in named:  # a row that two tables have
                named.add(round(value, 3))
                text = f"{name} {value:+.2f}"
                axes.annotate(text, (x, value), (6, 6), textcoords="offset points", fontsize=8)
        place += len(values) + 2
    axes.axhspan(-rounding, rounding, color=PALETTE["grey"], alpha=0.3, lw=0)
    axes.set_yscale("symlog", linthresh=rounding)
    axes.set(xlabel="rows of the tables", ylabel="total less mean of its parts", xticks=[])
    axes.set_ylim(-10, 1)
    axes.set_title("Most totals are what their parts give; a few are not")
    axes.legend(loc="lower right", ncols=2)
    return figure
