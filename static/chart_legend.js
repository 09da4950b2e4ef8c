// The legend of a board: a button a run, or a group of runs. Pressing one hides and shows its lines; while one is
// pointed at or has the keyboard, the other lines step back. Of many, a filter finds some.
(() => {
  "use strict";
  const { make, swatch } = window.studio.kit;
  const MANY = 12;

  function legend(board) {
    const list = make("div", { class: "legend", role: "group", "aria-label": "Lines shown" });
    const filter = make("input", { type: "search", class: "text", placeholder: "Filter", "aria-label": "Filter the legend", oninput: sift });
    const element = make("div", { class: "legend-of", hidden: true }, filter, list);
    let shown = "";

    function entries() {
      if (!board.groups.length) return [...board.runs].map(([id, run]) => ({ key: id, name: run.name, place: run.color_index, ids: [id] }));
      return board.groups.map(({ title, runs }, place) => ({ key: `group ${place}`, name: title, place, ids: runs, note: told(runs.length) }));
    }

    const told = (count) => (count < 2 ? "1 run" : `${count} runs, mean ${count === 2 ? "and lowest to highest" : "± standard deviation"}`);

    function show() {
      const all = entries();
      const now = JSON.stringify(all);
      if (now === shown) return;
      shown = now;
      element.hidden = all.length < 2 && !board.groups.length;
      filter.hidden = all.length <= MANY;
      list.classList.toggle("many", all.length > MANY);
      list.replaceChildren(...all.map(button));
      sift();
    }

    function button({ key, name, place, ids, note }) {
      const lift = () => board.lift(key);
      const settle = () => board.lift(null);
      return make("button", {
        type: "button", "aria-pressed": String(!ids.every((id) => board.hidden.has(id))), title: [name, note].filter(Boolean).join(": "),
        onpointerenter: lift, onpointerleave: settle, onfocus: lift, onblur: settle,
        onclick: ({ currentTarget }) => {
          const away = ids.every((id) => board.hidden.has(id));
          for (const id of ids) away ? board.hidden.delete(id) : board.hidden.add(id);
          currentTarget.setAttribute("aria-pressed", String(away));
          board.renew();
        },
      }, swatch(place), make("span", {}, name), ...(note ? [make("small", {}, note)] : []));
    }

    function sift() {
      const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
      for (const each of list.children) each.hidden = !words.every((word) => each.textContent.toLowerCase().includes(word));
    }

    return { element, show };
  }

  window.studio.legend = legend;
})();
