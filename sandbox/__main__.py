import os
from pathlib import Path

from sandbox.serve import THREADS, main

main(
    "127.0.0.1",
    int(os.environ.get("SANDBOX_PORT", "5050")),
    Path(os.environ.get("VAR_DIR", "var"), "sandbox"),
    int(os.environ.get("SANDBOX_THREADS", THREADS)),
    int(os.environ.get("SANDBOX_SMTP_PORT") or 0) or None,
)
