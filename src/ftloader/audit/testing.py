"""The audit as an assertion for a test suite."""

from __future__ import annotations

from typing import Any

from .table import render
from .verdict import Verdict


def assert_thread_safe(transform: Any, samples: Any = None, **options: Any) -> Verdict:
    """Audit a transform, and fail the test unless threads may use it.

    Safe is whatever :attr:`~ftloader.ThreadSafety.is_safe` says: also one instance per thread.

    Args:
        transform: as for :func:`ftloader.audit.audit`.
        samples: its inputs; None has the audit make some.
        options: the other arguments of :func:`~ftloader.audit.audit`.

    Returns:
        The verdict.

    Raises:
        AssertionError: it is not safe; the message is the whole table.
        AuditError: it cannot be had or called.

    Thread safety: as :func:`~ftloader.audit.audit`.
    """
    from .run import audit

    verdict = audit(transform, samples, **options)
    if not verdict.safety.is_safe:
        raise AssertionError(f"threads must not share this transform\n\n{render(verdict)}")
    return verdict
