"""Scores, one module a field; what scikit-learn has (AUC, Brier, log loss, R²) is used from there."""
