"""The page in a real browser: every view, alive, usable by keyboard, phone and screen reader."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, expect

from daylily_gateway.server import GatewayServer
from tests.integration.gateway.conftest import Lab, running_lab
from tests.support.browser import browser
from tests.support.hearing import knows_of

PHONE = {"width": 390, "height": 844}
DESK = {"width": 1200, "height": 900}
VIEWS = ("/", "/worksets", "/worksets/ws-1", "/clusters", "/ui/scheduler", "/ui/notifications")


@dataclass
class Visitor:
    """Somebody who looks, and what their browser complained of."""

    lab: Lab
    chromium: Browser
    complaints: list[str] = field(default_factory=list)

    async def open(self, path: str = "/", **context) -> Page:
        """A page as it looks once its scripts have run."""
        settings = {"viewport": DESK, "base_url": self.lab.gateway.address, **context}
        page = await (await self.chromium.new_context(**settings)).new_page()
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on(
            "console",
            lambda said: self.complaints.append(said.text) if said.type == "error" else None,
        )
        await page.goto(path)
        return page

    async def open_live(self, path: str = "/") -> Page:
        """A page that hears what happens."""
        page = await self.open(path)
        await expect(page.locator("#connection")).to_have_text("live", timeout=20_000)
        return page


@pytest.fixture
async def visitor(tmp_path) -> AsyncIterator[Visitor]:
    async with browser() as chromium, running_lab(tmp_path) as lab:
        yield Visitor(lab, chromium)


async def furnish(lab: Lab) -> None:
    """Something of everything that the views show."""
    await lab.http.put("/clusters/c1", json={"vcpus": 96, "memory_gb": 384, "slots": 2})
    await lab.http.put("/customers/acme", json={"budget_usd": 100})
    await lab.register("ws-1", customer_id="acme", requirements={"vcpus": 192, "memory_gb": 8})
    await lab.register("ws-2", labels={"run": "R1"}, metadata={"samples": 7})
    await lab.fail("ws-2")
    await lab.register("ws-3")
    token = await lab.lock("ws-3")
    await lab.put_state("ws-3", "in_progress", lock_token=token)
    await lab.state.report_progress(
        workset_id="ws-3", lock_token=token, step="run_pipeline", percent=40, log_tail="line"
    )


async def test_every_view_renders_without_complaint_and_axe_finds_nothing(visitor):
    await furnish(visitor.lab)
    others = ("/worksets/ws-2", "/worksets/ws-3", "/worksets/no-such", "/ui/scheduler/advice")
    for path in (*VIEWS, *others, "/ui/sign-in"):
        page = await visitor.open(path)
        found = await Axe().run(page)
        assert found.violations_count == 0, f"{path}: {found.generate_report()}"
        await page.context.close()
    unwanted = [one for one in visitor.complaints if "404" not in one]  # /worksets/no-such is one
    assert unwanted == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_on_a_phone_nothing_is_cut_off_and_contrast_holds(visitor, scheme):
    await furnish(visitor.lab)
    for path in VIEWS:
        page = await visitor.open(path, viewport=PHONE, color_scheme=scheme)
        assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], path
        found = await Axe().run(page)
        assert found.violations_count == 0, f"{path}: {found.generate_report()}"
        await page.context.close()


async def test_an_empty_system_says_so_in_every_view(visitor):
    page = await visitor.open("/")
    await expect(page.get_by_text("Nothing does.")).to_be_visible()
    await expect(page.get_by_text("Nothing runs.")).to_be_visible()
    await page.goto("/worksets")
    await expect(page.get_by_text("None is registered yet.")).to_be_visible()
    await page.goto("/clusters")
    await expect(page.get_by_text("None is registered. A monitor")).to_be_visible()


async def test_what_happens_arrives_without_a_reload(visitor):
    page = await visitor.open_live("/")
    await page.evaluate("window.untouched = true")

    await visitor.lab.register("ws-1", priority="urgent")

    await expect(page.locator(".events")).to_contain_text("ws-1", timeout=10_000)
    await expect(page.get_by_role("row", name="ready 1 0 0")).to_be_visible()
    assert await page.evaluate("window.untouched")


async def test_the_page_of_a_workset_follows_it(visitor):
    await visitor.lab.register("ws-1")
    page = await visitor.open_live("/worksets/ws-1")

    await visitor.lab.fail("ws-1")

    await expect(page.locator(".headline .state")).to_have_text("error", timeout=10_000)
    await expect(page.get_by_role("heading", name="What went wrong")).to_be_visible()


async def test_worksets_are_filtered_by_the_form_and_the_filter_is_in_the_address(visitor):
    await furnish(visitor.lab)
    page = await visitor.open("/worksets")

    await page.get_by_label("State").select_option("error")
    await page.get_by_role("button", name="Show", exact=True).click()

    await expect(page.locator("tbody tr")).to_have_count(1)
    await expect(page.locator("tbody")).to_contain_text("ws-2")
    assert "state=error" in page.url


async def test_an_errored_workset_is_retried_with_a_reason(visitor):
    await furnish(visitor.lab)
    page = await visitor.open("/worksets/ws-2")

    await page.get_by_text("Retry…").click()
    await page.locator("details[open]").get_by_label("Why").fill("new reads")
    await page.get_by_role("button", name="Retry").click()

    await expect(page.locator(".headline .state")).to_have_text("ready")
    await expect(page.locator(".timeline")).to_contain_text("new reads")
    assert page.url.endswith("/worksets/ws-2")


async def test_a_priority_is_changed_by_keyboard_alone(visitor):
    await visitor.lab.register("ws-1")
    page = await visitor.open("/worksets/ws-1")

    await page.get_by_text("Change priority…").focus()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    await page.keyboard.type("urgent")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")

    await expect(page.locator(".headline")).to_contain_text("urgent priority")


async def test_an_action_on_many_is_shown_first_and_done_when_it_is_confirmed(visitor):
    for number in range(3):
        await visitor.lab.register(f"ws-{number}")
    page = await visitor.open("/worksets?state=ready")

    await page.get_by_label("choose ws-0").check()
    await page.get_by_label("choose ws-2").check()
    await page.get_by_label("What").select_option("ignore")
    await page.get_by_role("button", name="Show what it would do").click()
    await expect(page.get_by_text("2 worksets would change")).to_be_visible()
    still = (await visitor.lab.http.get("/queue/stats")).json()["queue_depth"]["ready"]
    await page.get_by_role("button", name="Ignore 2").click()
    await expect(page.get_by_text("2 of 2 worksets changed.")).to_be_visible()

    assert still == 3
    assert (await visitor.lab.http.get("/queue/stats")).json()["queue_depth"]["ignored"] == 2


async def test_a_lost_connection_says_so_and_comes_back_with_what_was_missed(visitor):
    page = await visitor.open_live("/")
    settings = visitor.lab.gateway.settings
    port = visitor.lab.gateway.port

    await visitor.lab.gateway.stop()
    await expect(page.locator("#connection")).to_contain_text("connection lost", timeout=20_000)
    await visitor.lab.state.register_workset(workset_id="ws-9", bucket="lab", prefix="runs/ws-9/")
    again = GatewayServer(settings.model_copy(update={"port": port}))
    await again.start()
    try:
        await expect(page.locator("#connection")).to_have_text("live", timeout=30_000)
        await expect(page.locator("#live")).to_contain_text("ws-9", timeout=10_000)
    finally:
        await page.close()
        await again.stop()


async def test_a_service_that_is_away_leaves_the_page_standing(visitor):
    await furnish(visitor.lab)
    await visitor.lab.scheduler_service.stop()
    await visitor.lab.notifier_service.stop()

    page = await visitor.open("/")

    await expect(page.get_by_text("The scheduler does not answer.")).to_be_visible(timeout=40_000)
    await expect(page.get_by_role("link", name="ws-2").first).to_be_visible()


async def test_what_a_workset_says_is_text_and_no_script(visitor):
    evil = "<script>window.owned = true</script><img src=x onerror='window.owned = true'>"
    await visitor.lab.register("ws-1", labels={"note": evil[:60]}, metadata={"x": evil})
    token = await visitor.lab.lock("ws-1", owner_id="m1")
    await visitor.lab.put_state("ws-1", "in_progress", lock_token=token)
    await visitor.lab.put_state(
        "ws-1", "error", lock_token=token, error_details=evil, error_category="data"
    )
    for path in ("/", "/worksets", "/worksets/ws-1"):
        page = await visitor.open(path)
        await asyncio.sleep(0.05)
        assert await page.evaluate("window.owned") is None
        await expect(page.get_by_text("<script>window.owned").first).to_be_attached()


async def test_what_customers_cost_is_drawn_and_said(visitor):
    lab = visitor.lab
    await lab.http.put("/customers/acme", json={"budget_usd": 100})
    await lab.register("ws-1", customer_id="acme", requirements={"estimated_cost_usd": 20})
    token = await lab.lock("ws-1")
    await lab.put_state("ws-1", "in_progress", lock_token=token)
    await lab.put_state("ws-1", "complete", lock_token=token, metrics={"cost_usd": 12.5})
    for path in ("/", "/clusters"):
        page = await visitor.open(path)
        drawing = page.get_by_role("img", name="Cost by customer: acme $12.50 of $100.00.")
        await expect(drawing).to_be_visible()


async def test_the_scheduler_says_how_good_its_estimates_are(visitor):
    lab = visitor.lab
    await lab.http.put("/clusters/c1", json={"vcpus": 96, "memory_gb": 384, "slots": 2})
    await lab.register("ws-1", requirements={"vcpus": 8})
    await knows_of(lab.scheduler, "ws-1")
    page = await visitor.open_live("/ui/scheduler")
    await expect(page.get_by_text("No estimate of a wait has been put to the test")).to_be_visible()
    await lab.http.get("/worksets/ws-1/estimate")

    await lab.lock("ws-1")

    await expect(page.get_by_text("100 %")).to_be_visible(timeout=20_000)


async def test_advice_that_takes_long_is_waited_for_beside_the_page(visitor):
    await furnish(visitor.lab)
    page = await visitor.open("/worksets")
    asked = asyncio.Event()

    async def late(route):
        await asked.wait()
        await route.continue_()

    await page.route("**/ui/scheduler/advice", late)
    await page.goto("/ui/scheduler")
    await expect(page.get_by_text("Working out which clusters would pay")).to_be_visible()
    asked.set()

    await expect(page.get_by_text("Delete c1")).to_be_visible()


async def test_what_was_sent_is_not_sent_twice(visitor):
    await furnish(visitor.lab)
    page = await visitor.open("/worksets/ws-2")
    sent = []

    async def slow(route):
        sent.append(route)
        await asyncio.sleep(0.4)
        await route.continue_()

    await page.route("**/ui/worksets/ws-2/retry", slow)
    await page.evaluate("""() => {
      const button = document.querySelector("form[action$='/retry'] button");
      for (const after of [0, 50, 100]) setTimeout(() => button.click(), after);
    }""")

    await expect(page.locator(".headline .state")).to_have_text("ready")
    assert len(sent) == 1
