// The form of a new run. What is typed is sent as it is typed; the answer brings the parts that changed, and the
// address keeps the draft's key. What an input shows is its data-value, put there by the server, except while a
// person is typing in it or what they typed is still on its way. The fields and their words are the server's.
(() => {
  "use strict";
  if (window.newRuns) return;
  window.newRuns = true;
  const PAUSE = 300; // ms after the last key
  const OTHER = "other"; // of a model: a folder or hub id is typed beside it
  const waiting = new Map(); // path → the input whose text is not sent yet
  let flying = new Map(); // path → input: sent, not answered yet
  let tags = {};
  let timer = 0;
  let saving = Promise.resolve(true);

  const page = () => document.getElementById("new-run");
  const asked = () => Object.fromEntries(new URLSearchParams(location.search));
  const where = () => ({ draft: asked().draft ?? "", asked: asked() });
  const read = (input) => (input.type === "checkbox" ? String(input.checked) : input.value);
  const isTyped = (input) => input.matches("textarea, input:not([type=radio], [type=checkbox])");

  // ---- sending ----------------------------------------------------------------------------------------

  function note(input, pause) {
    waiting.set(input.dataset.path, input);
    clearTimeout(timer);
    timer = setTimeout(save, pause);
  }

  // What waits, and what a button asks for besides; one after the other, so that no answer overtakes another.
  function save(more = {}) {
    clearTimeout(timer);
    saving = saving.then(() => send(more));
    return saving;
  }

  async function send(more) {
    if (!waiting.size && !Object.keys(more).length) return true;
    flying = new Map(waiting);
    waiting.clear();
    const set = { ...more.set, ...Object.fromEntries([...flying].map(([path, input]) => [path, read(input)])) };
    try {
      const kept = await studio.send("/api/new-run/drafts", { ...where(), ...more, set, known: tags });
      if (asked().draft !== kept.draft) history.replaceState(null, "", `/new-run?draft=${kept.draft}`);
      forget();
      tags = kept.tags;
      for (const [name, part] of Object.entries(kept.parts)) put(name, part);
      if ("new-run-graders" in kept.parts && document.getElementById("grader-try")?.open) show();
      return true;
    } catch (problem) {
      if (!problem.message) throw problem;
      // Without an answer the edits go along with the next one; refused ones would be refused again.
      if (!problem.detail) for (const [path, input] of flying) if (!waiting.has(path)) waiting.set(path, input);
      forget();
      studio.toast(problem.message, problem.hint, "bad");
      return false;
    }
  }

  function forget() {
    for (const [path, input] of flying) if (!waiting.has(path)) delete input.dataset.touched;
    flying = new Map();
  }

  function put(name, part) {
    const element = document.querySelector(`[data-live^="/parts/${name}"]`);
    if (element) studio.place(element, part);
  }

  // ---- showing ----------------------------------------------------------------------------------------

  function agree(input) {
    const { path, value } = input.dataset;
    if (waiting.has(path) || flying.has(path)) return;
    if (isTyped(input)) {
      if (input !== document.activeElement && input.value !== value) input.value = value;
    } else if (input.type === "radio") input.checked = input.value === value;
    else if (input.type === "checkbox") input.checked = value === "true";
    else if (!(input.value === OTHER && input.dataset.touched)) input.value = value;
  }

  document.addEventListener("studio:placed", (event) => {
    const inputs = event.detail.element.querySelectorAll("[data-path]");
    inputs.forEach(agree);
    for (const search of event.detail.element.querySelectorAll("[data-sift]")) sift(search);
  });

  document.addEventListener("focusout", (event) => {
    if (event.target.matches?.("#new-run [data-path]")) setTimeout(agree, 0, event.target);
  });

  // Of a list, only what has every word asked for; what is left of a group keeps its heading.
  function sift(search) {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const list = document.getElementById(search.dataset.sift);
    let found = 0;
    for (const group of list.querySelectorAll(".offered")) {
      let shown = 0;
      for (const offer of group.querySelectorAll(".offer")) {
        offer.hidden = !words.every((word) => offer.dataset.words.includes(word));
        shown += !offer.hidden;
      }
      group.hidden = !shown;
      found += shown;
    }
    list.parentElement.querySelector(".nothing-found").hidden = found > 0;
  }

  // ---- what people do ---------------------------------------------------------------------------------

  document.addEventListener("input", (event) => {
    const { target } = event;
    if (!page()?.contains(target)) return;
    if (target.matches("[data-sift]")) sift(target);
    else if (target.matches("[data-path]") && isTyped(target)) note(target, PAUSE);
  });

  document.addEventListener("change", (event) => {
    const { target } = event;
    if (!page()?.contains(target)) return;
    if (target.matches("[data-vary]")) vary(target);
    else if (target.matches("select[data-path]") && target.value === OTHER) other(target);
    else if (target.matches("[data-path]")) note(target, 0);
  });

  function other(select) {
    select.dataset.touched = "yes";
    document.getElementById(`${select.id}-other`).focus();
  }

  async function vary(select) {
    const name = select.value;
    select.value = "";
    if (name && (await save({ act: [["vary", name]] }))) focus(`[data-key="sweep:${CSS.escape(name)}"] input`);
  }

  // After a button is gone with what it was about, the keyboard goes on nearby.
  function focus(selector) {
    const found = document.querySelector(selector);
    if (!found || (document.activeElement !== document.body && document.activeElement?.isConnected && !found.matches("input"))) return;
    found.focus();
    found.scrollIntoView({ block: "nearest" });
  }

  const DOING = {
    do: (button) => ({ act: [[button.dataset.do, button.dataset.on]] }),
    reset: (button) => ({ reset: [button.dataset.reset] }),
    writes: (button) => ({ set: JSON.parse(button.dataset.writes) }),
    write: (button) => ({ set: { [button.dataset.write]: button.dataset.text } }),
  };

  async function press(button, kind) {
    const { focus: goal } = button.dataset;
    button.closest("details.chooser")?.removeAttribute("open");
    if (await save(DOING[kind](button))) if (goal) focus(goal);
  }

  document.addEventListener("click", (event) => {
    const { target } = event;
    if (!page() || !target.closest) return;
    const button = target.closest("[data-do], [data-reset], [data-write], [data-writes], [data-start], [data-trace], [data-import], [data-score], [data-row]");
    if (!button) return void picked(event);
    if (button.matches("[data-start]")) start(button);
    else if (button.matches("[data-trace]")) trace(button);
    else if (button.matches("[data-import]")) bring(button);
    else if (button.matches("[data-score]")) score(button);
    else if (button.matches("[data-row]")) show(Number(button.dataset.row));
    else press(button, ["do", "reset", "write", "writes"].find((kind) => kind in button.dataset));
  });

  // A technique taken with the mouse, or with Enter, closes the list; the arrow keys go on choosing.
  function picked(event) {
    const label = event.target.closest("#technique-offers label");
    if (label && event.detail) close(label);
  }

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    if (!event.target.matches("#technique-offers input, [data-sift]")) return;
    event.preventDefault(); // else the same key would press what has the focus next
    if (event.target.matches("input[type=radio]")) close(event.target);
    else {
      document.querySelector(`#${event.target.dataset.sift} .offer:not([hidden]) :is(input, button)`)?.focus();
    }
  });

  function close(inside) {
    const list = inside.closest("details");
    list.open = false;
    list.querySelector("summary").focus({ preventScroll: true });
    list.closest("section").scrollIntoView({ block: "nearest" });
  }

  function start(button) {
    guarded(button, async () => {
      // A draft first, also where nothing was changed: a refusal is kept in it.
      if (!(await save(asked().draft ? {} : { reset: [] }))) return;
      try {
        studio.go((await studio.send("/api/new-run/start", where())).url);
      } catch (problem) {
        studio.refresh();
        lead(problem.field);
        throw problem;
      }
    });
  }

  function trace(button) {
    guarded(button, async () => {
      if (!(await save(asked().draft ? {} : { reset: [] }))) return;
      const words = button.textContent;
      button.textContent = "Tracing …";
      try {
        await studio.send("/api/new-run/trace", where());
      } finally {
        button.textContent = words;
      }
      studio.refresh();
    });
  }

  // To the field that a refusal is about, however deep it is folded away.
  function lead(path) {
    const input = path && document.querySelector(`[data-path="${CSS.escape(path)}"]`);
    if (!input) return;
    for (let fold = input.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
    input.focus();
  }

  // ---- graders: taken over from elsewhere, tried on a row ---------------------------------------------------

  async function guarded(button, work) {
    if (button.getAttribute("aria-busy") === "true") return;
    button.setAttribute("aria-busy", "true");
    try {
      await work();
    } catch (problem) {
      if (!problem.message) throw problem;
      studio.toast(problem.message, problem.hint, "bad");
    } finally {
      button.removeAttribute("aria-busy");
    }
  }

  function bring(button) {
    const box = document.getElementById("import-text");
    if (!box.value.trim()) return void box.focus();
    guarded(button, async () => {
      const kind = /^\s*[[{"]/.test(box.value) ? "application/json" : "text/x-python";
      const answer = await fetch("/api/graders/import", { method: "POST", headers: { "Content-Type": kind }, body: box.value });
      const found = await answer.json();
      if (!answer.ok) throw { message: found.error, hint: found.hint };
      if (!(await save({ graders: found }))) return;
      box.value = "";
      button.closest("details").open = false;
      focus(".grader:last-child");
    });
  }

  let row = 0;
  async function show(number = row) {
    const box = document.getElementById("try-row");
    if (!box) return;
    row = number;
    const query = new URLSearchParams({ ...asked(), row });
    const answer = await fetch(`/parts/new-run-try?${query}`);
    studio.place(box, await answer.text());
  }

  document.addEventListener("toggle", (event) => event.target.id === "grader-try" && event.target.open && show(), true);

  function score(button) {
    const trial = button.closest(".trial");
    const answer = trial.querySelector("textarea").value;
    guarded(button, async () => {
      if (!(await save())) return;
      const { prompt, messages, reference, row: columns } = JSON.parse(trial.dataset.case);
      let [sum, any] = [0, false];
      for (const output of trial.querySelectorAll("[data-grader]")) {
        const asking = { ...JSON.parse(output.dataset.grader), answer, prompt, messages, reference, row: columns };
        try {
          const found = await studio.send("/api/graders/try", asking);
          output.textContent = found.score === null ? "no score" : studio.number(found.score);
          if (found.note) output.textContent += `: ${found.note}`;
          if (found.score !== null) [sum, any] = [sum + found.score * Number(output.dataset.weight), true];
        } catch (problem) {
          if (!problem.detail) throw problem;
          output.textContent = `${problem.message} ${problem.hint}`;
        }
      }
      trial.querySelector("[data-sum]").textContent = any ? studio.number(sum) : "no score";
    });
  }

  document.querySelectorAll("[data-path]").forEach(agree); // parts that came before this script
})();
