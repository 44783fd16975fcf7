"""Parameters that several calls take."""

from typing import Annotated

from fastapi import Path, Query

from daylily_gateway.rest.words import Priority, State

WorksetId = Annotated[str, Path(description="The workset.", max_length=1024)]
Name = Annotated[str, Path(max_length=1024)]
Limit = Annotated[int, Query(ge=1, le=500, description="At most so many.")]
Cursor = Annotated[
    str, Query(description="From the header `link` of the page before.", max_length=4096)
]
States = Annotated[
    list[State],
    Query(alias="state", default_factory=list, description="Any of these; all when not given."),
]
Priorities = Annotated[
    list[Priority],
    Query(alias="priority", default_factory=list, description="Any of these; all when not given."),
]
Text = Annotated[str, Query(max_length=4096)]
