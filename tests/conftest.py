"""Makes tests/support importable and its fixtures known to every suite."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

pytest_plugins = ["support.fixtures"]
