"""`worksets customers` against a real state service."""

import uuid


def named():
    return f"acme-{uuid.uuid4().hex[:8]}"


def test_a_limit_is_set_and_the_others_stay(cli):
    name = named()
    cli.done("customers", "set", name, "--budget-usd", "100", "--weight", "2")

    said = cli.done("customers", "set", name, "--max-concurrent", "3")

    assert "$100.00" in said
    (found,) = [c for c in cli.json("customers", "list")["customers"] if c["customer_id"] == name]
    assert (found["max_concurrent"], found["weight"], found["budget_usd"]) == (3, 2, 100)
    assert name in cli.done("customers", "list")


def test_a_budget_begins_anew(cli, registered):
    name = named()
    cli.done("customers", "set", name, "--budget-usd", "100")
    workset = registered("--customer", name)
    cli.done("lock", workset, "--owner", "me")
    cli.done("set-state", workset, "in-progress", "--owner", "me")
    cli.done("set-state", workset, "complete", "--owner", "me", "--metrics", '{"cost_usd": 12.5}')

    before = cli.json("customers", "list")["customers"]
    after = cli.json("customers", "set", name, "--reset-spent")["customer"]

    assert [c["spent_usd"] for c in before if c["customer_id"] == name] == [12.5]
    assert (after["spent_usd"], after["budget_usd"]) == (0, 100)
