"""What a classifier is worth on a test set: by class frequency, calibration, and attention."""

from nclib.evaluate._attention import AttentionReport, attention_report
from nclib.evaluate._evaluate import ShotAccuracy, expected_calibration_error, shot_accuracy
from nclib.evaluate._multilabel import (
    MultilabelReport,
    OptimumThreshold,
    average_precision,
    multilabel_report,
    optimum_threshold,
    precision_at_k,
    recall_at_k,
)

__all__ = [
    "AttentionReport",
    "MultilabelReport",
    "OptimumThreshold",
    "ShotAccuracy",
    "attention_report",
    "average_precision",
    "expected_calibration_error",
    "multilabel_report",
    "optimum_threshold",
    "precision_at_k",
    "recall_at_k",
    "shot_accuracy",
]
