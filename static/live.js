// Live fragments and the buttons in them. The server renders every piece of state as HTML under /parts/…;
// this file fetches the pieces a page names with data-live, patches them into the page, and repeats.
// It keeps focus, typed text, open <details>, scrolling and selected text. It draws nothing itself.
// The attributes are listed in app/parts/README.md.
(() => {
  "use strict";
  const LONGEST_PAUSE = 10_000; // ms between tries while the server does not answer
  const fragments = new Map(); // element → {tag, timer, busy, every, failures}
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
      fragments.set(element, { tag: "", timer: 0, busy: false, every: Number(element.dataset.every ?? 0), failures: 0 });
      look(element);
    }
    for (const [element, state] of fragments) {
      if (!element.isConnected) {
        clearTimeout(state.timer);
        fragments.delete(element);
      }
    }
  }

  async function look(element) {
    const state = fragments.get(element);
    if (!state || !element.isConnected || document.hidden) return;
    if (state.busy) {
      state.again = true;
      return;
    }
    clearTimeout(state.timer);
    state.busy = true;
    try {
      const headers = state.tag ? { "If-None-Match": state.tag } : {};
      const answer = await fetch(address(element), { headers, cache: "no-store" });
      if (answer.status === 401) return void location.reload();
      if (!answer.headers.get("content-type")?.startsWith("text/html") && answer.status !== 304) {
        throw new Error(`answer ${answer.status}`);
      }
      const pace = answer.headers.get("live-every");
      state.every = pace === null ? Number(element.dataset.every ?? 0) : Number(pace);
      if (answer.status !== 304) {
        const kept = place(element, await answer.text());
        state.tag = kept ? "" : (answer.headers.get("etag") ?? "");
      }
      if (answer.status >= 500) throw new Error(`answer ${answer.status}`);
      state.failures = 0;
      connection();
    } catch {
      state.failures += 1;
      state.tag = "";
      connection();
    } finally {
      state.busy = false;
      const wait = state.failures ? Math.min(LONGEST_PAUSE, 1000 * 2 ** (state.failures - 1)) : state.every * 1000;
      if (wait) state.timer = setTimeout(look, wait, element);
      if (state.again) {
        state.again = false;
        look(element);
      }
    }
  }

  function refresh() {
    for (const element of fragments.keys()) look(element);
  }

  document.addEventListener("visibilitychange", () => !document.hidden && refresh());
  addEventListener("online", refresh);
  addEventListener("popstate", refresh);

  const losses = new Set();

  function connection() {
    lost("fragments", [...fragments.values()].some((state) => state.failures > 1));
  }

  // Whoever polls says here when its server is silent; the bar shows while anyone's is.
  function lost(who, isLost) {
    if (isLost) losses.add(who);
    else losses.delete(who);
    const bar = document.getElementById("connection");
    if (!losses.size) return void bar?.remove();
    if (bar) return;
    const made = Object.assign(document.createElement("div"), { id: "connection" });
    made.setAttribute("role", "status");
    made.textContent = "Connection lost – retrying. What you see may be out of date.";
    document.body.append(made);
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
    children(element, next.content, kept);
    const fresh = element.getAttribute("aria-busy") === "true";
    element.removeAttribute("aria-busy");
    for (const box of fresh ? element.querySelectorAll("[data-stick]") : stuck) box.scrollTop = box.scrollHeight;
    if (!fresh) for (const text of announced(element)) if (!before.has(text)) announce(text);
    document.dispatchEvent(new CustomEvent("studio:placed", { detail: { element } }));
    return kept.any;
  }

  const announced = (root) =>
    new Set([...root.querySelectorAll("[data-announce]")].map((node) => node.dataset.announce));

  const keyOf = (node) => (node.nodeType === 1 ? node.id || node.dataset.key || "" : "");

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
  }

  function selected(text) {
    const selection = getSelection();
    return selection && !selection.isCollapsed && selection.containsNode(text, true);
  }

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

  // ---- acting -----------------------------------------------------------------------------------------

  // POST (or the method given) with JSON; throws {message, hint, detail} in plain words.
  async function send(url, body, method = "POST") {
    let answer;
    try {
      const given = body === undefined ? {} : { headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
      answer = await fetch(url, { method, ...given });
    } catch {
      throw { message: "The studio does not answer.", hint: "Check that it is running, then try again." };
    }
    if (answer.status === 204) return {};
    const read = await answer.json().catch(() => ({}));
    if (answer.status === 401) location.reload();
    if (!answer.ok) {
      throw { message: read.error || `The studio answered ${answer.status}.`, hint: read.hint || "", field: read.field || "", detail: read };
    }
    return read;
  }

  const fill = (pattern, values) =>
    pattern.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(values?.[name] ?? ""));

  function payload(element) {
    const given = element.dataset.body ? JSON.parse(element.dataset.body) : undefined;
    if (element.nodeName !== "FORM") return given;
    const fields = {};
    for (const [name, value] of new FormData(element)) {
      const input = element.elements[name];
      const typed = input?.type === "number" && value !== "" ? Number(value) : value;
      if (name in fields) fields[name] = [].concat(fields[name], typed);
      else fields[name] = typed;
    }
    for (const input of element.querySelectorAll("input[type=checkbox]:not([value])")) fields[input.name] = input.checked;
    return { ...given, ...fields };
  }

  async function act(element, submitter) {
    if (element.getAttribute("aria-busy") === "true") return;
    const { confirm: question, confirmYes, then, done, method } = { ...element.dataset, ...submitter?.dataset };
    if (question && !(await ask(question, confirmYes || element.textContent.trim() || "Yes"))) return;
    element.setAttribute("aria-busy", "true");
    try {
      const answer = await send(element.dataset.post, payload(element), method);
      for (const input of element.querySelectorAll?.("[data-touched]") ?? []) delete input.dataset.touched;
      if (then) return void location.assign(fill(then, answer));
      if (done || answer.message) toast(done || answer.message, answer.hint || "", "good");
      document.dispatchEvent(new CustomEvent("studio:changed", { detail: answer }));
      refresh();
    } catch (problem) {
      if (!problem.message) throw problem;
      toast(problem.message, problem.hint, "bad");
    } finally {
      element.removeAttribute("aria-busy");
    }
  }

  // A question in a real dialog: Escape and "Cancel" mean no.
  function ask(question, yes) {
    const dialog = document.createElement("dialog");
    dialog.className = "ask ours";
    const text = Object.assign(document.createElement("p"), { textContent: question, id: "ask-text" });
    const row = Object.assign(document.createElement("div"), { className: "actions" });
    const no = Object.assign(document.createElement("button"), { type: "button", textContent: "Cancel" });
    const ok = Object.assign(document.createElement("button"), { type: "button", textContent: yes, className: "primary" });
    row.append(no, ok);
    dialog.append(text, row);
    dialog.setAttribute("aria-labelledby", "ask-text");
    document.body.append(dialog);
    return new Promise((resolve) => {
      const close = (answer) => {
        resolve(answer);
        dialog.remove();
      };
      no.onclick = () => close(false);
      ok.onclick = () => close(true);
      dialog.oncancel = () => close(false);
      dialog.onclick = (event) => event.target === dialog && close(false);
      dialog.showModal();
    });
  }

  document.addEventListener("click", (event) => {
    const target = event.target.closest?.("[data-post], [data-copy], [data-menu], .sorter, tr[data-href]");
    if (!target || target.nodeName === "FORM") return;
    if (target.matches("[data-post]")) {
      event.preventDefault();
      act(target);
    } else if (target.matches("[data-copy]")) copy(target);
    else if (target.matches("[data-menu]")) menu(target);
    else if (target.matches(".sorter")) sortBy(target.closest("th"));
    else if (!event.target.closest("a, button, input, label, summary, select") && getSelection().isCollapsed) {
      if (event.metaKey || event.ctrlKey) open(target.dataset.href);
      else location.assign(target.dataset.href);
    }
  });

  document.addEventListener("submit", (event) => {
    if (!event.target.matches("form[data-post]")) return;
    event.preventDefault();
    act(event.target, event.submitter);
  });

  async function copy(button) {
    const named = button.dataset.copy;
    const text = named.startsWith("#") ? document.querySelector(named)?.textContent : named;
    await navigator.clipboard.writeText(text ?? "");
    toast("Copied", "", "good");
  }

  function menu(button) {
    const isOpen = document.getElementById("rail").classList.toggle("open");
    button.setAttribute("aria-expanded", String(isOpen));
  }

  document.addEventListener("keydown", (event) => {
    const button = document.querySelector("[data-menu][aria-expanded=true]");
    if (event.key === "Escape" && button) {
      menu(button);
      button.focus();
    }
  });

  // ---- telling ----------------------------------------------------------------------------------------

  function region(id, attributes) {
    let box = document.getElementById(id);
    if (box) return box;
    box = Object.assign(document.createElement("div"), { id });
    for (const [name, value] of Object.entries(attributes)) box.setAttribute(name, value);
    document.body.append(box);
    return box;
  }

  function announce(text) {
    const line = Object.assign(document.createElement("p"), { textContent: text });
    region("announcer", { "aria-live": "polite", class: "hidden" }).append(line);
    setTimeout(() => line.remove(), 5000);
  }

  function toast(message, hint = "", kind = "info") {
    const box = document.createElement("div");
    box.className = `toast ${kind}`;
    box.setAttribute("role", kind === "bad" ? "alert" : "status");
    const text = document.createElement("div");
    text.append(Object.assign(document.createElement("strong"), { textContent: message }));
    if (hint) text.append(Object.assign(document.createElement("p"), { textContent: hint }));
    const close = Object.assign(document.createElement("button"), { type: "button", className: "quiet", textContent: "×" });
    close.setAttribute("aria-label", "Close this message");
    close.onclick = () => box.remove();
    box.append(text, close);
    region("toasts", { class: "ours", "aria-label": "Messages", role: "region" }).append(box);
    setTimeout(() => !box.matches(":hover, :focus-within") && box.remove(), kind === "bad" ? 12_000 : 4000);
  }

  // Gradio shows a handler's error only when the event was queued; ours mostly are not (app/errors.py: told).
  const plainFetch = window.fetch;
  window.fetch = async (...request) => {
    const answer = await plainFetch(...request);
    if (!answer.ok && answer.url.includes("/gradio_api/run/")) {
      const told = await answer.clone().json().catch(() => ({}));
      const text = new DOMParser().parseFromString(told.error ?? "", "text/html").body; // only its text is used
      const [message, hint] = [text.firstChild?.textContent, text.childNodes[2]?.textContent];
      toast(message || "Something went wrong inside the studio.", hint || (message ? "" : "The log says why."), "bad");
    }
    return answer;
  };

  window.studio = { refresh, lost, toast, announce, send, fill, ask, localise, address, go: (url) => location.assign(url) };

  ready(() => {
    region("announcer", { "aria-live": "polite", class: "hidden" });
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
