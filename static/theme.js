// Light or dark, decided before the first paint: the person's choice, else the system's. Gradio's own class
// on <body> follows. Clicking [data-theme-toggle] goes system → light → dark.
(() => {
  "use strict";
  const key = "tunesmith-theme";
  const system = matchMedia("(prefers-color-scheme: dark)");
  const order = ["system", "light", "dark"];
  const words = { system: "Theme: system", light: "Theme: light", dark: "Theme: dark" };
  const chosen = () => (order.includes(localStorage.getItem(key)) ? localStorage.getItem(key) : "system");

  function apply() {
    const choice = chosen();
    const dark = choice === "dark" || (choice === "system" && system.matches);
    const changed = document.documentElement.dataset.theme !== (dark ? "dark" : "light");
    document.documentElement.dataset.theme = dark ? "dark" : "light";
    document.body?.classList.toggle("dark", dark);
    for (const label of document.querySelectorAll("[data-theme-name]")) label.textContent = words[choice];
    if (changed) document.dispatchEvent(new CustomEvent("studio:theme"));
  }

  apply();
  system.addEventListener("change", apply);
  addEventListener("storage", (event) => event.key === key && apply());
  document.addEventListener("DOMContentLoaded", () => {
    apply();
    // Gradio sets the class once more when it starts, by the system alone.
    new MutationObserver(() => {
      const dark = document.documentElement.dataset.theme === "dark";
      if (document.body.classList.contains("dark") !== dark) document.body.classList.toggle("dark", dark);
    }).observe(document.body, { attributes: true, attributeFilter: ["class"] });
  });
  document.addEventListener("click", (event) => {
    if (!event.target.closest?.("[data-theme-toggle]")) return;
    localStorage.setItem(key, order[(order.indexOf(chosen()) + 1) % order.length]);
    apply();
  });
})();
