// The prompt lab: a draft is kept as it is typed and previewed; failures are tagged with the number keys. What is
// shown is rendered by the server; links between versions and rows are stay.js's business.
(() => {
  "use strict";
  if (window.promptLab) return;
  window.promptLab = true;
  const PAUSE = 300; // ms after the last key
  let timer = 0;
  let saving = Promise.resolve(true);

  const form = () => document.getElementById("prompt-form");

  async function guarded(work) {
    try {
      return (await work()) ?? true;
    } catch (problem) {
      if (!problem.message) throw problem;
      studio.toast(problem.message, problem.hint, "bad");
      return false;
    }
  }

  // One fragment again, and no other: what is being typed or tagged stays as it is.
  async function renew(element) {
    if (!element?.isConnected) return;
    const answer = await fetch(studio.address(element), { cache: "no-store" });
    studio.place(element, await answer.text());
  }

  // ---- a draft ----------------------------------------------------------------------------------------

  function read() {
    const { name, system, template } = form().elements;
    const examples = [...form().querySelectorAll("[data-shot]")].map((shot) => ({
      key: shot.dataset.shot,
      input: shot.querySelector("[data-part=input]").value,
      output: shot.querySelector("[data-part=output]").value,
      fields: fieldsOf(shot),
    }));
    const { project, parent } = studio.dataOf(form());
    const began = { project: Number(project), parent: parent ? Number(parent) : null };
    return { ...began, name: name.value, system: system.value, template: template.value, examples };
  }

  // What its row had, and what was typed over it.
  function fieldsOf(shot) {
    const fields = JSON.parse(shot.dataset.fields);
    for (const input of shot.querySelectorAll("[data-field]")) {
      if (input.value) fields[input.dataset.field] = input.value;
      else delete fields[input.dataset.field];
    }
    return fields;
  }

  // One after the other, so that no answer overtakes another. `pressed` is what a button asks for besides.
  function save(pressed = {}) {
    clearTimeout(timer);
    saving = saving.then(() => guarded(() => keep(pressed)));
    return saving;
  }

  async function keep(pressed) {
    const query = new URLSearchParams(location.search);
    const kept = await studio.send("/api/prompts/drafts", { draft: query.get("draft") ?? "", ...read(), ...pressed });
    if (query.get("draft") !== kept.draft) {
      query.set("draft", kept.draft);
      query.set("tab", "edit");
      query.delete("from");
      history.replaceState(null, "", `/prompts?${query}`);
    }
    if (Object.keys(pressed).length) {
      if (kept.message) studio.toast(kept.message);
      studio.refresh();
    } else await renew(document.querySelector('[data-live^="/parts/prompt-preview"]'));
  }

  async function finish() {
    if (!(await save())) return;
    const draft = new URLSearchParams(location.search).get("draft");
    await guarded(async () => studio.go((await studio.send(`/api/prompts/drafts/${draft}/save`)).url));
  }

  // One row is asked in the draft as it stands; the key of its answer stays in the address.
  async function attempt(asked) {
    if (!(await save())) return;
    const query = new URLSearchParams(location.search);
    const wish = { model: Number(asked.elements.model.value), row: Number(asked.dataset.row) };
    await guarded(async () => {
      const { tried } = await studio.send(`/api/prompts/drafts/${query.get("draft")}/try`, wish);
      query.set("tried", tried);
      history.replaceState(null, "", `/prompts?${query}`);
      studio.refresh();
    });
  }

  function take(asked) {
    const { count, way, seed } = asked.elements;
    const version = Number(studio.dataOf(asked).version);
    save({ take: { version, count: Number(count.value), way: way.value, seed: Number(seed.value) } });
  }

  document.addEventListener("input", (event) => {
    if (!event.target.closest("#prompt-form")) return;
    clearTimeout(timer);
    timer = setTimeout(save, PAUSE);
  });

  document.addEventListener("submit", (event) => {
    if (!event.target.matches("#prompt-form, #take-form, #try-prompt")) return;
    event.preventDefault();
    if (event.target.matches("#take-form")) take(event.target);
    else if (event.target.matches("#try-prompt")) attempt(event.target);
    else finish();
  });

  // A field that the preview finds fault with says so to everybody.
  document.addEventListener("studio:placed", (event) => {
    if (!form() || !event.detail.element.matches('[data-live^="/parts/prompt-preview"]')) return;
    const wrong = event.detail.element.querySelector("[data-problem]")?.dataset.problem ?? "";
    for (const name of ["system", "template"]) {
      if (name === wrong) form().elements[name].setAttribute("aria-invalid", "true");
      else form().elements[name].removeAttribute("aria-invalid");
    }
  });

  // What was done in a sheet is done with; the next kind may be typed at once.
  document.addEventListener("studio:changed", (event) => {
    for (const sheet of document.querySelectorAll("[popover]:popover-open")) sheet.hidePopover();
    const box = document.querySelector("#add-kind input[name=name]");
    if (box && event.detail?.name === box.value.trim()) box.value = "";
  });

  // ---- failures ---------------------------------------------------------------------------------------

  let marking = Promise.resolve(true);

  function toggle(button) {
    const failure = button.closest("[data-number]");
    const { run, contestant } = failure.closest(".failures").dataset;
    const on = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(on));
    const mark = { run: Number(run), contestant: Number(contestant), number: Number(failure.dataset.number), kind: Number(button.dataset.kind), on };
    studio.announce(`${button.textContent.replace(/^\d/, "")}: ${on ? "tagged" : "not tagged"}`);
    marking = marking.then(async () => {
      const kept = await guarded(() => studio.send("/api/failures/marks", mark));
      if (!kept) button.setAttribute("aria-pressed", String(!on));
    });
    clearTimeout(timer);
    const count = () => guarded(() => renew(document.getElementById("failure-counts")));
    timer = setTimeout(() => marking.then(count), PAUSE);
  }

  function move(failure, step) {
    const all = [...document.querySelectorAll(".failures > [data-number]")];
    const next = all[all.indexOf(failure) + step];
    next?.focus({ preventScroll: true });
    next?.scrollIntoView({ block: "nearest" });
  }

  const STEPS = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 };

  document.addEventListener("keydown", (event) => {
    const failure = event.target.closest?.(".failures > [data-number]");
    if (!failure || event.ctrlKey || event.metaKey || event.altKey) return;
    const button = /^[1-9]$/.test(event.key) && failure.querySelectorAll("[data-kind]")[Number(event.key) - 1];
    if (!button && !(event.key in STEPS)) return;
    event.preventDefault();
    if (button) toggle(button);
    else move(failure, STEPS[event.key]);
  });

  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-edit], .failures [data-kind], [data-begin]");
    if (!button) return;
    if (button.matches("[data-edit]")) save(JSON.parse(button.dataset.edit));
    else if (button.matches("[data-kind]")) toggle(button);
    else document.querySelector(".failures > [data-number]")?.focus();
  });
})();
