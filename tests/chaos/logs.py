"""What the workers said: counted by action, over all their logs."""

import json
from collections import Counter

from tests.chaos.ground import Ground


def actions(ground: Ground) -> Counter[str]:
    """How often each action was logged; a line that a killed worker did not finish does not count."""
    found: Counter[str] = Counter()
    for path in sorted(ground.logs.glob("*.log")):
        for line in path.read_text().splitlines():
            try:
                found[json.loads(line).get("action", "")] += 1
            except json.JSONDecodeError:
                found["Traceback"] += line.startswith("Traceback")
    return found
