"""What may be asked for: the request as a backend writes it."""

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Field, JsonValue, model_validator
from pydantic_core import PydanticCustomError

from store.digest import Digest
from store.manifest import Document, ImageFormat

ID_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}"
MAX_NAME_BYTES = 255
AspectRatio = Literal["1:1", "4:3", "3:4", "3:2", "2:3", "16:9", "9:16", "21:9", "9:21"]
ReferenceMode = Literal["variation", "structure"]
Purpose = Literal[
    "feed", "story", "reels", "banner", "thumbnail", "poster", "menu", "product", "profile", "event", "other"
]


class ReferenceFile(Document):
    """A reference image in the inbox; with its digest it is known to be whole as soon as it is there."""

    model_config = ConfigDict(strict=True)

    name: str = Field(min_length=1, description="File name in the inbox, one component.")
    sha256: Digest | None = Field(default=None, description="SHA-256 of the file, lower-case hex.")
    bytes: int | None = Field(default=None, ge=1, description="Size of the file.")

    @model_validator(mode="after")
    def _is_one_component(self) -> Self:
        name = self.name
        if "/" in name or "\0" in name or name.startswith(".") or len(name.encode()) > MAX_NAME_BYTES:
            raise ValueError("must be one file name in the inbox: no '/', no leading dot, at most 255 bytes")
        return self


def _fault(field: str, message: str) -> PydanticCustomError:
    return PydanticCustomError("inconsistent", "{message}", {"field": field, "message": message})


def _named(value: object) -> object:
    return {"name": value} if isinstance(value, str) else value


Reference = Annotated[ReferenceFile, BeforeValidator(_named, json_schema_input_type=str | ReferenceFile)]


class GenerationRequest(Document):
    """One request: only the prompt is required; what is left out is decided by the style."""

    model_config = ConfigDict(strict=True)

    schema_version: Literal[1] = 1
    id: str | None = Field(default=None, pattern=f"^{ID_PATTERN}$", description="Must equal the file name's stem.")
    prompt: str = Field(min_length=1, max_length=2000, description="What to draw, in Korean or English.")
    user_input: str = Field(default="", max_length=2000, description="Extra words of the end user.")
    reference_image: Reference | None = Field(
        default=None, description="A file name in the inbox; its presence makes the request image-to-image."
    )
    style: str = Field(default="auto", description="auto, or a configured style or one of its aliases.")
    purpose: Purpose | None = Field(default=None, description="Where the picture will stand; gives the aspect ratio.")
    negative_prompt: str = Field(default="", max_length=2000, description="What to keep out of the picture.")
    width: int | None = Field(default=None, ge=64, description="Pixels; together with height.")
    height: int | None = Field(default=None, ge=64, description="Pixels; together with width.")
    aspect_ratio: AspectRatio | None = Field(default=None, description="Instead of width and height.")
    steps: int | None = Field(default=None, ge=1, le=150, description="Denoising steps.")
    guidance_scale: float | None = Field(default=None, ge=0, le=30, description="How closely to follow the prompt.")
    seed: int | None = Field(default=None, ge=0, lt=2**32, description="Image k is drawn with seed + k.")
    num_images: int = Field(default=1, ge=1, description="Pictures to draw, one by one.")
    strength: float | None = Field(default=None, gt=0, le=1, description="How far a variation leaves its reference.")
    controlnet_scale: float | None = Field(default=None, ge=0, le=2, description="Weight of the reference's edges.")
    reference_mode: ReferenceMode = Field(
        default="variation", description="variation starts from the reference, structure keeps only its edges."
    )
    output_format: ImageFormat = "png"
    prompt_mode: Literal["auto", "raw"] = Field(default="auto", description="raw leaves the prompt as it is.")
    metadata: dict[str, JsonValue] = Field(default={}, description="Any small object; echoed in the result.")

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if not self.prompt.strip():
            raise _fault("prompt", "prompt must hold more than white space")
        if (self.width is None) != (self.height is None):
            missing = "width" if self.width is None else "height"
            raise _fault(missing, "width and height go together; give both, or aspect_ratio alone")
        if self.width is not None and self.aspect_ratio is not None:
            raise _fault("aspect_ratio", "give width and height, or aspect_ratio, not both")
        return self

    def asks_for(self, field: str) -> bool:
        """Whether the request itself sets the field, even to its default."""
        return field in self.model_fields_set
