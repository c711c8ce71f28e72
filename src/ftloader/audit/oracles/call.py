"""Whether a transform can be called at all: once on each sample, one instance, one thread.

Everything else builds on this. A sample may be dropped, and some samples may be refused with an
exception; if all of them are, there is nothing to audit.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from ...errors import AuditError, summary
from .._places import of_error
from ..conventions.frozen import is_refusal
from ..verdict import Evidence, found

if TYPE_CHECKING:
    from ..subject import Subject

_SHOWN: Final = 3  # kinds of exceptions


def detect(subject: Subject) -> Evidence:
    """Call it on every sample.

    Raises:
        AuditError: every call raised, so that whatever else was seen would mean nothing.
    """
    transform = subject.fresh()
    total = len(subject.samples)
    dropped, errors = 0, []
    for i in range(total):
        try:
            dropped += subject.call(transform, i) is None
        except AuditError:
            raise
        except Exception as error:
            errors.append(error)
    # A refused write to a read-only input is for the detector "frozen" to report.
    if len(errors) == total and not any(map(is_refusal, errors)):
        place = of_error(errors[0])
        raise AuditError(
            f"{subject.name} raised on all {total} samples when called by the style "
            f"{subject.convention.name}: {summary(errors[0])}{f' ({place})' if place else ''}; "
            f"give samples that it takes, or another style"
        )
    text = f"{total} samples: {total - dropped - len(errors)} returned"
    if dropped:
        text += f", {dropped} dropped"
    for said, count in Counter(map(summary, errors)).most_common(_SHOWN):
        text += f", {count} raised {said}"
    return found("call", text, (), {"calls": total, "dropped": dropped, "raised": len(errors)})
