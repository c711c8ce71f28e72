"""What was expected before any judged run, and whose claim it is."""

from __future__ import annotations

from ftloader.lab.trials import Hypothesis

HYPOTHESES = (
    Hypothesis(
        "a budget with weights foretold holds, but for what the reader has in hand",
        "flight",
        "budget",
        "of_budget",
        1.1,
        "lower",
    ),
    Hypothesis(
        "a budget with weights measured is overdrawn by one result at most",
        "flight",
        "budget_measured",
        "of_budget",
        1.2,
        "lower",
    ),
    Hypothesis(
        "the same buffers without a budget hold at least twice as much",
        "flight",
        "ahead",
        "of_budget",
        2.0,
        "higher",
    ),
    Hypothesis(
        "a budget costs no rate where the reader is the slowest",
        "flight",
        "budget",
        "rate",
        0.97,
        "higher",
        against="ahead",
    ),
    Hypothesis(
        "plain arrays stay alive while their makers are blocked, 20 of 20 on a free-threaded "
        "build, GIL on or off",
        "delayed",
        "plain_queue",
        "alive",
        0.95,
        "higher",
        arms="free-threaded build",
    ),
    Hypothesis(
        "and none of them where every object is freed by whoever drops it last",
        "delayed",
        "plain_queue",
        "alive",
        0.05,
        "lower",
        arms="gil build",
    ),
    Hypothesis(
        "workers of a pipeline free what was dropped even so, since they never wait for ever",
        "delayed",
        "pipeline",
        "alive",
        0.05,
        "lower",
    ),
    Hypothesis(
        "and with a budget, which counts on it",
        "delayed",
        "pipeline_budget",
        "alive",
        0.05,
        "lower",
    ),
    Hypothesis(
        "pooled buffers are free at once", "delayed", "loader", "alive_at_once", 0.0, "lower"
    ),
    Hypothesis(
        "pytorch#161044: threads take at least 20 % less memory than processes",
        "tree_4",
        "threads",
        "pss_mb",
        0.8,
        "lower",
        against="fork",
    ),
    Hypothesis(
        "pytorch#161044: 40 % less with 12 workers",
        "tree_12",
        "threads",
        "pss_mb",
        0.6,
        "lower",
        against="fork",
    ),
)
