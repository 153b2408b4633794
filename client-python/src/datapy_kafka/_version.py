"""Who this client says it is."""

from __future__ import annotations

import os
import sys
from importlib import metadata

try:
    __version__ = metadata.version("datapy-kafka")
except metadata.PackageNotFoundError:  # Imported from a source tree.
    __version__ = "0+unknown"

CLIENT_VERSION = f"datapy-kafka/{__version__}"


def client_name() -> str:
    """Returns the job's script, as the daemon shows it in logs and status."""
    return os.path.basename(sys.argv[0]) or "python" if sys.argv else "python"
