"""Batches planned before anything is loaded: samplers, cost models, plans."""

from ftloader.batching.aspect import AspectBatches
from ftloader.batching.batches import Batches
from ftloader.batching.budgeted import Oversized
from ftloader.batching.budgets import Amount, Budget, host_budget, parse_budget
from ftloader.batching.collate import (
    PaddedBatch,
    list_collate,
    pad_collate,
    pad_samples,
    stack_collate,
)
from ftloader.batching.cost import CostModel, DeviceBytes, HostBytes, Load, PaddedPixels
from ftloader.batching.fitting import Fitted, fit, fit_observed
from ftloader.batching.foreign import GivenOrder, UserBatches, UserSampler
from ftloader.batching.model_files import (
    Provenance,
    load_model,
    save_model,
    standard_model,
)
from ftloader.batching.observed import Observed
from ftloader.batching.online import BudgetAggregator, OnlineBudget
from ftloader.batching.plan import EpochPlan, occurrences, plan_epoch
from ftloader.batching.policies import (
    AspectGroups,
    FixedSize,
    GivenBatches,
    MemoryBudget,
    Policy,
)
from ftloader.batching.ranks import PlannedBatch, RankPlan
from ftloader.batching.replan import replanned, without
from ftloader.batching.samplers import (
    Distributed,
    EpochSampler,
    Infinite,
    Sampler,
    Sequential,
    Shuffled,
)
from ftloader.batching.serving import Gather, Gathered, Place, Serve, Served, places
from ftloader.batching.weighted import ClassAware, Weighted
from ftloader.sizes import Sizes

__all__ = [
    "Amount",
    "AspectBatches",
    "AspectGroups",
    "Batches",
    "Budget",
    "BudgetAggregator",
    "ClassAware",
    "CostModel",
    "DeviceBytes",
    "Distributed",
    "EpochPlan",
    "EpochSampler",
    "Fitted",
    "FixedSize",
    "Gather",
    "Gathered",
    "GivenBatches",
    "GivenOrder",
    "HostBytes",
    "Infinite",
    "Load",
    "MemoryBudget",
    "Observed",
    "OnlineBudget",
    "Oversized",
    "PaddedBatch",
    "PaddedPixels",
    "Place",
    "PlannedBatch",
    "Policy",
    "Provenance",
    "RankPlan",
    "Sampler",
    "Sequential",
    "Serve",
    "Served",
    "Shuffled",
    "Sizes",
    "UserBatches",
    "UserSampler",
    "Weighted",
    "fit",
    "fit_observed",
    "host_budget",
    "list_collate",
    "load_model",
    "occurrences",
    "pad_collate",
    "pad_samples",
    "parse_budget",
    "places",
    "plan_epoch",
    "replanned",
    "save_model",
    "stack_collate",
    "standard_model",
    "without",
]
