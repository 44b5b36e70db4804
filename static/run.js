// Comfort on the page of a run: copying values from where they can be had, and updates that leave alone what the
// reader holds: open disclosures and menus, places in scrolled boxes, selected text.
"use strict";

(() => {
  const byId = (id) => document.getElementById(id);
  const say = (text) => { const line = byId("announce"); if (line) line.textContent = text; };

  // --- copying a value: the button is hidden where it could do nothing --------------------------------------------
  const showCopying = () => document.querySelectorAll("[data-copy-url][hidden]").forEach((button) => { button.hidden = false; });
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy-url]");
    if (!button) return;
    try {
      const answer = await fetch(button.dataset.copyUrl, { headers: { Accept: "application/json" } });
      if (!answer.ok) throw new Error(answer.statusText);
      await navigator.clipboard.writeText(await answer.text());
      say(button.dataset.copied ?? "Copied");
    } catch { say(button.dataset.refused ?? "Copying is not allowed here"); }
  });

  // --- a menu closes when the reader turns elsewhere ----------------------------------------------------------------
  const menus = () => document.querySelectorAll("details.more[open]");
  document.addEventListener("click", (event) => menus().forEach((menu) => { if (!menu.contains(event.target)) menu.open = false; }));
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    menus().forEach((menu) => { menu.open = false; menu.querySelector("summary").focus(); event.stopImmediatePropagation(); });
  }, true);

  // --- updates wait while text is selected or a menu is open ---------------------------------------------------------
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (!event.target.matches("[data-poll]")) return;
    const selected = getSelection();
    const holding = selected && !selected.isCollapsed && byId("main").contains(selected.anchorNode);
    if (holding || menus().length) event.preventDefault();
  });

  // --- what was open stays open, what was scrolled stays where it was ------------------------------------------------
  const PLACES = ".insp, .json, .log, .code, .scroll-x, .wfwrap";
  const near = (element, root) => {
    const owner = element.parentElement?.closest("[id]");
    return owner && root.contains(owner) ? owner.id : root.id;
  };
  const named = (root, selector) => {
    const seen = new Map();
    return [...root.querySelectorAll(selector)].map((element) => {
      const base = element.id || near(element, root);
      const count = seen.get(base) ?? 0;
      seen.set(base, count + 1);
      return [`${base}/${count}`, element];
    });
  };
  const held = new Map();
  const keep = (root) => held.set(root.id, {
    step: byId("h-step")?.textContent,
    open: new Map(named(root, "details").map(([name, element]) => [name, element.open])),
    places: named(root, PLACES).map(([name, element]) => [name, element.scrollTop, element.scrollLeft]),
  });
  const restore = (root) => {
    const before = held.get(root.id);
    held.delete(root.id);
    if (!before || (root.id === "inspector" && before.step !== byId("h-step")?.textContent)) return;
    named(root, "details").forEach(([name, element]) => { if (before.open.has(name)) element.open = before.open.get(name); });
    const there = new Map(named(root, PLACES));
    before.places.forEach(([name, top, left]) => { const place = there.get(name); if (place) { place.scrollTop = top; place.scrollLeft = left; } });
  };
  document.addEventListener("htmx:oobBeforeSwap", (event) => { if (event.detail.target?.id) keep(event.detail.target); });
  document.addEventListener("htmx:oobAfterSwap", (event) => {
    const root = event.detail.target?.id && byId(event.detail.target.id);
    if (root) restore(root);
    showCopying();
  });
  document.addEventListener("htmx:afterSettle", showCopying);
  showCopying();
})();
