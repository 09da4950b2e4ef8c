// The form of a use case: what is typed is kept in a draft, right or wrong, and Save makes it count. A refusal is
// shown at its field. Fields and their words are rendered by the server (app/pages/use_case_form.html).
(() => {
  "use strict";
  if (window.useCases) return;
  window.useCases = true;
  const PAUSE = 350; // ms after the last key
  let timer = 0;
  let saving = Promise.resolve(true);

  const draftOf = () => new URLSearchParams(location.search).get("draft") ?? "";

  function save(form) {
    clearTimeout(timer);
    saving = saving.then(() => keep(form));
    return saving;
  }

  async function keep(form) {
    for (const line of form.querySelectorAll(".problem")) line.hidden = true;
    for (const input of form.querySelectorAll("[aria-invalid]")) input.removeAttribute("aria-invalid");
    const project = Number(studio.dataOf(form).useCase) || null;
    try {
      const fields = Object.fromEntries(new FormData(form));
      for (const box of form.querySelectorAll("input[type=checkbox]")) fields[box.name] = String(box.checked);
      const kept = await studio.send("/api/use-case-drafts", { draft: draftOf(), project, fields });
      if (!draftOf()) {
        const id = project ? `id=${project}&` : "";
        history.replaceState(null, "", `/use-case?${id}draft=${kept.draft}`);
      }
      return true;
    } catch (problem) {
      tell(form, problem);
      return false;
    }
  }

  function tell(form, problem) {
    if (!problem.message) throw problem;
    const line = document.getElementById(`problem-${problem.field}`);
    if (!line) return void studio.toast(problem.message, problem.hint, "bad");
    line.textContent = `${problem.message} ${problem.hint}`.trim();
    line.hidden = false;
    const input = form.elements[problem.field];
    if (input instanceof RadioNodeList || !input) return void line.scrollIntoView({ block: "center" });
    input.setAttribute("aria-invalid", "true");
    input.focus();
  }

  async function submit(form) {
    if (!(await save(form))) return;
    try {
      studio.go((await studio.send(`/api/use-case-drafts/${draftOf()}/save`)).url);
    } catch (problem) {
      tell(form, problem);
    }
  }

  document.addEventListener("input", (event) => {
    const form = event.target.closest("form[data-use-case]");
    if (!form) return;
    clearTimeout(timer);
    timer = setTimeout(save, PAUSE, form);
  });

  // What a choice means is said beside it by the server.
  document.addEventListener("change", async (event) => {
    const form = event.target.closest("form[data-use-case]");
    if (form && (await save(form)) && event.target.matches("select")) studio.refresh();
  });

  document.addEventListener("submit", (event) => {
    if (!event.target.matches("form[data-use-case]")) return;
    event.preventDefault();
    submit(event.target);
  });
})();
