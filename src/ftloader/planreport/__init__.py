"""``python -m ftloader plan``: an epoch's batches in figures, before training."""

from ftloader.planreport.figures import Budget, Figures, figures

__all__ = ["Budget", "Figures", "figures"]
