"""The kinds of channels. A new one is a file, its line here, and its test."""

from collections.abc import Mapping
from types import MappingProxyType

from daylily_notifier.channels.base import ChannelSettings
from daylily_notifier.channels.linear import LinearSettings
from daylily_notifier.channels.mail import MailSettings
from daylily_notifier.channels.pagerduty import PagerDutySettings
from daylily_notifier.channels.slack import SlackSettings
from daylily_notifier.channels.sns import SnsSettings
from daylily_notifier.channels.through_apprise import AppriseSettings
from daylily_notifier.channels.webhook import WebhookSettings

KINDS: Mapping[str, type[ChannelSettings]] = MappingProxyType(
    {
        "apprise": AppriseSettings,
        "email": MailSettings,
        "linear": LinearSettings,
        "pagerduty": PagerDutySettings,
        "slack": SlackSettings,
        "sns": SnsSettings,
        "webhook": WebhookSettings,
    }
)
