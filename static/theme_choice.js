// The choice of system, light or dark on the settings page. theme.js applies it, here and in other tabs.
(() => {
  "use strict";
  const KEY = "tunesmith-theme";

  function show() {
    const now = localStorage.getItem(KEY) ?? "system";
    for (const input of document.querySelectorAll("input[name=theme]")) input.checked = input.value === now;
  }

  document.addEventListener("change", (event) => {
    if (!event.target.matches("input[name=theme]")) return;
    localStorage.setItem(KEY, event.target.value);
    dispatchEvent(new StorageEvent("storage", { key: KEY }));
  });
  document.addEventListener("studio:placed", show);
  document.addEventListener("studio:theme", show);
  show();
})();
