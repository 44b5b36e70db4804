// Comfort on top of pages that work without it: dialogs, copying, selected rows, live updates that know when to rest.
"use strict";

(() => {
  const IDLE_AFTER_MS = 600_000;
  const IDLE_EVERY_MS = 15_000;
  const BACKOFF_MS = [5_000, 10_000, 20_000, 60_000];
  const BUSY_AFTER_MS = 300;
  const GONE = [401, 403, 404, 410];
  const byId = (id) => document.getElementById(id);
  const say = (text) => { const line = byId("announce"); if (line) line.textContent = text; };
  const fill = (text, name, value) => (text ?? "").replace(`{${name}}`, value);

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
    const { copied, forbidden } = byId("announce").dataset;
    try { await navigator.clipboard.writeText(source); say(copied); } catch { say(forbidden); }
  });

  // --- selected rows ------------------------------------------------------------------------------------------------
  const boxes = () => [...document.querySelectorAll("[data-select]")];
  const countSelected = () => {
    const all = boxes();
    const count = all.filter((box) => box.checked).length;
    all.forEach((box) => box.closest("tr")?.setAttribute("aria-selected", String(box.checked)));
    document.querySelectorAll("[data-selected]").forEach((place) => { place.textContent = String(count); });
    document.querySelectorAll("[data-when-selected]").forEach((place) => { place.hidden = !count; });
    const page = document.querySelector("[data-select-page]");
    if (page) { page.checked = count > 0 && count === all.length; page.indeterminate = count > 0 && count < all.length; }
  };
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-select-page]")) boxes().forEach((box) => { box.checked = event.target.checked; });
    if (event.target.matches("[data-select], [data-select-page]")) countSelected();
  });
  document.addEventListener("dotdo:kept", countSelected);
  window.addEventListener("pageshow", countSelected);

  // --- live updates: one poller per page; it rests when paused, hidden, or after an error ---------------------------
  const slowest = document.body.dataset.refresh === "slow" ? IDLE_EVERY_MS : 0;
  let paused = document.body.dataset.refresh === "hand";
  let failures = 0;
  let notBefore = 0;
  let lastPoll = Date.now();
  let lastActive = Date.now();
  let lastGood = Date.now();
  ["pointerdown", "keydown", "scroll"].forEach((name) => document.addEventListener(name, () => { lastActive = Date.now(); }, { passive: true }));

  const poller = () => document.querySelector("[data-poll]");
  const age = (milliseconds) => {
    const seconds = Math.max(0, Math.round(milliseconds / 1_000));
    const words = byId("live")?.dataset ?? {};
    return seconds < 90 ? fill(words.seconds, "n", seconds) : fill(words.minutes, "n", Math.round(seconds / 60));
  };
  const showLive = () => {
    const line = byId("live");
    if (!line) return;
    const polling = poller();
    line.classList.toggle("off", paused || !polling || failures > 0);
    const { finished, paused: resting, live, ago } = line.dataset;
    const since = Date.now() - lastGood;
    const text = !polling ? finished : paused ? resting : since < 1_500 ? live : fill(ago, "age", age(since));
    if (line.textContent !== text) line.textContent = text;
    const button = byId("pause");
    if (button) { button.hidden = !polling; button.setAttribute("aria-pressed", String(paused)); }
  };
  const showStale = () => {
    const banner = byId("stale");
    if (!banner) return;
    banner.hidden = failures === 0;
    if (failures === 0) return;
    const [next, what] = [byId("stale-next"), byId("stale-at")];
    const wait = notBefore - Date.now();
    next.textContent = wait > 0 ? fill(next.dataset.waiting, "age", age(wait)) : next.dataset.trying;
    what.textContent = fill(what.dataset.text, "age", age(Date.now() - lastGood));
  };
  const show = () => { showLive(); showStale(); };
  const ask = () => { const element = poller(); if (element) htmx.trigger(element, "now"); };
  const failed = () => {
    notBefore = Date.now() + BACKOFF_MS[Math.min(failures, BACKOFF_MS.length - 1)];
    failures += 1;
    show();
    if (failures === 1) say(byId("stale-next")?.dataset.trying ?? "");
  };
  const isPoll = (event) => event.detail.requestConfig.elt.matches("[data-poll]");
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (!isPoll(event)) return;
    const now = Date.now();
    const patience = now - lastActive > IDLE_AFTER_MS ? IDLE_EVERY_MS : slowest;
    const rests = paused || document.hidden || now < notBefore || now - lastPoll < patience || document.querySelector("dialog[open]");
    if (rests) event.preventDefault(); else lastPoll = now;
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    if (!isPoll(event)) return;
    if (GONE.includes(event.detail.xhr.status)) { location.reload(); return; }
    if (!event.detail.successful) { failed(); return; }
    failures = 0;
    lastGood = Date.now();
    show();
  });
  // A signed-out reader gets the sign-in page: show it as a page instead of swapping it in.
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.xhr.responseURL.includes("/sign-in/")) { event.detail.shouldSwap = false; location.reload(); }
  });
  let status = "";
  const announce = () => {
    const now = document.querySelector("#head .status.pill, #summary .callout h2")?.textContent.trim() ?? "";
    if (status && now && now !== status) say(now);
    status = now;
  };
  document.addEventListener("htmx:afterSettle", () => { show(); announce(); });
  document.addEventListener("htmx:oobAfterSwap", showLive);
  document.addEventListener("visibilitychange", () => { if (!document.hidden && Date.now() - lastGood > 2_000) ask(); });
  byId("pause")?.addEventListener("click", () => { paused = !paused; show(); if (!paused) ask(); });
  byId("stale-retry")?.addEventListener("click", () => { notBefore = 0; ask(); });
  setInterval(() => { if (!document.hidden) show(); }, 1_000);
  show();
  announce();

  // --- parts that are fetched: a skeleton when it takes a while, a whole page when it fails ---------------------------
  const waiting = new WeakMap();
  const done = (target) => { clearTimeout(waiting.get(target)); target.removeAttribute("aria-busy"); };
  document.addEventListener("htmx:beforeRequest", (event) => {
    const target = event.detail.target;
    if (isPoll(event) || event.defaultPrevented) return;
    waiting.set(target, setTimeout(() => target.setAttribute("aria-busy", "true"), BUSY_AFTER_MS));
  });
  document.addEventListener("htmx:afterRequest", (event) => done(event.detail.target));
  const openInstead = (event) => {
    const { requestConfig, pathInfo } = event.detail;
    if (requestConfig.verb === "get" && !isPoll(event)) location.assign(pathInfo.finalRequestPath ?? pathInfo.requestPath);
  };
  document.addEventListener("htmx:responseError", openInstead);
  document.addEventListener("htmx:sendError", openInstead);
})();
