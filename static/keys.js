// Single keys that press the links and buttons of the page; they rest while somebody types, and can be switched off.
"use strict";

(() => {
  const AFTER_G_MS = 1_500;
  const byId = (id) => document.getElementById(id);
  const press = (selector) => { const found = document.querySelector(selector); found?.click(); return Boolean(found); };
  const on = () => document.body.dataset.shortcuts !== "off";

  // --- the switch in the user menu; the preferences page has the same one ----------------------------------------------
  const toggle = byId("shortcuts");
  const showToggle = () => toggle?.setAttribute("aria-pressed", String(on()));
  if (toggle) toggle.hidden = false;
  toggle?.addEventListener("click", () => {
    document.body.dataset.shortcuts = on() ? "off" : "on";
    const secure = location.protocol === "https:" ? "; secure" : "";
    document.cookie = `shortcuts=${document.body.dataset.shortcuts}; path=/; max-age=31536000; samesite=lax${secure}`;
    showToggle();
  });
  showToggle();

  // --- rows: the one whose link or box has the focus ---------------------------------------------------------------------
  const links = () => [...document.querySelectorAll("#main tbody a.t, #main .gantt th a")].filter((link) => link.checkVisibility());
  const rowOf = (element) => element?.closest?.("tbody tr");
  const move = (by) => {
    const all = links();
    const here = all.findIndex((link) => link === document.activeElement || (rowOf(link) && rowOf(link) === rowOf(document.activeElement)));
    const next = all[Math.min(Math.max(here + by, 0), all.length - 1)];
    next?.focus();
    next?.scrollIntoView({ block: "nearest" });
  };
  const boxes = () => [...document.querySelectorAll("#main [data-select]")];
  const boxHere = () => rowOf(document.activeElement)?.querySelector("[data-select]");
  const set = (box, checked) => {
    box.checked = checked;
    box.dispatchEvent(new Event("change", { bubbles: true }));
  };
  let anchor = null;
  const selectRow = () => {
    const box = boxHere();
    if (!box) return;
    set(box, !box.checked);
    anchor = box.value;
  };
  const selectRange = () => {
    const all = boxes();
    const [to, from] = [all.indexOf(boxHere()), all.findIndex((box) => box.value === anchor)];
    if (to < 0) return;
    const start = from < 0 ? to : from;
    all.slice(Math.min(start, to), Math.max(start, to) + 1).forEach((box) => set(box, true));
  };
  const closeInspector = () => {
    if (!document.querySelector("dialog[open], [popover]:popover-open")) press(".insp [data-close-inspector]");
  };

  const KEYS = {
    "/": () => byId("search")?.focus(),
    "?": () => byId("keys")?.showModal(),
    j: () => move(1),
    k: () => move(-1),
    x: selectRow,
    X: selectRange,
    "[": () => press("[data-attempt-prev]"),
    "]": () => press("[data-attempt-next]"),
    Escape: closeInspector,
  };
  const typing = (element) => element.closest("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable], dialog[open]");
  let afterG = 0;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.repeat && !"jk".includes(event.key)) return;
    if (typing(event.target) || document.querySelector("dialog[open]")) return;
    if (!on() && event.key !== "Escape") return;
    const goes = Date.now() - afterG < AFTER_G_MS;
    afterG = event.key === "g" ? Date.now() : 0;
    if (goes && /^[a-z]$/.test(event.key) && press(`[data-go="${event.key}"]`)) { event.preventDefault(); return; }
    if (KEYS[event.key]) { if (event.key !== "Escape") event.preventDefault(); KEYS[event.key](); return; }
    if (/^[1-9]$/.test(event.key) && press(`[data-tab="${event.key}"]`)) return;
    if (/^[A-Za-z]$/.test(event.key)) press(`[data-key="${event.key}"]`);
  });
})();
