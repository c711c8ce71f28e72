"""The jobs: requests in flight, decoding behind them, requests that fail, a narrow line."""

from __future__ import annotations

from ftloader.lab.trials import Cell

from .store import MEDIAN_SECONDS, SIGMA, SLOWER, STRAGGLERS

#: Requests in flight, and samples: about a second of them, if nothing is held up.
FETCHED = {4: 200, 16: 700, 64: 2_600, 256: 9_000}
STORE = (
    f"log-normal latency with a median of {1e3 * MEDIAN_SECONDS:g} ms and a sigma of {SIGMA:g}, "
    f"{100 * STRAGGLERS:g} % of requests {SLOWER:g} times as slow"
)


def cell(
    name: str,
    title: str,
    about: str,
    concurrency: int,
    samples: int,
    *,
    decode: int = 0,
    errors: float = 0.0,
    bytes_per_second: float = 0.0,
    group: str = "",
) -> Cell:
    return Cell(
        name=name,
        title=title,
        about=f"{samples:,} samples, {about}; {STORE}",
        settings={
            "concurrency": concurrency,
            "samples": samples,
            "decode": decode,
            "errors": errors,
            "bytes_per_second": bytes_per_second,
        },
        baseline="loop_completion",
        group=group,
        x=concurrency,
        x_title="requests in flight",
    )


def fetch(concurrency: int, samples: int) -> Cell:
    about = f"{concurrency} requests in flight, nothing else done"
    name, title = f"fetch_{concurrency}", f"Fetch, {concurrency} requests in flight"
    return cell(name, title, about, concurrency, samples, group="fetch")


CELLS = (
    *(fetch(concurrency, samples) for concurrency, samples in FETCHED.items()),
    cell(
        "decode_16",
        "Fetch 16 at once, then decode",
        "decoded on as many threads as there are cores",
        16,
        500,
        decode=1,
        group="decode",
    ),
    cell(
        "decode_64",
        "Fetch 64 at once, then decode",
        "decoded on as many threads as there are cores",
        64,
        500,
        decode=1,
        group="decode",
    ),
    cell(
        "errors_64",
        "Fetch, 5 % of requests fail",
        "5 % of requests fail after their latency and are repeated after 10 and 20 ms",
        64,
        2_600,
        errors=0.05,
    ),
    cell(
        "line_64",
        "Fetch over a narrow line",
        "all answers share a line of 80 MB/s",
        64,
        1_000,
        bytes_per_second=80e6,
    ),
)
