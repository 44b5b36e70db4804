// What the reader holds stays in the reader's hands when a fragment is replaced: the focus and the place of the cursor,
// text that is typed or selected, ticked boxes, open disclosures and menus, and how far something is scrolled.
"use strict";

(() => {
  const FIELDS = "input:not([type=hidden], [type=submit], [type=button]), textarea, select";
  const kept = new Map();

  // --- the way to an element, which its successor has, too: from the nearest id, past alike brothers and sisters ------
  let ranks = new WeakMap();
  const trait = (element) =>
    [element.tagName, element.getAttribute("name"), element.getAttribute("href"), element.matches("input") ? element.getAttribute("value") : "",
      element.matches("details") ? element.firstElementChild?.textContent.trim() : ""].join("|");
  const rank = (parent) => {
    const seen = new Map();
    const found = new Map([...parent.children].map((child) => {
      const own = trait(child);
      seen.set(own, (seen.get(own) ?? -1) + 1);
      return [child, `${own}|${seen.get(own)}`];
    }));
    ranks.set(parent, found);
    return found;
  };
  const wayTo = (element, root) => {
    const way = [];
    for (let each = element; each && each !== root; each = each.parentElement) {
      if (each.id) { way.unshift(`#${each.id}`); break; }
      way.unshift((ranks.get(each.parentElement) ?? rank(each.parentElement)).get(each));
    }
    return way;
  };
  const follow = (root, way) => way.reduce((element, step) => {
    if (!element) return null;
    if (step.startsWith("#")) return document.getElementById(step.slice(1));
    const children = ranks.get(element) ?? rank(element);
    return [...children].find(([, name]) => name === step)?.[0] ?? null;
  }, root);
  const ways = (root, selector, wanted, facts) =>
    [...root.querySelectorAll(selector)].filter(wanted).map((element) => [wayTo(element, root), ...facts(element)]);

  // --- text that is selected, as places of text nodes ------------------------------------------------------------------
  const place = (root, node) => {
    const way = [];
    for (let each = node; each !== root; each = each.parentNode) way.unshift([...each.parentNode.childNodes].indexOf(each));
    return way;
  };
  const at = (root, way) => way.reduce((node, index) => node?.childNodes[index], root);
  const selected = (root) => {
    const selection = document.getSelection();
    if (!selection.rangeCount || selection.isCollapsed) return null;
    const { startContainer, startOffset, endContainer, endOffset } = selection.getRangeAt(0);
    if (!root.contains(startContainer) || !root.contains(endContainer)) return null;
    return { text: String(selection), start: [place(root, startContainer), startOffset], end: [place(root, endContainer), endOffset] };
  };
  const select = (root, was) => {
    const [start, end] = [at(root, was.start[0]), at(root, was.end[0])];
    const length = (node) => node.nodeType === Node.TEXT_NODE ? node.length : node.childNodes.length;
    if (!start || !end || length(start) < was.start[1] || length(end) < was.end[1]) return;
    const selection = document.getSelection();
    selection.setBaseAndExtent(start, was.start[1], end, was.end[1]);
    if (String(selection) !== was.text) selection.removeAllRanges();
  };

  // --- remembering and putting back ---------------------------------------------------------------------------------------
  const changed = (field) => field.matches("[type=checkbox], [type=radio]")
    ? field.checked !== field.defaultChecked
    : field.matches("select") ? [...field.options].some((each) => each.selected !== each.defaultSelected)
    : field.value !== field.defaultValue;
  const cursor = (field) => { try { return [field.selectionStart, field.selectionEnd]; } catch { return [null, null]; } };
  const remember = (root) => {
    ranks = new WeakMap();
    const active = root.contains(document.activeElement) ? document.activeElement : null;
    return {
      open: ways(root, "details", () => true, (each) => [each.open]),
      menus: [...root.querySelectorAll("[popover][id]:popover-open")].map((each) => each.id),
      typed: ways(root, FIELDS, (each) => each === active || changed(each), (each) => [each.value, each.checked]),
      scrolled: ways(root, "*", (each) => each.scrollTop || each.scrollLeft, (each) => [each.scrollTop, each.scrollLeft]),
      own: [root.scrollTop, root.scrollLeft],
      focus: active && wayTo(active, root),
      cursor: active?.matches(FIELDS) ? cursor(active) : [null, null],
      selected: selected(root),
    };
  };
  const reopen = (root, was) => was.open.forEach(([way, open]) => {
    const each = follow(root, way);
    if (each && each.open !== open) each.open = open;
  });
  const refocus = (root, was) => {
    if (was.focus === null || (document.activeElement && document.activeElement !== document.body)) return;
    const next = follow(root, was.focus);
    next?.focus({ preventScroll: true });
    if (next?.matches(FIELDS) && was.cursor[0] !== null) next.setSelectionRange(...was.cursor);
  };
  const restore = (root, was) => {
    ranks = new WeakMap();
    reopen(root, was);
    was.typed.forEach(([way, value, checked]) => {
      const field = follow(root, way);
      if (field?.matches("[type=checkbox], [type=radio]")) field.checked = checked; else if (field) field.value = value;
    });
    was.menus.forEach((id) => { const menu = document.getElementById(id); if (menu && !menu.matches(":popover-open")) menu.showPopover(); });
    refocus(root, was);
    if (was.selected) select(root, was.selected);
    was.scrolled.forEach(([way, top, left]) => { const each = follow(root, way); if (each) [each.scrollTop, each.scrollLeft] = [top, left]; });
    [root.scrollTop, root.scrollLeft] = was.own;
  };

  document.addEventListener("htmx:oobBeforeSwap", (event) => {
    const root = event.detail.target;
    if (root.id && root.id !== "poll") kept.set(root.id, { ...remember(root), root });
  });
  document.addEventListener("htmx:oobAfterSwap", (event) => {
    const was = kept.get(event.detail.target.id);
    const root = was && document.getElementById(event.detail.target.id);
    if (!root || was.root === root || was.restored) return;
    was.restored = true;
    restore(root, was);
  });
  // htmx settles the attributes of elements with an id a moment later, `open` among them.
  document.addEventListener("htmx:afterSettle", () => {
    if (!kept.size) return;
    ranks = new WeakMap();
    for (const [id, was] of kept) { const root = document.getElementById(id); if (root) reopen(root, was); }
    kept.clear();
    document.dispatchEvent(new Event("dotdo:kept"));
  });
})();
