// Drop zones: <div data-upload="/api/datasets" data-accept=".jsonl,.csv">. Drag and drop, keyboard or file
// dialog; streams the file as the request body (its name in ?file=), shows progress, can be cancelled, then opens the
// answer's "url", or where data-then leads. A refused file shows the server's message, hint and lines in place.
(() => {
  "use strict";

  const make = (name, properties = {}, ...inside) => {
    const element = Object.assign(document.createElement(name), properties);
    element.append(...inside);
    return element;
  };

  const dressed = new WeakSet();

  function dress(zone) {
    if (dressed.has(zone)) return;
    dressed.add(zone);
    zone.classList.add("drop");
    const input = make("input", { type: "file", className: "hidden", accept: zone.dataset.accept ?? "", tabIndex: -1 });
    input.setAttribute("aria-label", zone.dataset.label || "File to upload");
    const button = make("button", { type: "button", textContent: zone.dataset.button || "Choose a file" });
    const hint = make("p", { textContent: zone.dataset.hint || "or drop it here" });
    const ask = make("div", { className: "drop-ask" }, button, hint);
    const result = make("div", { className: "drop-result" });
    result.setAttribute("aria-live", "polite");
    zone.append(input, ask, result);

    button.onclick = () => input.click();
    input.onchange = () => {
      if (input.files[0]) upload(zone, input.files[0], ask, result);
      input.value = "";
    };
    let depth = 0;
    zone.addEventListener("dragenter", (event) => {
      event.preventDefault();
      depth += 1;
      zone.classList.add("over");
    });
    zone.addEventListener("dragover", (event) => event.preventDefault());
    zone.addEventListener("dragleave", () => {
      depth -= 1;
      if (!depth) zone.classList.remove("over");
    });
    zone.addEventListener("drop", (event) => {
      event.preventDefault();
      depth = 0;
      zone.classList.remove("over");
      const files = event.dataTransfer.files;
      if (files.length > 1) refuse(result, { error: "One file at a time, please.", hint: "Drop them one after the other." });
      else if (files[0]) upload(zone, files[0], ask, result);
    });
  }

  function upload(zone, file, ask, result) {
    if (zone.getAttribute("aria-busy") === "true") return;
    const request = new XMLHttpRequest();
    const bar = make("progress", { max: 1, value: 0 });
    bar.setAttribute("aria-label", `Uploading ${file.name}`);
    const line = make("p", { className: "drop-line" }, make("strong", { textContent: file.name }));
    const state = make("span", { textContent: "0 %" });
    const cancel = make("button", { type: "button", className: "quiet", textContent: "Cancel", onclick: () => request.abort() });
    line.append(state);
    result.replaceChildren(line, bar, cancel);
    ask.hidden = true;
    zone.setAttribute("aria-busy", "true");
    const end = () => {
      zone.removeAttribute("aria-busy");
      ask.hidden = false;
    };
    request.upload.onprogress = (event) => {
      bar.value = event.loaded / (event.total || file.size || 1);
      state.textContent = `${Math.round(bar.value * 100)} %`;
    };
    request.upload.onload = () => {
      bar.removeAttribute("value");
      state.textContent = "Reading it …";
    };
    request.onabort = () => {
      end();
      result.replaceChildren(make("p", { textContent: "Cancelled. Nothing was stored." }));
    };
    request.onerror = () => {
      end();
      refuse(result, { error: "The upload broke off. Nothing was stored.", hint: "Check that the studio is running, then try again." });
    };
    request.onload = () => {
      end();
      let answer = {};
      try {
        answer = JSON.parse(request.responseText);
      } catch {
        answer = { error: `The studio answered ${request.status}.`, hint: "The log of the web process says why." };
      }
      if (request.status >= 200 && request.status < 300) {
        result.replaceChildren(make("p", { textContent: "Stored." }));
        const { then } = zone.dataset;
        if (then || answer.url) location.assign(then ? window.studio.fill(then, answer) : answer.url);
        else window.studio.refresh();
      } else refuse(result, answer, file.name);
    };
    const address = new URL(window.studio.fill(zone.dataset.upload, Object.fromEntries(new URLSearchParams(location.search))), location.href);
    for (const [name, value] of Object.entries(JSON.parse(zone.dataset.fields || "{}"))) address.searchParams.set(name, value);
    address.searchParams.set("file", file.name);
    request.open("POST", address);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.send(file);
  }

  // {error, hint, lines: [{line, reason}]} – as the API says it.
  function refuse(result, { error, hint, lines }, name = "") {
    const text = make("div", {}, make("strong", { textContent: error || "The file was refused." }));
    if (hint) text.append(make("p", { textContent: hint }));
    if (lines?.length) {
      const list = make("ul", { className: "lines" });
      for (const { line, reason } of lines.slice(0, 50)) {
        list.append(make("li", {}, make("span", { className: "line", textContent: line ? `line ${line}` : "" }), ` ${reason}`));
      }
      text.append(list);
      if (lines.length > 50) text.append(make("p", { textContent: `and ${lines.length - 50} more` }));
    }
    const box = make("div", { className: "notice bad" }, text);
    box.setAttribute("role", "alert");
    if (name) text.prepend(make("p", { className: "hint", textContent: name }));
    result.replaceChildren(box);
  }

  const scan = () => document.querySelectorAll("[data-upload]").forEach(dress);
  const start = () => {
    scan();
    new MutationObserver(scan).observe(document.body, { childList: true, subtree: true });
    // A file dropped beside a zone must not replace the page.
    for (const name of ["dragover", "drop"]) {
      addEventListener(name, (event) => event.dataTransfer?.types.includes("Files") && event.preventDefault());
    }
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
