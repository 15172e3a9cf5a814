"""Tables 2–7 of "Inducing neural collapse in deep long-tailed learning" as they are printed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from nclib.papers import _tables
from nclib.papers._tables import Row, Table, rows_against, rows_in_pairs


@dataclass(frozen=True, kw_only=True)
class Source(_tables.Source):
    """A metric of the networks of a method on a data set of a ratio, in a setting."""

    imbalance: float
    model: str = "resnet32"
    mixup: bool = False  # whether the paper's own setting, which has mixup, was used

    @property
    def networks(self) -> Source:
        """The same without mixup, which the tables do not name."""
        return self.replace(mixup=False)

    def setting(self, profile: str) -> str:
        """Mixup, which belongs to the paper profile alone."""
        return "with mixup" if self.mixup and profile == "paper" else ""


def _in_setting_of(authors: frozenset[str]) -> Callable[..., Source]:
    """Sources with mixup for the methods that the paper's authors trained in their own setting."""

    def source(method: str, **fields: Any) -> Source:
        return Source(method=method, mixup=method in authors, **fields)

    return source


def _noise(
    dataset: str, imbalance: float, methods: tuple[str, str], *numbers: tuple[float, ...]
) -> list[Row]:
    name = dataset.upper() + ("" if imbalance == 1 else "-LT")
    fields = {"dataset": dataset, "imbalance": imbalance}
    plain, terms = f"{name}, CE", f"{name}, CE‡"
    return [
        Row(plain, methods[0], numbers[0], None, fields),
        Row(terms, methods[1], numbers[1], plain, fields),
    ]


_CIFAR_LT = {
    f"{name}-LT, {ratio}": {"dataset": name.lower(), "imbalance": float(ratio)}
    for name in ("CIFAR10", "CIFAR100")
    for ratio in (100, 10)
}
_STDS = (0.0, 0.1, 0.2, 0.3, 0.4)
_IMAGENET = {"dataset": "imagenet-lt", "imbalance": 256.0, "model": "resnext50"}
# Weights of equal counts are all 1, so on balanced data DRW is plain training.
_BALANCED, _DEFERRED = ("ce", "ce-nc"), ("ce-drw", "nc-drw")
_ABLATION = ("ce-drw", "ce-drw-center", "ce-drw-lw", "ce-drw-lb", "ce-drw-center-lb", "nc-drw")

#: The methods whose networks the authors trained in their own setting, with mixup; by table.
MIXUP = {
    2: frozenset({"ce", "ce-nc", "mse", "mse-nc"}),
    3: frozenset({"nc-drw", "nc-drw-crt", "etf-dr", "mislas"}),
    4: frozenset({"nc-drw", "nc-drw-crt", "etf-dr", "mislas"}),
    5: frozenset[str](),  # "we follow their original experiment settings"
    6: frozenset({"ce", "ce-nc", "ce-drw", "nc-drw"}),
    7: frozenset(_ABLATION),
}

