"""What a classifier is worth on a test set: accuracy by class frequency, and calibration."""

from nclib.evaluate._evaluate import ShotAccuracy, expected_calibration_error, shot_accuracy

__all__ = ["ShotAccuracy", "expected_calibration_error", "shot_accuracy"]
