"""What a classifier is worth on a test set: by class frequency, and calibration."""

from nclib.evaluate._evaluate import ShotAccuracy, expected_calibration_error, shot_accuracy
from nclib.evaluate._multilabel import (
    MultilabelReport,
    average_precision,
    multilabel_report,
    precision_at_k,
    recall_at_k,
)

__all__ = [
    "MultilabelReport",
    "ShotAccuracy",
    "average_precision",
    "expected_calibration_error",
    "multilabel_report",
    "precision_at_k",
    "recall_at_k",
    "shot_accuracy",
]
