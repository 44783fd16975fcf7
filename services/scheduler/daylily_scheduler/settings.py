"""What the scheduler is told by its environment."""

from datetime import timedelta
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from daylily_runtime.settings import Bytes, Port, ReadableFile, ServerSettings
from daylily_scheduler.domain.rules import Rules


class SchedulerSettings(ServerSettings):
    """Settings of `daylily-scheduler serve`."""

    port: Port = 50052
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

    default_run_hours: float = Field(
        default=8.0,
        gt=0,
        le=720,
        description="Hours that a run is taken to last when nothing is known of it: no estimate was "
        "given, and no run of its pipeline has ended yet.",
    )

    delay_usd_urgent: float = Field(
        default=8.0,
        gt=0,
        le=100_000,
        description="Dollars that an hour of delay of an urgent workset costs: a dearer cluster now or "
        "a cheaper one later is decided by it (docs/scheduling.md).",
    )
    delay_usd_normal: float = Field(
        default=1.0, gt=0, le=100_000, description="The same for a normal workset."
    )
    delay_usd_low: float = Field(
        default=0.25, gt=0, le=100_000, description="The same for a low workset."
    )
    crowding: float = Field(
        default=8.0,
        ge=1,
        le=1000,
        description="How many worksets' delay one that waits for a cheaper cluster stands for; more: "
        "shorter waits on dearer clusters.",
    )
    low_rises_after_runs: float = Field(
        default=2.0,
        gt=0,
        le=1000,
        description="Age at which a low workset counts as normal, in times of its expected run; "
        "DAYLILY_LOW_RISES_AFTER_HOURS at the latest.",
    )
    low_rises_after_hours: float = Field(
        default=12.0,
        gt=0,
        le=8760,
        description="Age at which a low workset counts as normal at the latest, however long its run.",
    )
    normal_rises_after_hours: float = Field(
        default=168.0,
        gt=0,
        le=8760,
        description="Age at which any workset counts as urgent: the bound on starving.",
    )
    deadline_slack_hours: float = Field(
        default=1.0,
        ge=0,
        le=8760,
        description="A workset counts one class higher from so long before the last moment at which "
        "it would meet its deadline.",
    )
    share_handicap_hours: float = Field(
        default=12.0,
        ge=0,
        le=8760,
        description="How much later than registered the worksets of a customer stand that runs on all "
        "vCPUs, at weight 1; on a part of them, that part of it. 0: no fair shares.",
    )

    idle_share: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Share of a cluster's fixed cost that a run is charged for the hours by which it "
        "has to live longer; 0.3 where idle clusters are shut down, 0 where they live on anyway.",
    )

    cluster_offers_file: ReadableFile | None = Field(
        default=None,
        description="YAML file with the kinds of clusters that can be created and their prices "
        "(docs/scheduling-advice.md); without it, the kinds that are registered. Read again every "
        "10 minutes.",
    )
    spot_prices: bool = Field(
        default=False,
        description="Take the price of a kind of cluster that has none in that file from EC2's spot "
        "price history, every 10 minutes.",
    )

    alarm_queue_age_hours: float = Field(
        default=24.0,
        ge=0,
        le=8760,
        description="Hours that a workset may wait which could start, before people hear of a backlog; "
        "0: never.",
    )
    alarm_queue_length: int = Field(
        default=0,
        ge=0,
        description="Worksets that may wait which could start, before people hear of a backlog; "
        "0: any number.",
    )
    alarm_budget_share: float = Field(
        default=0.8,
        ge=0,
        le=1,
        description="Share of a customer's budget from which on people hear of it; 0: only at its end.",
    )

    record_decisions_in: Path | None = Field(
        default=None,
        description="Directory, this scheduler's own, in which decisions are recorded with all that "
        "they depended on, one a second at most, for `worksets schedule replay`.",
    )
    record_decisions_bytes: Bytes = Field(
        default=256 * 1024 * 1024,
        description="Bytes that the recorded decisions may take; the oldest are removed.",
    )

    def rules(self) -> Rules:
        """The constants of the policy, as they are set."""
        return Rules(
            delay_usd_per_hour=(self.delay_usd_urgent, self.delay_usd_normal, self.delay_usd_low),
            crowding=self.crowding,
            low_rises_after_runs=self.low_rises_after_runs,
            low_rises_after=timedelta(hours=self.low_rises_after_hours),
            normal_rises_after=timedelta(hours=self.normal_rises_after_hours),
            deadline_slack=timedelta(hours=self.deadline_slack_hours),
            share_handicap=timedelta(hours=self.share_handicap_hours),
            idle_share=self.idle_share,
            default_hours=self.default_run_hours,
        )

    @model_validator(mode="after")
    def _certificate_and_key_for_state(self) -> Self:
        if (self.state_tls_cert is None) != (self.state_tls_key is None):
            raise ValueError("DAYLILY_STATE_TLS_CERT and DAYLILY_STATE_TLS_KEY need each other")
        return self
