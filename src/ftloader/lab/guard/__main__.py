"""``python -m ftloader.lab.guard``: see ``main``."""

import sys

from .main import main

sys.exit(main())
