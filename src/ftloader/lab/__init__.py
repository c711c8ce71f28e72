"""The laboratory: experiments with a question, measured in shuffled blocks, reported from files.

An experiment is a script that describes its workloads and controls and hands them to :func:`main`;
``experiments/scaling/run.py`` is the one to read. :func:`of_pipeline` makes one of a pipeline of
yours, which ``python -m ftloader.lab run module:attribute`` measures. Everything is driven through
public pipelines, measured in processes of their own, and refused rather than plotted when it cannot
be believed.
"""

from .experiment import Control, Experiment, Inputs, JpegSample, Workload
from .main import main
from .own import CONTROLS, of_pipeline

__all__ = [
    "CONTROLS",
    "Control",
    "Experiment",
    "Inputs",
    "JpegSample",
    "Workload",
    "main",
    "of_pipeline",
]
