// Live fragments. The server renders every piece of state as HTML under /parts/…;
// this file has the page's pulse (pulse.js) ask for the pieces a page names with data-live, and patches them in.
// It keeps focus, typed text, open <details>, scrolling and selected text. It draws nothing itself;
// act.js, loaded before it, does what buttons ask and tells people what happened.
// The attributes are listed in app/parts/README.md.
(() => {
  "use strict";
  const fragments = new Map(); // element → its part in the page's pulse: {look, forget, leave}
  const ready = (run) =>
    document.readyState === "loading" ? document.addEventListener("DOMContentLoaded", run) : run();

  // ---- fetching ---------------------------------------------------------------------------------------

  function address(element) {
    const url = new URL(element.dataset.live, location.href);
    const own = new Set(url.searchParams.keys());
    for (const [name, value] of new URLSearchParams(location.search)) {
      if (!own.has(name)) url.searchParams.append(name, value);
    }
    return url.pathname + url.search;
  }

  function adopt() {
    for (const element of document.querySelectorAll("[data-live]")) {
      if (fragments.has(element)) continue;
      const pulse = studio.pulse.join({ ask: () => address(element), hear: (answer) => hear(element, answer) });
      fragments.set(element, pulse);
    }
    for (const [element, pulse] of fragments) {
      if (element.isConnected) continue;
      pulse.leave();
      fragments.delete(element);
    }
  }

  // Takes what the server says; returns the seconds until the next look.
  function hear(element, { status, every, body }) {
    if (status !== 304 && place(element, body)) fragments.get(element).forget();
    return every ?? Number(element.dataset.every ?? 0);
  }

  function refresh() {
    for (const pulse of fragments.values()) pulse.look();
  }

  // ---- patching ---------------------------------------------------------------------------------------

  // Returns true when something could not be patched now (the person is selecting it).
  function place(element, html) {
    const next = document.createElement("template");
    next.innerHTML = html;
    localise(next.content);
    for (const table of next.content.querySelectorAll("table[data-sortable]")) resort(table, element);
    const stuck = [...element.querySelectorAll("[data-stick]")].filter(
      (box) => box.scrollTop + box.clientHeight >= box.scrollHeight - 8,
    );
    const before = announced(element);
    const kept = { any: false };
    selection = getSelection()?.isCollapsed === false ? getSelection() : null;
    children(element, next.content, kept);
    const fresh = element.getAttribute("aria-busy") === "true";
    element.removeAttribute("aria-busy");
    for (const box of fresh ? element.querySelectorAll("[data-stick]") : stuck) box.scrollTop = box.scrollHeight;
    if (!fresh) for (const text of announced(element)) if (!before.has(text)) studio.announce(text);
    document.dispatchEvent(new CustomEvent("studio:placed", { detail: { element } }));
    return kept.any;
  }

  // What a script was answered takes a fragment's place; the next look is then compared with nothing older.
  function put(element, html) {
    fragments.get(element)?.forget();
    place(element, html);
  }

  const announced = (root) =>
    new Set([...root.querySelectorAll("[data-announce]")].map((node) => node.dataset.announce));

  const keyOf = (node) => (node.nodeType === 1 ? node.id || studio.dataOf(node).key || "" : "");

  function alike(a, b) {
    return a.nodeType === b.nodeType && a.nodeName === b.nodeName && keyOf(a) === keyOf(b);
  }

  function children(old, next, kept) {
    const keyed = new Map();
    for (const child of old.childNodes) if (keyOf(child)) keyed.set(keyOf(child), child);
    let at = old.firstChild;
    for (const wanted of [...next.childNodes]) {
      const key = keyOf(wanted);
      const found = key ? keyed.get(key) : at;
      if (found && alike(found, wanted)) {
        if (found === at) at = at.nextSibling;
        else old.insertBefore(found, at);
        node(found, wanted, kept);
      } else {
        old.insertBefore(wanted, at);
      }
    }
    while (at) {
      const after = at.nextSibling;
      at.remove();
      at = after;
    }
  }

  function node(old, next, kept) {
    if (old.nodeType !== 1) {
      if (old.nodeValue === next.nodeValue) return;
      if (selected(old)) kept.any = true;
      else old.nodeValue = next.nodeValue;
      return;
    }
    if (old.isEqualNode(next) && !old.matches("input, textarea, select")) return;
    const mine = old.matches("[data-keep], [data-charts], [data-live], [data-upload], [aria-busy=true]");
    attributes(old, next);
    if (!mine) children(old, next, kept);
  }

  const SENT = "form[data-post] input:is([type=text], [type=number])[value]";

  function attributes(old, next) {
    const touched = old.matches("input, textarea, select") && (old === document.activeElement || old.dataset.touched);
    for (const { name, value } of [...next.attributes]) {
      if (name === "open" && old.nodeName === "DETAILS") continue;
      if (touched && (name === "value" || name === "checked")) continue;
      if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
    for (const { name } of [...old.attributes]) {
      if (next.hasAttribute(name) || name === "open" || name === "data-touched") continue;
      if (name === "aria-busy" || (name === "disabled" && old.getAttribute("aria-busy") === "true")) continue;
      old.removeAttribute(name);
    }
    // What a form has sent is no longer the person's: its inputs show what is kept.
    if (!touched && old.matches(SENT) && old.value !== next.value) old.value = next.value;
  }

  let selection = null; // what was selected when patching began; each look at it costs a layout of the page

  const selected = (text) => selection !== null && selection.containsNode(text, true);

  document.addEventListener("input", (event) => {
    if (event.target.closest("[data-live]")) event.target.dataset.touched = "yes";
  });

  // ---- times in the viewer's zone ---------------------------------------------------------------------

  const relative = new Intl.RelativeTimeFormat("en", { numeric: "always", style: "short" });
  const absolute = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

  function since(moment) {
    const seconds = (moment - Date.now()) / 1000;
    if (Math.abs(seconds) < 10) return "just now";
    for (const [unit, length] of [["day", 86400], ["hour", 3600], ["minute", 60]]) {
      if (Math.abs(seconds) >= length) return relative.format(Math.trunc(seconds / length), unit);
    }
    return relative.format(Math.trunc(seconds / 10) * 10, "second");
  }

  function localise(root) {
    for (const element of root.querySelectorAll("time[data-time]")) {
      const moment = new Date(element.dateTime);
      const full = absolute.format(moment);
      const text = element.dataset.time === "ago" ? since(moment) : full;
      if (element.textContent !== text) element.textContent = text;
      if (element.title !== full) element.title = full;
    }
  }

  setInterval(() => !document.hidden && localise(document), 10_000);

  // ---- tables -----------------------------------------------------------------------------------------

  const sorts = new Map(); // table id → {column, down}

  function resort(table) {
    const sort = sorts.get(table.id);
    const heads = [...(table.tHead?.rows[0]?.cells ?? [])];
    for (const [index, head] of heads.entries()) {
      if (!head.hasAttribute("data-sort")) continue;
      if (!head.querySelector("button")) {
        const button = document.createElement("button");
        button.type = "button";
        button.className = "sorter";
        button.append(...head.childNodes);
        head.append(button);
      }
      const now = sort?.column === index ? (sort.down ? "descending" : "ascending") : "none";
      if (head.getAttribute("aria-sort") !== now) head.setAttribute("aria-sort", now);
    }
    if (!sort) return;
    const numeric = heads[sort.column]?.dataset.sort === "number";
    const value = (row) => {
      const cell = row.cells[sort.column];
      const text = cell?.dataset.value ?? cell?.textContent.trim() ?? "";
      return numeric ? (text === "" || Number.isNaN(Number(text)) ? null : Number(text)) : text;
    };
    const compare = (a, b) => {
      const [x, y] = [value(a), value(b)];
      if (x === null || y === null) return (x === null) - (y === null); // missing values last, either way
      const order = numeric ? x - y : x.localeCompare(y, undefined, { numeric: true });
      return sort.down ? -order : order;
    };
    for (const body of table.tBodies) {
      const rows = [...body.rows];
      const sorted = [...rows].sort(compare);
      if (sorted.some((row, index) => row !== rows[index])) body.append(...sorted);
    }
  }

  function sortBy(head) {
    const table = head.closest("table");
    const column = head.cellIndex;
    const before = sorts.get(table.id);
    const first = head.dataset.sort === "number";
    sorts.set(table.id, { column, down: before?.column === column ? !before.down : first });
    resort(table);
  }

  document.addEventListener("click", (event) => {
    const sorter = event.target.closest?.(".sorter");
    if (sorter) sortBy(sorter.closest("th"));
  });

  Object.assign(studio, { refresh, localise, address, place: put });

  ready(() => {
    localise(document);
    adopt();
    let waiting = false;
    new MutationObserver(() => {
      if (waiting) return;
      waiting = true;
      queueMicrotask(() => {
        waiting = false;
        adopt();
        for (const table of document.querySelectorAll("table[data-sortable]:not([data-live] *)")) resort(table);
      });
    }).observe(document.body, { childList: true, subtree: true });
  });
})();
