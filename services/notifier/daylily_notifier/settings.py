"""What the notifier is told by its environment."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from daylily_notifier.config.load import NotifierConfig, load_file, no_channels, one_topic
from daylily_runtime import Port, ReadableFile, ServerSettings


class NotifierSettings(ServerSettings):
    """Settings of `daylily-notifier serve`."""

    port: Port = 50053
    state_address: str = Field(
        default="127.0.0.1:50051",
        description="host:port of the state service; several replicas with commas between.",
    )
    state_tls_ca: ReadableFile | None = Field(
        default=None, description="PEM file with the authorities of state's certificate: use TLS."
    )
    state_tls_cert: ReadableFile | None = Field(
        default=None, description="PEM file with this service's certificate, where state asks."
    )
    state_tls_key: ReadableFile | None = Field(
        default=None, description="PEM file with the key of that certificate."
    )
    state_token_file: ReadableFile | None = Field(
        default=None,
        description="File with the bearer token of this service; read again when it changes.",
    )
    notifier_config: Path | None = Field(
        default=None, description="YAML file with channels and routes."
    )
    notifier_sns_topic_arn: str = Field(
        default="",
        description="Without a file: send what ended and what is wrong to this SNS topic.",
    )
    notifier_pages_url: str = Field(
        default="",
        description="Base URL of the gateway's pages, for links in messages: https://daylily.lab.",
    )
    notifier_start: Literal["beginning", "now"] = Field(
        default="beginning",
        description="Where in the feed a notifier begins that never ran before.",
    )

    @model_validator(mode="after")
    def _one_source_of_channels(self) -> Self:
        if self.notifier_config is not None and self.notifier_sns_topic_arn:
            raise ValueError(
                "DAYLILY_NOTIFIER_CONFIG and DAYLILY_NOTIFIER_SNS_TOPIC_ARN contradict: drop one"
            )
        return self

    @model_validator(mode="after")
    def _certificate_and_key_for_state(self) -> Self:
        if (self.state_tls_cert is None) != (self.state_tls_key is None):
            raise ValueError("DAYLILY_STATE_TLS_CERT and DAYLILY_STATE_TLS_KEY need each other")
        return self

    @field_validator("notifier_pages_url")
    @classmethod
    def _is_a_page(cls, value: str) -> str:
        if value and not value.startswith(("http://", "https://")):
            raise ValueError("expected a URL that begins with https:// (or http://)")
        return value

    def load_config(self, environment: Mapping[str, str]) -> NotifierConfig:
        """The channels and routes that these settings name.

        Raises:
            ConfigError: the file or the topic is wrong.
        """
        if self.notifier_config is not None:
            return load_file(self.notifier_config, environment)
        if self.notifier_sns_topic_arn:
            return one_topic(self.notifier_sns_topic_arn)
        return no_channels()
