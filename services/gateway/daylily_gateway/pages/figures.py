"""The last day, drawn."""

from daylily_gateway.history import STEP, Day
from daylily_gateway.pages.charts import Chart, chart
from daylily_gateway.rest.words import Priority, State


def of_day(day: Day) -> list[Chart]:
    """Queue depth, throughput, and how long starts took."""
    return [
        chart(
            "Worksets",
            {
                state.value.replace("_", " "): (
                    f"is-{state.value}",
                    day.depth.get(state.number, []),
                )
                for state in (State.READY, State.IN_PROGRESS, State.ERROR)
                if day.depth.get(state.number)
            },
            day.begins,
            STEP,
        ),
        chart(
            "Ended in 15 minutes",
            {
                "complete": ("is-complete", day.ended["complete"]),
                "error": ("is-error", day.ended["error"]),
            },
            day.begins,
            STEP,
        ),
        chart(
            "Median wait to the lock",
            {
                priority.value: (f"is-{priority.value}", day.waits[priority.number])
                for priority in Priority
                if priority.number in day.waits
            },
            day.begins,
            STEP,
            unit="s",
        ),
    ]
