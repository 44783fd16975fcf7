"""A channel's own texts: what they can do, and what they cannot."""

import time
from dataclasses import replace

import pytest

from daylily_notifier.config.templates import NAMES, compile_template, with_texts
from daylily_notifier.domain import digests
from daylily_notifier.domain.message import render
from tests.integration.notifier.channels.test_slack import MESSAGES
from tests.unit.notifier.events import FAILED
from tests.unit.notifier.test_digests import failures

MESSAGE = render(
    replace(FAILED, labels={"team": "wgs"}, cluster_name="c1"), "k", base_url="https://daylily.lab"
)


def test_a_template_says_it_in_its_own_words():
    subject = compile_template("[{{ severity | upper }}] {{ workset_id }} on {{ cluster }}")
    body = compile_template(
        "{% if labels.team %}{{ labels.team }}: {% endif %}{{ why }}\n{{ url }}"
        "{% for name, fact in facts.items() %}{% endfor %}".replace(".items()", " | items")
    )
    message = with_texts(MESSAGE, subject, body)
    assert message.subject == "[ERROR] ws-1 on c1"
    assert message.body == "wgs: DATA\nhttps://daylily.lab/worksets/ws-1"


@pytest.mark.parametrize("message", [*MESSAGES, digests.render(failures(20), "key", "k")])
def test_every_name_is_there_for_every_message(message):
    template = compile_template(" ".join(f"{{{{ {name} }}}}" for name in NAMES))
    assert template.render(message)


@pytest.mark.parametrize(
    "source",
    [
        "{{ worksetid }}",
        "{% for",
        "{{ 1 | nosuchfilter }}",
        "{% include 'x' %}{{ y }}",
        "{% for a in facts %}{% for b in facts %}{% for c in facts %}{% endfor %}{% endfor %}{% endfor %}",
        "x" * 10_001,
    ],
)
def test_what_is_no_template_is_refused_when_the_file_is_read(source):
    with pytest.raises(ValueError):
        compile_template(source)


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ facts.__init__.__globals__ }}",
        "{{ subject.format(subject) }}",
        "{{ 'a' * 1000000000 }}",
        "{{ 9 ** 999999999 }}",
        "{{ '%1000000000d' % 1 }}",
        "{{ 1 / 0 }}",
        "{{ facts.nothing }}",
        "{% for a in text %}{% for b in text %}{{ text }}{% endfor %}{% endfor %}",
    ],
)
def test_what_a_template_may_not_do_or_cost_fails_soon(source):
    begun = time.monotonic()
    try:
        template = compile_template(source)
    except ValueError:
        return
    with pytest.raises(ValueError):
        template.render(MESSAGE)
    assert time.monotonic() - begun < 2
