"""What is wrong with a configuration."""


class ConfigError(Exception):
    """A configuration that cannot be used: a line for each fault, with file, line and key."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)
