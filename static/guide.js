// The decision guide's form: each answer is kept as it is given, Next waits for that and goes one step on.
// Fields, steps and advice are rendered by the server; links between steps are app/pages/stay.py's business.
(() => {
  "use strict";
  if (window.guides) return;
  window.guides = true;
  const PAUSE = 350; // ms after the last key in a number
  let timer = 0;
  let moved = true;
  let begun = false;
  let saving = Promise.resolve(true);

  // {field: text, or null for "I don't know"} of the named fields; an empty number was not answered.
  function read(form) {
    const answers = {};
    const fields = new FormData(form);
    const unknown = new Set(fields.getAll("unknown"));
    for (const [name, value] of fields) {
      if (name === "unknown" || name === "skip") continue;
      const input = form.elements[name];
      if (input.type === "number" && value === "") continue;
      answers[name] = value === "" ? null : value;
    }
    for (const name of unknown) answers[name] = null;
    return answers;
  }

  function save(form) {
    clearTimeout(timer);
    const answers = read(form); // now: what arrives meanwhile may still show the answer before
    saving = saving.then(() => keep(form, answers));
    return saving;
  }

  async function keep(form, answers) {
    // Faded, not removed: the page must not move under a finger that is pressing Next.
    for (const line of form.querySelectorAll(".problem")) line.classList.add("past");
    for (const input of form.querySelectorAll("[aria-invalid]")) input.removeAttribute("aria-invalid");
    const query = new URLSearchParams(location.search);
    try {
      const project = query.has("draft") || !query.has("project") ? null : Number(query.get("project"));
      const given = { draft: query.get("draft") ?? "", answers, project };
      const kept = await studio.send("/api/guide/drafts", given);
      if (!query.has("draft")) {
        history.replaceState(null, "", `/guide?draft=${kept.draft}&step=${form.dataset.step}`);
      }
      studio.refresh();
      return true;
    } catch (problem) {
      if (!problem.message) throw problem;
      const line = document.getElementById(`problem-${problem.field}`);
      if (!line) studio.toast(problem.message, problem.hint, "bad");
      else {
        line.textContent = problem.hint || problem.message;
        line.hidden = false;
        line.classList.remove("past");
        document.getElementById(`answer-${problem.field}`)?.setAttribute("aria-invalid", "true");
      }
      return false;
    }
  }

  async function go(form, finish) {
    if (!(await save(form))) return void form.querySelector("[aria-invalid]")?.focus();
    const draft = new URLSearchParams(location.search).get("draft");
    const at = Number(form.dataset.step);
    if (finish || at === Number(form.dataset.steps)) {
      try {
        return void studio.go((await studio.send(`/api/guide/drafts/${draft}/finish`)).url);
      } catch (problem) {
        if (!problem.message) throw problem;
        return void studio.toast(problem.message, problem.hint, "bad");
      }
    }
    history.pushState(null, "", `/guide?draft=${draft}&step=${at + 1}`);
    moved = true;
    studio.refresh();
  }

  document.addEventListener("change", (event) => {
    const form = event.target.closest("form[data-guide]");
    if (!form) return;
    if (event.target.name === "unknown") {
      const input = document.getElementById(`answer-${event.target.value}`);
      input.disabled = event.target.checked;
      input.dataset.touched = "yes";
      if (event.target.checked) input.value = "";
      else input.focus();
    }
    save(form);
  });

  document.addEventListener("input", (event) => {
    const form = event.target.closest("form[data-guide]");
    if (!form || event.target.type !== "number") return;
    clearTimeout(timer);
    timer = setTimeout(save, PAUSE, form);
  });

  document.addEventListener("submit", (event) => {
    if (!event.target.matches("form[data-guide]")) return;
    event.preventDefault();
    go(event.target, event.submitter?.name === "skip");
  });

  document.addEventListener("click", (event) => {
    if (event.target.closest?.(".stepper a, .asking a")) moved = true;
  });

  // After a step the keyboard stands at its first answer, from where Enter goes on; on a phone, where that would
  // open the keys, at its title. What was asked of the step before may still arrive once more; it does not count.
  document.addEventListener("studio:placed", (event) => {
    if (!moved) return;
    const form = event.detail.element.querySelector("form[data-guide]");
    if (form?.dataset.step !== (new URLSearchParams(location.search).get("step") ?? "1")) return;
    moved = false;
    const isFirst = !begun;
    begun = true;
    if (isFirst && document.activeElement !== document.body) return;
    beginAt(form).focus({ preventScroll: true });
    if (!isFirst) scrollTo({ top: 0 });
  });

  function beginAt(form) {
    const first = form.querySelector("input:not(:disabled)");
    if (!first || matchMedia("(pointer: coarse)").matches) return document.getElementById("guide-title");
    return form.querySelector(`input[type=radio][name="${first.name}"]:checked`) ?? first;
  }
})();
