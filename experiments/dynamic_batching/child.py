"""One job of the experiment in a process of its own: ``child.py JSON``. ``run.py`` starts it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from batching_parts import planned


def main(job: dict[str, Any]) -> int:
    if job["work"] == "planning":
        data = None if job["data"] is None else Path(job["data"])
        table = planned.table_of(data, job["drawn"])
        found = planned.planning(table, job["scale"], job["policy"], job["count"], job["repeat"])
        print(json.dumps(found))
        return 0
    from batching_parts import training  # needs torch, which planning does not

    return training.serve(job)


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
