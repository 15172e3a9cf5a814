"""What every measure asks of its input, each refusal naming what is wrong."""

from torch import Tensor

from nclib import _check


def check_classifier(
    weight: Tensor | None, bias: Tensor | None, num_classes: int | None, dim: int
) -> int | None:
    """The number of classes, from the classifier if it is not given; None if neither is.

    The weight is (K, P), or (K, K P) for the features of all classes one after another.
    """
    if num_classes is not None and num_classes < 2:
        raise ValueError(f"num_classes must be at least 2, got {num_classes}")
    if weight is None:
        if bias is not None:
            raise ValueError("got a bias without a weight")
        return num_classes
    _check.tensor("weight", weight)
    if bias is not None:
        _check.tensor("bias", bias)
    if weight.ndim != 2 or weight.shape[1] not in (dim, len(weight) * dim):
        raise ValueError(
            f"weight must have shape (K, {dim}) for features of dimension {dim},"
            f" got {tuple(weight.shape)}"
        )
    if num_classes is not None and len(weight) != num_classes:
        raise ValueError(f"weight has {len(weight)} rows, expected num_classes={num_classes}")
    if len(weight) < 2:
        raise ValueError("weight must have at least 2 rows, one a class, got 1")
    if bias is not None and bias.shape != weight.shape[:1]:
        raise ValueError(f"bias must have shape ({len(weight)},), got {tuple(bias.shape)}")
    for name, tensor in (("weight", weight), ("bias", bias)):
        if tensor is not None and not bool(tensor.isfinite().all()):
            raise ValueError(f"{name} contains NaN or infinity")
    return len(weight)


def check_centring(centring: str) -> None:
    """One of the two that exist."""
    if centring not in ("class", "sample"):
        raise ValueError(f'centring must be "class" or "sample", got {centring!r}')


def check_batch(features: Tensor, labels: Tensor) -> None:
    """Shapes and types of features (N, P) or (N, K, P), and of labels (N,) or (N, K)."""
    _check.tensor("features", features)
    _check.tensor("labels", labels)
    if features.ndim not in (2, 3):
        raise ValueError(
            f"features must have shape (N, P), got {tuple(features.shape)};"
            " or (N, K, P) class by class"
        )
    if labels.ndim not in (1, 2):
        raise ValueError(
            f"labels must have shape (N,), or (N, K) if multi-hot, got {tuple(labels.shape)}"
        )
    if len(features) != len(labels):
        raise ValueError(f"{len(features)} features but {len(labels)} labels")
    _check.floating("features", features)
    if labels.ndim == 1:
        _check.integers("labels", labels)


def check_labels(labels: Tensor, num_classes: int) -> None:
    """Every label is a class."""
    sample = _check.outside(labels, num_classes)
    if sample is not None:
        raise ValueError(
            f"label {int(labels[sample])} of sample {sample} is out of range:"
            f" expected 0 to {num_classes - 1} for {num_classes} classes"
        )


def present_classes(counts: Tensor, *, all_needed: bool) -> Tensor:
    """The classes that have a sample: every class if all are needed, else at least two."""
    if not bool(counts.any()):
        raise ValueError(f"no samples: expected at least one of each of {len(counts)} classes")
    present = counts.nonzero().flatten()
    if all_needed and len(present) < len(counts):
        empty = (counts == 0).nonzero().flatten().tolist()
        shown = ", ".join(map(str, empty[:10])) + (", …" if len(empty) > 10 else "")
        raise ValueError(f"classes without samples: {shown} (of {len(counts)} classes)")
    if len(present) < 2:
        raise ValueError(f"class {int(present[0])} alone has samples: expected two classes or more")
    return present
