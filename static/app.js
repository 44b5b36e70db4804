// Comfort on top of pages that work without it: dialogs, copying, live updates that know when to rest, a few keys.
"use strict";

(() => {
  const IDLE_AFTER_MS = 600_000;
  const IDLE_EVERY_MS = 15_000;
  const BACKOFF_MS = [5_000, 10_000, 20_000, 60_000];
  const GO = { o: "/", r: "/runs/", w: "/workflows/", a: "/actions/", d: "/datastore/", p: "/approvals/" };
  const byId = (id) => document.getElementById(id);
  const say = (text) => { const line = byId("announce"); if (line) line.textContent = text; };

  // --- dialogs: the link leads to the same form as a page -------------------------------------------------------
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-dialog]");
    const dialog = opener && byId(opener.dataset.dialog);
    if (dialog && !(event.ctrlKey || event.metaKey || event.shiftKey)) {
      event.preventDefault();
      dialog.showModal();
    }
    event.target.closest("[data-close]")?.closest("dialog")?.close();
    event.target.closest("[data-dismiss]")?.closest(".toast")?.remove();
  });
  document.addEventListener("submit", (event) => {
    if (!event.target.matches("form[data-once]")) return;
    if (event.target.dataset.sent) event.preventDefault();
    event.target.dataset.sent = "1";
  });
  window.addEventListener("pageshow", () => document.querySelectorAll("form[data-sent]").forEach((form) => delete form.dataset.sent));

  // --- copying ----------------------------------------------------------------------------------------------------
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy], [data-copy-from]");
    if (!button) return;
    const source = button.dataset.copy ?? byId(button.dataset.copyFrom)?.textContent ?? "";
    try { await navigator.clipboard.writeText(source); say("Copied"); } catch { say("Copying is not allowed here"); }
  });

  // --- live updates: one poller per page; it rests when paused, hidden, or after an error ---------------------------
  let paused = false;
  let failures = 0;
  let notBefore = 0;
  let lastPoll = 0;
  let lastActive = Date.now();
  let lastGood = new Date();
  ["pointerdown", "keydown", "scroll"].forEach((name) => document.addEventListener(name, () => { lastActive = Date.now(); }, { passive: true }));

  const showLive = () => {
    const line = byId("live");
    if (!line) return;
    const polling = document.querySelector("[data-poll]");
    line.classList.toggle("off", paused || !polling);
    line.textContent = !polling ? "Finished" : paused ? "Paused" : "Live";
    const button = byId("pause");
    if (button) { button.hidden = !polling; button.setAttribute("aria-pressed", String(paused)); }
  };
  const showStale = (on) => {
    const banner = byId("stale");
    if (!banner) return;
    banner.hidden = !on;
    if (on) byId("stale-at").textContent = lastGood.toLocaleTimeString();
  };
  const failed = () => {
    notBefore = Date.now() + BACKOFF_MS[Math.min(failures, BACKOFF_MS.length - 1)];
    failures += 1;
    showStale(true);
  };
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (!event.target.matches("[data-poll]")) return;
    const now = Date.now();
    const idle = now - lastActive > IDLE_AFTER_MS && now - lastPoll < IDLE_EVERY_MS;
    if (paused || document.hidden || now < notBefore || idle || document.querySelector("dialog[open]")) event.preventDefault();
    else lastPoll = now;
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    if (!event.target.matches("[data-poll]")) return;
    if (!event.detail.successful) { failed(); return; }
    failures = 0;
    lastGood = new Date();
    showStale(false);
  });
  // A signed-out reader gets the sign-in page: show it as a page instead of swapping it in.
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.xhr.responseURL.includes("/sign-in/")) { event.detail.shouldSwap = false; location.reload(); }
  });
  document.addEventListener("htmx:afterSettle", showLive);
  document.addEventListener("htmx:oobAfterSwap", showLive);
  byId("pause")?.addEventListener("click", () => { paused = !paused; showLive(); });
  byId("stale-retry")?.addEventListener("click", () => { notBefore = 0; });
  showLive();

  // --- keys: all can be switched off in the user menu -----------------------------------------------------------------
  const toggle = byId("shortcuts");
  const showToggle = () => { if (toggle) toggle.setAttribute("aria-pressed", String(localStorage.getItem("shortcuts") !== "off")); };
  if (toggle) toggle.hidden = false;
  toggle?.addEventListener("click", () => {
    localStorage.setItem("shortcuts", localStorage.getItem("shortcuts") === "off" ? "on" : "off");
    showToggle();
  });
  showToggle();

  const rows = () => [...document.querySelectorAll("#main tbody a.t, #main .gantt th a")];
  const move = (by) => {
    const links = rows();
    if (links.length) links[Math.min(Math.max(links.indexOf(document.activeElement) + by, 0), links.length - 1)].focus();
  };
  const KEYS = {
    "/": () => byId("search")?.focus(),
    j: () => move(1),
    k: () => move(-1),
    p: () => byId("pause")?.click(),
    r: () => document.querySelector("[data-key=r]")?.click(),
  };
  let afterG = 0;
  document.addEventListener("keydown", (event) => {
    if (localStorage.getItem("shortcuts") === "off" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, textarea, select, dialog[open]")) return;
    if (Date.now() - afterG < 1_000 && GO[event.key]) { location.assign(GO[event.key]); return; }
    afterG = event.key === "g" ? Date.now() : 0;
    if (KEYS[event.key]) { event.preventDefault(); KEYS[event.key](); }
  });
})();
