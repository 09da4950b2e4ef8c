// What buttons and forms ask for, and telling people what happened: data-post, data-confirm, data-copy, rows that
// lead somewhere, the menu of a phone; toasts, announcements, the bar of a lost connection. Loaded first: the
// other scripts speak through `studio`. The attributes are listed in app/parts/README.md.
(() => {
  "use strict";

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

  // {id} becomes the answer's id; an address of ours ({url}) is put as it is, any other value encoded.
  const fill = (pattern, values) =>
    pattern.replace(/\{(\w+)\}/g, (_, name) => {
      const value = String(values?.[name] ?? "");
      return name === "url" && /^\/(?![\/\\])/.test(value) ? value : encodeURIComponent(value);
    });

  // The attributes of an element. A form's own `dataset` is hidden by a field of that name.
  const dataOf = (element) =>
    element.nodeName === "FORM"
      ? Object.getOwnPropertyDescriptor(HTMLElement.prototype, "dataset").get.call(element)
      : element.dataset;

  function payload(element) {
    const { body } = dataOf(element);
    const given = body ? JSON.parse(body) : undefined;
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
    const { post, confirm: question, confirmYes, then, done, method } = { ...dataOf(element), ...submitter?.dataset };
    if (question && !(await ask(question, confirmYes || element.textContent.trim() || "Yes"))) return;
    element.setAttribute("aria-busy", "true");
    try {
      const answer = await send(post, payload(element), method);
      for (const input of element.querySelectorAll?.("[data-touched]") ?? []) delete input.dataset.touched;
      if (then) return void location.assign(fill(then, answer));
      if (element.matches("form[popover]")) element.hidePopover();
      if (done || answer.message) toast(done || answer.message, answer.hint || "", "good");
      document.dispatchEvent(new CustomEvent("studio:changed", { detail: answer }));
      studio.refresh();
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
    const target = event.target.closest?.("[data-post], [data-copy], [data-menu], tr[data-href]");
    if (!target || target.nodeName === "FORM") return;
    if (target.matches("[data-post]")) {
      event.preventDefault();
      act(target);
    } else if (target.matches("[data-copy]")) copy(target);
    else if (target.matches("[data-menu]")) menu(target);
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

  // A bare #main would be read against Gradio's <base>, that is, lead to the first page.
  document.addEventListener("click", (event) => {
    if (!event.target.closest?.("a.skip")) return;
    event.preventDefault();
    document.getElementById("main")?.focus();
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

  const losses = new Map(); // who is without an answer → since when
  const BACK = 3000; // ms for which the page says that the connection is back

  // Whoever asks the server says here that it is silent, and since when; the bar shows while anyone is without it.
  function lost(who, isLost, since = Date.now()) {
    if (isLost) losses.set(who, losses.get(who) ?? since);
    else losses.delete(who);
    const bar = document.getElementById("connection");
    if (losses.size) return showLoss(bar ?? newBar());
    if (!bar || bar.classList.contains("back")) return undefined;
    bar.classList.add("back");
    bar.replaceChildren("Connected again. What you see is current.");
    return setTimeout(() => bar.classList.contains("back") && bar.remove(), BACK);
  }

  function newBar() {
    const bar = Object.assign(document.createElement("div"), { id: "connection" });
    bar.setAttribute("role", "status");
    document.body.append(bar);
    return bar;
  }

  // The age is for the eye only: read out, it would be said anew every few seconds.
  function showLoss(bar) {
    const seconds = Math.round((Date.now() - Math.min(...losses.values())) / 1000);
    const age = seconds < 120 ? `${seconds} s` : `${Math.floor(seconds / 60)} min`;
    if (bar.classList.contains("back") || !bar.firstChild) {
      bar.classList.remove("back");
      const line = Object.assign(document.createElement("span"), { textContent: "Connection lost. Trying again…" });
      bar.replaceChildren(line, " ", Object.assign(document.createElement("small"), { ariaHidden: "true" }));
    }
    bar.lastChild.textContent = `What you see is ${age} old.`;
  }

  setInterval(() => losses.size && showLoss(document.getElementById("connection") ?? newBar()), 1000);

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

  window.studio = { lost, toast, announce, send, fill, ask, dataOf, go: (url) => location.assign(url) };

  const start = () => region("announcer", { "aria-live": "polite", class: "hidden" });
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
