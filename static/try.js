// The chat's message box: sends to every chosen model, keeps the chat's key in the address, fetches held-out
// prompts. Answers are rendered by the server as live fragments.
(() => {
  "use strict";
  if (window.tries) return;
  window.tries = true;
  const query = () => new URLSearchParams(location.search);
  const models = () => (query().get("models") ?? "").split(",").filter(Boolean).map(Number);

  async function guarded(element, work) {
    if (element.getAttribute("aria-busy") === "true") return;
    element.setAttribute("aria-busy", "true");
    try {
      await work();
    } catch (problem) {
      if (!problem.message) throw problem;
      studio.toast(problem.message, problem.hint, "bad");
    } finally {
      element.removeAttribute("aria-busy");
    }
  }

  function ask(form) {
    const { message, system, temperature, max_new_tokens: longest } = form.elements;
    if (!message.value.trim()) return void message.focus();
    guarded(form.querySelector("button.primary"), async () => {
      const options = { temperature: Number(temperature.value || 0), max_new_tokens: Number(longest.value || 256) };
      const asked = { models: models(), message: message.value, system: system.value, chat: query().get("chat") ?? "", options };
      const { chat } = await studio.send("/api/chat", asked);
      message.value = "";
      const now = query();
      now.set("chat", chat);
      history.replaceState(null, "", `/try?${now.toString().replaceAll("%2C", ",")}`);
      studio.refresh();
      message.focus();
    });
  }

  function example(button) {
    guarded(button, async () => {
      const form = button.form;
      const found = await (await fetch(`/api/chat/examples/${button.dataset.example}?models=${models()}`)).json();
      if (found.error) throw { message: found.error, hint: found.hint };
      button.dataset.example = (found.number + 1) % found.rows;
      form.elements.message.value = found.message;
      form.elements.system.value = found.system;
      for (const input of [form.elements.message, form.elements.system]) input.dataset.touched = "yes";
      const box = document.getElementById("try-reference");
      const text = found.reference ? `The reference answer is: ${found.reference}` : "This row has no reference answer.";
      const system = found.system ? ` The system prompt “${found.system}” is filled in under Options.` : "";
      box.replaceChildren(
        Object.assign(document.createElement("b"), { textContent: `Row ${found.number + 1} of ${found.source}.` }),
        system,
        Object.assign(document.createElement("p"), { textContent: text }),
      );
      box.hidden = false;
      form.elements.message.focus();
    });
  }

  document.addEventListener("submit", (event) => {
    if (event.target.id !== "try-form") return;
    event.preventDefault();
    ask(event.target);
  });

  document.addEventListener("keydown", (event) => {
    if (event.target.id !== "try-message" || event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    event.target.form.requestSubmit();
  });

  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-example]");
    if (button) example(button);
  });

  // A new turn comes into view; reading further up is left alone.
  let turns = 0;
  document.addEventListener("studio:placed", (event) => {
    const shown = event.detail.element.querySelectorAll(".turns > li");
    if (!event.detail.element.querySelector(".turns")) return;
    if (shown.length > turns && turns) shown[shown.length - 1].scrollIntoView({ block: "nearest" });
    turns = shown.length;
  });
})();
