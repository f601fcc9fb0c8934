"""schemathesis, as it is, against the whole API: every answer is as the specification says, and none is our fault.

Few examples with a fixed seed; docs/decisions/0024 says how to run it without bounds.
"""

import subprocess
import sys

from app.services import account_sets, slots
from tests.edges import committed


def test_every_answer_is_as_documented(app, public, api, owner, ready_clip, telegram, tmp_path):
    app.config["API_REQUESTS_PER_MINUTE"] = 1_000_000
    clip, connection = ready_clip(owner), telegram(owner)
    account_set = account_sets.save(owner, "Утро", [connection.id])
    committed(slots.add(owner, account_set.id, [0], [600]))
    api.post("/publications", {"clip_id": clip.id, "to": [{"connection_id": connection.id}]})
    run = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run", f"{public}/api/v1/openapi.json"),
            *("-H", f"Authorization: Bearer {api.secret}", "--seed", "1", "--no-color"),
            *("--max-examples", "3"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stdout[-5000:] + run.stderr[-2000:]
    assert "Tested: " in run.stdout
