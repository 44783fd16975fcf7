// Keeps the page alive: one event stream, and a nudge to the live part of the page when something
// happened. What is shown is rendered by the server; without this script the page works, and is still.
(() => {
  "use strict";

  const SOON = 40; // ms: events come in bursts, and one look shows them all
  const AT_MOST_EVERY = 200; // ms
  const SHARE = 4; // of its time the page may spend looking: where an answer takes long, it asks less often
  const LONGEST_PAUSE = 15000; // ms

  const sign = document.getElementById("connection");
  const live = document.querySelector("[data-live]");
  let stream = null;
  let lastId = "";
  let pause = 500;
  let nudgedAt = 0;
  let took = 0; // ms, the last look
  let nudge = 0;

  function show(state, words) {
    if (sign.dataset.state === state) return;
    sign.dataset.state = state;
    sign.textContent = words;
  }

  function changed() {
    if (nudge) return;
    const wait = Math.max(SOON, nudgedAt + Math.max(AT_MOST_EVERY, SHARE * took) - Date.now());
    nudge = setTimeout(() => {
      nudge = 0;
      nudgedAt = Date.now();
      document.body.dispatchEvent(new CustomEvent("daylily:changed"));
    }, wait);
  }

  // A page about one workset hears of it alone. The position is kept here as well as by the browser,
  // which forgets it when an answer was an error.
  function open() {
    const asked = new URLSearchParams();
    const workset = live.dataset.workset;
    if (workset) asked.set("workset_id", workset);
    if (lastId) asked.set("cursor", lastId);
    stream = new EventSource(`/events?${asked}`);
    stream.onopen = () => {
      const before = sign.dataset.state;
      pause = 500;
      show("live", "live");
      if (before === "lost") changed();
    };
    stream.onerror = () => {
      stream.close();
      show("lost", "connection lost, trying again");
      setTimeout(open, pause * (0.75 + Math.random() / 2));
      pause = Math.min(pause * 2, LONGEST_PAUSE);
    };
    for (const type of TYPES) {
      stream.addEventListener(type, (event) => {
        lastId = event.lastEventId;
        if (type !== "position") changed();
      });
    }
  }

  const TYPES = [
    "registered", "lock_acquired", "lock_released", "lock_timeout", "started", "completed", "failed",
    "retry_scheduled", "ignored", "restored", "updated", "dependency_met", "dependency_failed",
    "deadline_at_risk", "cluster_registered", "cluster_draining", "cluster_removed", "cluster_silent",
    "cluster_recovered", "cluster_reported", "customer_updated", "budget_warning", "budget_exhausted",
    "queue_backlog", "external", "position",
  ];

  // An answer that is a failure says so in place of what was there; the next good one brings it back.
  document.body.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.xhr.status >= 400) event.detail.shouldSwap = false;
  });
  document.body.addEventListener("htmx:responseError", () => show("lost", "the services do not answer"));
  document.body.addEventListener("htmx:sendError", () => show("lost", "connection lost, trying again"));
  document.body.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.requestConfig.elt.id !== "live") return;
    took = Date.now() - nudgedAt;
    show("live", "live");
  });

  // What was sent is on its way: a second click would send it again.
  document.addEventListener("submit", (event) => {
    const button = event.submitter;
    if (!button || event.target.method !== "post") return;
    setTimeout(() => { button.disabled = true; button.setAttribute("aria-busy", "true"); });
  });
  window.addEventListener("pageshow", () => {
    for (const button of document.querySelectorAll("button[aria-busy]")) {
      button.disabled = false;
      button.removeAttribute("aria-busy");
    }
  });

  if (live && live.hasAttribute("hx-get")) {
    open();
    // Ages and times left go on also when nothing happens.
    setInterval(() => { if (!document.hidden) changed(); }, 30000);
    document.addEventListener("visibilitychange", () => { if (!document.hidden) changed(); });
  } else {
    sign.hidden = true;
  }
})();
