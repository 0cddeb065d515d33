"""What the lessons of this course need and are not about: data, splits, training, scores, evidence, figures."""
