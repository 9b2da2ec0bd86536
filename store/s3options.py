"""How S3 is reached: what an operator may set."""

from typing import Literal

from pydantic import Field

from store.manifest import Document


class S3Options(Document):
    """How S3 is reached; what is not set, boto3 finds in its own environment and files."""

    endpoint_url: str | None = Field(
        default=None, pattern=r"^https?://[^\s@]+$", description="Another server than AWS: MinIO, R2, Ceph, SeaweedFS."
    )
    region: str | None = Field(default=None, description="Region of the bucket.")
    profile: str | None = Field(default=None, description="Profile of the AWS configuration files.")
    addressing: Literal["auto", "path", "virtual"] = Field(
        default="auto", description="Where the bucket's name stands in an address; most other servers want path."
    )
    connect_timeout: float = Field(default=5.0, gt=0, le=60, description="Longest wait for a connection, seconds.")
    read_timeout: float = Field(default=30.0, gt=0, le=600, description="Longest silence within an answer, seconds.")
