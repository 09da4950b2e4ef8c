// A page whose state is its address: a link inside a fragment that leads to the same page with another query,
// and a form marked data-stay, change the address and refresh the fragments instead of loading the page again.
// Back, forward, reload and sharing the address then all work.
(() => {
  "use strict";
  const PAUSE = 120; // ms after the last key before a search goes out
  let timer = 0;

  function go(query, remember) {
    const address = location.pathname + (query ? `?${query}` : "");
    if (address === location.pathname + location.search) return;
    history[remember ? "pushState" : "replaceState"](null, "", address);
    agree();
    studio.refresh();
  }

  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("[data-live] a[href]");
    if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey) return;
    const target = new URL(link.href);
    if (target.origin !== location.origin || target.pathname !== location.pathname || link.hasAttribute("download")) return;
    event.preventDefault();
    link.closest("[popover]:not([data-stays])")?.hidePopover();
    go(target.search.slice(1), true);
    if (target.hash) document.querySelector(target.hash)?.scrollIntoView();
  });

  // The fields of the form replace theirs in the address; several values of one name are joined: pick=7,8.
  function write(form) {
    const query = new URLSearchParams(location.search);
    const fields = new Map();
    for (const input of form.querySelectorAll("[name]")) fields.set(input.name, []);
    for (const [name, value] of new FormData(form)) if (value !== "") fields.get(name)?.push(value);
    for (const [name, values] of fields) {
      if (values.length) query.set(name, values.join(","));
      else query.delete(name);
    }
    go(query.toString().replaceAll("%2C", ","), false);
  }

  document.addEventListener("input", (event) => {
    const form = event.target.closest("form[data-stay]");
    if (!form) return;
    clearTimeout(timer);
    timer = setTimeout(write, event.target.matches("[type=search], [type=text]") ? PAUSE : 0, form);
  });

  document.addEventListener("submit", (event) => {
    if (!event.target.matches("form[data-stay]")) return;
    event.preventDefault();
    write(event.target);
  });

  // What a person ticked or typed follows the address, also after back, forward and "Clear".
  function agree() {
    const query = new URLSearchParams(location.search);
    for (const input of document.querySelectorAll("form[data-stay] input[name]")) {
      // data-stay="said": what the address leaves open, as that of something saved, is what the server wrote.
      const open = studio.dataOf(input.form).stay === "said" ? input.defaultValue : "";
      const values = (query.get(input.name) ?? "").split(",");
      if (input.type === "checkbox") input.checked = values.includes(input.value);
      else if (input.type !== "hidden" && input !== document.activeElement) input.value = query.get(input.name) ?? open;
    }
  }

  // A log that has just appeared opens at its end; live.js keeps it there until somebody scrolls up.
  const seen = new WeakSet();
  function atEnd() {
    for (const box of document.querySelectorAll("[data-live] [data-stick]")) {
      if (seen.has(box)) continue;
      seen.add(box);
      box.scrollTop = box.scrollHeight;
    }
  }

  document.addEventListener("studio:placed", () => {
    agree();
    atEnd();
  });
  addEventListener("popstate", agree);
})();
