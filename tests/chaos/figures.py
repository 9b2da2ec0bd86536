"""What a storm came to, as figures for a person."""

from collections import Counter
from collections.abc import Mapping

from store.manifest import ResultManifest
from tests.chaos.crashes import POINTS
from tests.chaos.crew import Crew
from tests.chaos.gale import Gale
from tests.chaos.ground import Ground
from tests.chaos.logs import actions
from tests.chaos.studio import POISON


def figures(ground: Ground, crew: Crew, gale: Gale) -> Mapping[str, object]:
    """Requests, deaths by their cause, and what was left behind."""
    attempts = Counter(ResultManifest.model_validate_json(path.read_bytes()).attempt for path in ground.results())
    return {
        "requests": len(ground.results()),
        "kills": gale.killed,
        "freezes": gale.frozen,
        **{f"crashes {point}": ground.diary.count(point) for point in POINTS},
        "deaths by poison": ground.diary.count(POISON),
        "workers that died": crew.deaths,
        "fenced zombies": actions(ground)["claim_lost"],
        "requests by attempt": dict(sorted(attempts.items())),
        "temporaries left": ground.temporaries(),
    }
