"""`worksets customers`."""

import click
from daylily.workset.v1 import customer_pb2

from daylily_client.cli import output, words
from daylily_client.cli.context import App, json_option, pass_app


@click.group()
def customers() -> None:
    """Look at customers, and set their limits, shares and budgets."""


@customers.command("list")
@json_option
@pass_app
def list_customers(app: App) -> None:
    """List the customers with their limits and what they use."""
    answer = app.state().list_customers()
    if app.as_json:
        output.print_json(answer)
        return
    if not answer.customers:
        output.note("No customer has limits.")
        return
    output.print_table(
        ("CUSTOMER", ">RUNNING", ">AT MOST", ">WEIGHT", ">SPENT", ">RESERVED", ">BUDGET"),
        (_row(customer) for customer in answer.customers),
    )


def _row(customer: customer_pb2.Customer) -> tuple[str, ...]:
    return (
        customer.customer_id,
        str(customer.running),
        str(customer.max_concurrent or words.NOTHING),
        f"{customer.weight:g}",
        words.money(customer.spent_usd),
        words.money(customer.reserved_usd),
        words.money(customer.budget_usd),
    )


@customers.command("set")
@click.argument("customer_id")
@click.option(
    "--max-concurrent", type=click.IntRange(0), help="Worksets at once; 0 means no limit."
)
@click.option("--weight", type=click.FloatRange(0, min_open=True), help="Share among customers.")
@click.option("--budget-usd", type=click.FloatRange(0), help="To spend; 0 means no limit.")
@click.option("--reset-spent", is_flag=True, help="Begin the budget anew.")
@json_option
@pass_app
def set_customer(
    app: App,
    *,
    customer_id: str,
    max_concurrent: int | None,
    weight: float | None,
    budget_usd: float | None,
    reset_spent: bool,
) -> None:
    """Set limits of CUSTOMER_ID; those that are not given stay."""
    state = app.state()
    found = next(
        (one for one in state.list_customers().customers if one.customer_id == customer_id),
        customer_pb2.Customer(weight=1),
    )
    answer = state.put_customer(
        customer_id=customer_id,
        max_concurrent=found.max_concurrent if max_concurrent is None else max_concurrent,
        weight=found.weight if weight is None else weight,
        budget_usd=found.budget_usd if budget_usd is None else budget_usd,
        reset_spent=reset_spent,
        # What somebody else set meanwhile is not undone.
        expected_version=found.version,
    )
    if app.as_json:
        output.print_json(answer)
        return
    output.print_fields(
        zip(
            ("Customer", "Running", "At most", "Weight", "Spent", "Reserved", "Budget"),
            _row(answer.customer),
            strict=True,
        )
    )
