"""The workloads of the scaling experiment, one kind in each module."""
