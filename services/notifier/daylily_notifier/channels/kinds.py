"""The kinds of channels. A new one is a file, its line here, and its test."""

from collections.abc import Mapping
from types import MappingProxyType

from daylily_notifier.channels.base import ChannelSettings
from daylily_notifier.channels.sns import SnsSettings

KINDS: Mapping[str, type[ChannelSettings]] = MappingProxyType({"sns": SnsSettings})
