"""What a request is about, taken from what the user wrote."""

from dataclasses import dataclass

from pipeline.request import GenerationRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Keywords:
    """The subject in the user's words, and which extractor found it."""

    subject: str
    extractor: str


def extract(request: GenerationRequest) -> Keywords:
    """Take the prompt and the user's extra words as they are, side by side."""
    said = (request.prompt,) if request.prompt_mode == "raw" else (request.prompt, request.user_input)
    parts = [" ".join(part.split()) for part in said]
    return Keywords(subject=", ".join(part for part in parts if part), extractor="verbatim")
