"""A message that is given up is told of on another channel, once, and can be sent again."""

from daylily.workset.v1 import delivery_pb2

from tests.integration.notifier.deployment import all_finished, config, tell, until
from tests.support.places import Reply, always, place

DEAD = delivery_pb2.DELIVERY_STATE_DEAD


def two_channels(bad, good):
    return config(f"""\
    channels:
      bad: {{kind: webhook, url: '{bad}'}}
      good: {{kind: webhook, url: '{good}'}}
    routes:
      - {{channels: bad, match: {{event: external}}}}
    dead_letters: [bad, good]
    """)


async def test_another_channel_hears_of_a_dead_letter_and_it_can_be_sent_again(lab, state):
    answers = [Reply(422, "no such field")]
    async with (
        place(lambda _: answers.pop() if answers else Reply(200)) as bad,
        place(always()) as good,
        lab.running(two_channels(bad.url, good.url)) as notifier,
    ):
        await tell(state, "the freezer is warm")

        async def alerted():
            return bool(good.requests)

        await until(alerted)
        await all_finished(state)
        (dead,) = (await state.list_deliveries(states=[DEAD])).deliveries
        await notifier.redeliver(delivery_id=dead.delivery_id)
        await all_finished(state)
        left = (await state.list_deliveries(states=[DEAD])).deliveries
    assert not left
    assert len(bad.requests) == 2
    (alert,) = good.requests
    assert alert.json["subject"] == "Channel bad gave up on: the freezer is warm"
    assert "422" in alert.json["facts"]["Why"]
    assert dead.delivery_id in alert.json["facts"]["Details"]


async def test_channels_that_are_all_bad_do_not_tell_each_other_for_ever(lab, state):
    async with (
        place(always(422)) as bad,
        place(always(422)) as good,
        lab.running(two_channels(bad.url, good.url)),
    ):
        await tell(state, "x")

        async def both_gave_up():
            return len((await state.list_deliveries(states=[DEAD])).deliveries) == 2

        await until(both_gave_up)
        await all_finished(state)
    assert len(bad.requests) == len(good.requests) == 1