TABLES = {
    table.number: table
    for table in (
        Table(
            2,
            "Balanced data: top-1 test accuracy (%)",
            {
                "CIFAR10": {"dataset": "cifar10", "imbalance": 1.0},
                "CIFAR100": {"dataset": "cifar100", "imbalance": 1.0},
            },
            rows_in_pairs(
                ("CE", "ce", 93.4, 71.8),
                ("CE + NC", "ce-nc", 93.3, 72.1),
                ("MSE", "mse", 91.1, 70.7),
                ("MSE + NC", "mse-nc", 91.7, 71.9),
            ),
            _in_setting_of(MIXUP[2]),
        ),
        Table(
            3,
            "CIFAR-10-LT and CIFAR-100-LT by imbalance ratio: top-1 test accuracy (%)",
            _CIFAR_LT,
            rows_against(
                "CE",
                ("CE", "ce", 70.4, 86.4, 38.4, 55.7),
                ("CE-RS", "ce-rs", 72.8, 87.8, 36.7, 57.7),
                ("CE-RW", "ce-rw", 74.4, 87.9, 32.5, 58.2),
                ("CE-DRW", "ce-drw", 75.1, 86.4, 42.5, 56.2),
                ("LDAM-DRW", "ldam-drw", 77.0, 88.2, 43.5, 58.7),
                ("BBN", "bbn", 79.9, 88.4, 42.6, 59.2),
                ("MiSLAS", "mislas", 82.1, 90.0, 47.0, 63.2),
                ("KCL", "kcl", 77.6, 88.0, 42.8, 57.6),
                ("TSC", "tsc", 79.7, 88.7, 43.8, 59.0),
                ("ETF classifier + DR", "etf-dr", 76.5, 87.7, 45.3, None),
                ("ARB-Loss", "arb", 83.3, 90.2, 47.2, 62.1),
                ("NC-DRW", "nc-drw", 81.9, 89.8, 48.6, 63.1),
                ("NC-DRW-cRT", "nc-drw-crt", 82.6, 90.2, 48.7, 63.6),
            ),
            _in_setting_of(MIXUP[3]),
        ),
        Table(
            4,
            "ImageNet-LT by class size: top-1 test accuracy (%)",
            {
                "Many": {**_IMAGENET, "metric": "test_many"},
                "Medium": {**_IMAGENET, "metric": "test_medium"},
                "Few": {**_IMAGENET, "metric": "test_few"},
                "All": _IMAGENET,
            },
            rows_against(
                "CE",
                ("CE", "ce", 68.2, 38.1, 5.82, 45.3),
                ("CE-RS", "ce-rs", 64.6, 42.6, 17.8, 47.8),
                ("CE-RW", "ce-rw", 52.0, 41.4, 19.8, 42.5),
                ("CE-DRW", "ce-drw", 52.6, 45.7, 31.5, 46.4),
                ("CE-cRT", "ce-crt", 58.8, 33.0, 26.1, 47.3),
                ("CE-LWS", "ce-lws", 57.1, 45.2, 29.3, 47.7),
                ("MiSLAS", "mislas", 61.7, 51.3, 35.8, 52.7),
                ("FCL", "fcl", 61.4, 47.0, 28.2, 49.8),
                ("KCL", "kcl", 62.4, 49.0, 29.5, 51.5),
                ("TSC", "tsc", 63.5, 49.7, 30.4, 52.4),
                ("ETF classifier + DR", "etf-dr", None, None, None, 44.7),
                ("ARB-Loss", "arb", 60.2, 51.8, 38.3, 52.8),
                ("NC-DRW", "nc-drw", 67.1, 49.7, 29.0, 53.6),
                ("NC-DRW-cRT", "nc-drw-crt", 65.6, 51.2, 35.4, 54.2),
            ),
            _in_setting_of(MIXUP[4]),
        ),
        Table(
            5,
            "With other methods, long-tailed data: top-1 test accuracy (%)",
            {
                "CIFAR10-LT": {"dataset": "cifar10", "imbalance": 100.0},
                "CIFAR100-LT": {"dataset": "cifar100", "imbalance": 100.0},
                "ImageNet-LT": _IMAGENET,
            },
            rows_in_pairs(
                ("LDAM-DRW", "ldam-drw", 77.0, 42.0, 48.8),
                ("LDAM-DRW + NC", "ldam-drw-nc", 77.1, 43.2, 49.5),
                ("Logit Adjust", "logit-adjust", 77.4, 43.9, 51.1),
                ("Logit Adjust + NC", "logit-adjust-nc", 78.8, 44.6, 53.2),
                ("RIDE (2 experts)", "ride-2", None, 46.5, 51.9),
                ("RIDE (2 experts) + NC", "ride-2-nc", None, 46.8, 52.2),
                ("RIDE (3 experts)", "ride-3", None, 47.5, 54.2),
                ("RIDE (3 experts) + NC", "ride-3-nc", None, 48.1, 54.8),
                ("RIDE (4 experts)", "ride-4", None, 48.8, 55.2),
                ("RIDE (4 experts) + NC", "ride-4-nc", None, 49.1, 56.0),
            ),
            _in_setting_of(MIXUP[5]),
        ),
        Table(
            6,
            "Gaussian noise of the test images by its standard deviation: top-1 accuracy (%)",
            {
                f"{title}, {std:.2f}": {
                    "model": model,
                    "metric": f"noisy_test_accuracy_{std:g}" if std else "test_accuracy",
                }
                for title, model in (("ResNet-32", "resnet32"), ("ResNet-18", "resnet18"))
                for std in _STDS
            },
            (
                *_noise(
                    "cifar10", 1.0, _BALANCED,
                    (93.3, 89.4, 76.6, 54.7, 35.7, 94.9, 91.5, 79.2, 56.9, 35.9),
                    (93.1, 89.6, 76.6, 57.5, 39.0, 95.1, 91.8, 78.9, 57.1, 37.4),
                ),
                *_noise(
                    "cifar10", 100.0, _DEFERRED,
                    (77.0, 75.0, 62.3, 45.3, 32.5, 79.2, 75.7, 63.5, 47.2, 33.8),
                    (79.2, 75.5, 63.2, 47.8, 35.5, 81.0, 77.5, 66.5, 51.4, 37.9),
                ),
                *_noise(
                    "cifar100", 1.0, _BALANCED,
                    (71.8, 60.2, 40.0, 23.9, 14.1, 78.2, 65.9, 44.2, 25.0, 14.3),
                    (72.3, 59.0, 39.7, 23.9, 15.1, 78.6, 67.8, 46.9, 28.2, 16.6),
                ),
                *_noise(
                    "cifar100", 100.0, _DEFERRED,
                    (42.5, 37.2, 25.4, 16.3, 10.2, 46.8, 41.1, 31.6, 23.6, 17.6),
                    (45.7, 39.0, 27.2, 16.8, 11.1, 47.2, 41.6, 31.6, 23.3, 16.3),
                ),
            ),
            _in_setting_of(MIXUP[6]),
        ),
        Table(
            7,
            "Each term alone, all with DRW, by imbalance ratio: top-1 test accuracy (%)",
            _CIFAR_LT,
            rows_against(
                "CE",
                ("CE", "ce-drw", 75.1, 86.4, 42.4, 56.2),
                ("+ center loss", "ce-drw-center", 78.7, 89.1, 46.3, 61.2),
                ("+ $L_W$", "ce-drw-lw", 79.1, 88.1, 46.9, 61.3),
                ("+ $L_B$", "ce-drw-lb", 80.1, 88.6, 47.6, 61.7),
                ("+ center loss & $L_B$", "ce-drw-center-lb", 77.5, 89.2, 46.5, 61.4),
                ("+ $L_W$ & $L_B$", "nc-drw", 81.9, 89.8, 48.6, 63.1),
            ),
            _in_setting_of(MIXUP[7]),
        ),
    )
}  # fmt: skip

# The caption of Table 3 says that best and second best are bold and underlined: these are.
BOLD_3 = {
    "CIFAR10-LT, 100": ("ARB-Loss",),
    "CIFAR10-LT, 10": ("ARB-Loss", "NC-DRW-cRT"),
    "CIFAR100-LT, 100": ("NC-DRW-cRT",),
    "CIFAR100-LT, 10": ("NC-DRW-cRT",),
}
UNDERLINED_3 = {
    "CIFAR10-LT, 100": ("NC-DRW-cRT",),
    "CIFAR10-LT, 10": ("NC-DRW",),
    "CIFAR100-LT, 100": ("NC-DRW",),
    "CIFAR100-LT, 10": ("MiSLAS",),
}
