"""``python -m spillway_localstack``."""

import sys

from spillway_localstack.cli import main

sys.exit(main())
