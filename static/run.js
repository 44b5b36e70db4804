// Comfort on the page of a run: copying values from where they can be had, a menu that closes by itself, and updates
// that wait for it.
"use strict";

(() => {
  const byId = (id) => document.getElementById(id);
  const say = (text) => { const line = byId("announce"); if (line) line.textContent = text; };

  // --- copying a value: the button is hidden where it could do nothing --------------------------------------------
  const showCopying = () => document.querySelectorAll("[data-copy-url][hidden]").forEach((button) => { button.hidden = false; });
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy-url]");
    if (!button) return;
    const words = byId("announce").dataset;
    try {
      const answer = await fetch(button.dataset.copyUrl);
      if (!answer.ok) throw new Error(answer.statusText);
      await navigator.clipboard.writeText(await answer.text());
      say(words.copied);
    } catch { say(words.forbidden); }
  });
  document.addEventListener("htmx:oobAfterSwap", showCopying);
  document.addEventListener("htmx:afterSettle", showCopying);
  showCopying();

  // --- a menu closes when the reader turns elsewhere ----------------------------------------------------------------
  const menus = () => document.querySelectorAll("details.more[open]");
  document.addEventListener("click", (event) => menus().forEach((menu) => { if (!menu.contains(event.target)) menu.open = false; }));
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    menus().forEach((menu) => { menu.open = false; menu.querySelector("summary").focus(); event.stopImmediatePropagation(); });
  }, true);

  // --- updates wait while a menu is open ----------------------------------------------------------------------------
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (event.target.matches("[data-poll]") && menus().length) event.preventDefault();
  });
})();
