"""A commit that got no answer counts as not done, and is decided and sent again without a look."""

from typing import Any

from daylily_state.app.deciding import Decider
from daylily_state.domain.commit import Clash, Conflict
from daylily_state.store.dynamodb.commits import _Attempts
from tests.chaos.planted import put_in_place


def plant(service: str) -> None:
    if service != "state":
        return
    decide = Decider.decide
    put_in_place(_Attempts, "_look", lambda *_: Conflict(frozenset({Clash.SLOT})))

    async def patched(self: Decider, *args: Any, repeated: Any = None, **kwargs: Any) -> Any:
        asked = False

        async def asked_once(rows: Any) -> Any:
            nonlocal asked
            first, asked = not asked, True
            return await repeated(rows) if repeated is not None and first else None

        return await decide(self, *args, repeated=asked_once, **kwargs)

    put_in_place(Decider, "decide", patched)
