"""tap.py, with the time of each message: seconds since the epoch, when it passed by."""

import json
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
import tap

_dumps = json.dumps

if __name__ == "__main__":
    tap.json.dumps = lambda entry: _dumps({**entry, "time": time.time()})  # type: ignore[attr-defined, assignment]
    code = tap.main(Path(sys.argv[1]), sys.argv[2:])
    sys.stdout.flush()
    os._exit(code)
