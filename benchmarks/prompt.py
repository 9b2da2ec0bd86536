"""What reading a prompt costs: importing, loading the lexicon and the CLIP vocabulary, and each prompt.

    python benchmarks/prompt.py [--rounds 20] [--json FILE]

The prompts are the golden ones of the tests; nothing is drawn and torch is not imported.
"""

import argparse
import json
import statistics
import time
import tomllib
from pathlib import Path

GOLDEN = Path(__file__).parents[1] / "tests" / "pipeline" / "golden_prompts.toml"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=20)
    options.add_argument("--json", type=Path)
    given = options.parse_args()
    prompts = [one["prompt"] for one in tomllib.loads(GOLDEN.read_text("utf-8"))["request"]]
    costs = {**loading(), **reading(prompts, given.rounds)}
    for name, value in costs.items():
        print(f"{name:<24} {value:10.3f} ms")
    if given.json:
        given.json.write_text(json.dumps(costs, indent=2) + "\n")


def loading() -> dict[str, float]:
    costs = {}
    started = time.perf_counter()
    from pipeline.prompt.lexicon import load_lexicon
    from pipeline.prompt.tokens import count_tokens

    costs["import"] = since(started)
    started = time.perf_counter()
    load_lexicon()
    costs["lexicon, once"] = since(started)
    started = time.perf_counter()
    count_tokens("a cat")
    costs["vocabulary, once"] = since(started)
    return costs


def reading(prompts: list[str], rounds: int) -> dict[str, float]:
    from pipeline.prompt.decide import decide_from
    from pipeline.prompt.korean import KoreanExtractor
    from pipeline.request import GenerationRequest
    from pipeline.styles import load_styles

    extractor, styles = KoreanExtractor(), load_styles()
    extracting, everything = [], []
    for _ in range(rounds):
        for prompt in prompts:
            request = GenerationRequest(prompt=prompt)
            started = time.perf_counter()
            keywords = extractor(prompt, "")
            extracting.append(since(started))
            decide_from(keywords, request, styles, "ultra_realistic")
            everything.append(since(started))
    return {
        "keywords, median": statistics.median(extracting),
        "keywords, 95th percent": statistics.quantiles(extracting, n=20)[-1],
        "whole prompt, median": statistics.median(everything),
        "whole prompt, 95th": statistics.quantiles(everything, n=20)[-1],
    }


def since(started: float) -> float:
    return (time.perf_counter() - started) * 1000


if __name__ == "__main__":
    main()
