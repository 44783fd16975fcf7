from datetime import timedelta
from textwrap import dedent

import pytest
from pydantic import ValidationError

from daylily_notifier.config.document import parse
from daylily_notifier.config.errors import ConfigError
from daylily_notifier.config.load import load, load_file, one_topic
from daylily_notifier.config.values import Secret, Section
from daylily_notifier.domain.routing import EVENT_WORDS, Match, Route, channels_for
from tests.unit.notifier.events import COMPLETED, FAILED, REGISTERED, RETRY, SILENT, TIMEOUT

ARN = "arn:aws:sns:us-west-2:123456789012:daylily"
GOOD = f"""\
channels:
  lab:
    kind: sns
    topic_arn: {ARN}
    timeout: 2s
    retry: {{first: 500ms, longest: 1m, give_up_after: 3d}}
  pager:
    kind: sns
    topic_arn: {{env: PAGER_TOPIC}}
routes:
  - match:
      event: [error, Lock_Timeout]
      state: ERROR
      priority: [urgent, normal]
      customer: acme
      cluster: [c1, c2]
      error_category: data
      label: {{team: wgs}}
    channels: [lab, pager]
  - channels: lab
"""
ENVIRONMENT = {"PAGER_TOPIC": ARN + ".fifo"}


def config(text: str, environment=ENVIRONMENT):
    return load(parse(dedent(text), "notifier.yaml"), environment)


def faults(text: str, environment=ENVIRONMENT) -> list[str]:
    with pytest.raises(ConfigError) as error:
        config(text, environment)
    return list(error.value.faults)


def test_a_file_names_channels_and_routes():
    read = config(GOOD)
    assert read.channels["lab"].topic_arn == ARN
    assert read.channels["lab"].timeout == timedelta(seconds=2)
    assert read.channels["lab"].retry.policy.first == timedelta(milliseconds=500)
    assert read.channels["pager"].topic_arn == ARN + ".fifo"
    assert read.routes == (
        Route(
            Match(
                events=frozenset({"ERROR", "LOCK_TIMEOUT"}),
                states=frozenset({"ERROR"}),
                priorities=frozenset({"URGENT", "NORMAL"}),
                customers=frozenset({"acme"}),
                clusters=frozenset({"c1", "c2"}),
                error_categories=frozenset({"DATA"}),
                labels={"team": "wgs"},
            ),
            ("lab", "pager"),
        ),
        Route(Match(), ("lab",)),
    )


def test_an_empty_file_means_no_channels():
    assert config("").channels == {}
    assert config("# nothing yet\n").routes == ()


def test_all_faults_are_named_with_line_and_key():
    assert faults(
        """\
        channels:
          lab:
            kind: sns
            topic_arn: daylily
            colour: red
          mail:
            kind: pigeon
        routes:
          - match:
              event: [failure]
            channels: [lab]
        """
    ) == [
        "notifier.yaml:10: routes.0.match.event: there is no failure; there are: "
        + ", ".join(sorted(word.lower() for word in EVENT_WORDS))
    ]
    assert faults(
        """\
        channels:
          lab:
            kind: sns
            topic_arn: daylily
            colour: red
          mail:
            kind: pigeon
        routes:
          - channels: [lab, nobody]
        """
    ) == [
        f"notifier.yaml:4: channels.lab.topic_arn: expected a topic's ARN, such as {ARN}",
        "notifier.yaml:5: channels.lab.colour: there is no such key",
        (
            "notifier.yaml:7: channels.mail.kind: expected one of: "
            "apprise, email, linear, pagerduty, slack, sns, webhook"
        ),
        "notifier.yaml:9: routes.0.channels: there is no channel 'nobody'",
    ]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("channels: {lab: {kind: sns}}", ":1: channels.lab.topic_arn: is missing"),
        ("channels: {Lab!: {kind: sns}}", ":1: channels.Lab!: a channel's name is of a-z"),
        ("channels: [lab]", ":1: channels: input should be a valid dictionary"),
        ("routes: [{channels: []}]", ":1: routes.0.channels: expected a text or a list"),
        ("routes: [{match: {}}]", ":1: routes.0.channels: is missing"),
        ("routes: [{channels: a, match: {state: DONE}}]", "there is no DONE; there are: complete"),
        ("routes: [{channels: a, match: {label: team}}]", ":1: routes.0.match.label: "),
        ("rules: []", ":1: rules: there is no such key"),
        ("- lab", "notifier.yaml: input should be"),
        ("a: [", "notifier.yaml: while parsing"),
        ("!!python/object:os.system {}", "could not determine a constructor"),
    ],
)
def test_a_wrong_file_is_refused_with_the_key(text, fault):
    assert fault in faults(text)[0]


def test_a_key_given_twice_is_refused_instead_of_dropped():
    assert faults("routes: []\nchannels:\n  a: {kind: sns}\n  a: {kind: sns}\n") == [
        "notifier.yaml:4: channels.a: given twice"
    ]


@pytest.mark.parametrize("value", ["10", "fast", "0s", "-1s", "1 week"])
def test_a_duration_needs_a_unit(value):
    (fault,) = faults(f"channels: {{a: {{kind: sns, topic_arn: '{ARN}', timeout: {value}}}}}")
    assert "channels.a.timeout: expected a duration" in fault


def test_pauses_must_grow():
    retry = "retry: {first: 10m, longest: 1m}"
    (fault,) = faults(f"channels: {{a: {{kind: sns, topic_arn: '{ARN}', {retry}}}}}")
    assert "channels.a.retry: first is longer than longest" in fault


def test_a_text_may_be_kept_in_a_file(tmp_path):
    (tmp_path / "arn").write_text(f"{ARN}\n")
    text = f"channels: {{a: {{kind: sns, topic_arn: {{file: '{tmp_path}/arn'}}}}}}"
    assert config(text).channels["a"].topic_arn == ARN


@pytest.mark.parametrize(
    ("reference", "fault"),
    [
        ("{env: NOT_SET}", "the environment variable NOT_SET is not set"),
        ("{file: /no/such/file}", "/no/such/file cannot be read"),
        ("{vault: key}", "expected a text, {env: NAME} or {file: PATH}"),
        ("{env: A, file: B}", "expected a text, {env: NAME} or {file: PATH}"),
    ],
)
def test_a_reference_that_leads_nowhere_is_refused(reference, fault):
    (found,) = faults(f"channels: {{a: {{kind: sns, topic_arn: {reference}}}}}")
    assert f"channels.a.topic_arn: {fault}" in found


class WithSecret(Section):
    password: Secret


def test_a_secret_may_not_stand_in_the_file():
    with pytest.raises(ValidationError, match="a secret does not belong") as error:
        WithSecret.model_validate({"password": "hunter2"}, context={})
    assert "hunter2" not in str(error.value)


def test_a_secret_is_read_by_reference_and_not_shown():
    section = WithSecret.model_validate({"password": {"env": "PW"}}, context={"PW": "hunter2"})
    assert section.password.get_secret_value() == "hunter2"
    assert "hunter2" not in repr(section)


def test_a_file_that_is_not_there_is_a_fault(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        load_file(tmp_path / "none.yaml", {})


def test_a_topic_alone_gets_what_ended_and_what_is_wrong():
    routes = one_topic(ARN).routes
    told = [COMPLETED, FAILED, RETRY, TIMEOUT, SILENT]
    assert all(channels_for(event, routes) == ("sns",) for event in told)
    assert channels_for(REGISTERED, routes) == ()


def test_a_topic_that_is_none_is_refused():
    with pytest.raises(ConfigError, match="expected a topic's ARN"):
        one_topic("daylily")
