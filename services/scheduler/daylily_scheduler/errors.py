"""What the scheduler itself refuses. api/errors.py says how each looks on the wire."""


class SchedulerError(Exception):
    """A refusal by the scheduler."""


class InvalidFieldError(SchedulerError):
    """A field of the request is wrong; `field` is its path in the proto."""

    def __init__(self, field: str, description: str) -> None:
        super().__init__(f"{field}: {description}")
        self.field = field
        self.description = description


class UnknownClusterError(SchedulerError):
    """No cluster is registered under this name."""

    def __init__(self, cluster_name: str) -> None:
        super().__init__(f"No cluster is registered as {cluster_name!r}.")
        self.cluster_name = cluster_name


class DrainingError(SchedulerError):
    """The cluster takes no new work."""

    def __init__(self, cluster_name: str) -> None:
        super().__init__(f"Cluster {cluster_name} is draining and takes no new work.")
        self.cluster_name = cluster_name


class RepeatedDifferentlyError(SchedulerError):
    """The request_id was used before for another owner or cluster."""

    def __init__(self, request_id: str) -> None:
        super().__init__(f"The request_id {request_id!r} was used for another claim.")
        self.request_id = request_id


class NotCaughtUpError(SchedulerError):
    """The scheduler does not know yet all that state knows."""

    def __init__(self) -> None:
        super().__init__("This scheduler has not caught up with state yet. Ask again in a moment.")


class StoppingError(SchedulerError):
    """This server is stopping."""

    def __init__(self) -> None:
        super().__init__("This server is stopping. Ask another, or again in a moment.")


class NotWaitingError(SchedulerError):
    """The workset has started or ended already."""

    def __init__(self, workset_id: str, state: str) -> None:
        super().__init__(f"Workset {workset_id} does not wait: it is {state}.")
        self.workset_id = workset_id
        self.state = state
