"""What a run tells about itself: a table, the bottleneck, a profile, a log line, a progress bar.

Everything here reads the counters that an engine keeps anyway (:mod:`ftloader.engine.stats`), when
it is called and not before: nothing in this package is imported or running unless asked for.

Reading order: ``table``, ``bottleneck`` and ``advice``, ``profile`` (with ``trace`` and
``command``), then ``brief`` with ``log`` and ``progress``.
"""
