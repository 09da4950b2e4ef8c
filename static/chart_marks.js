// What happened at which step, marked in the charts: checkpoints kept, evaluations, resumes, settings changed.
// Evaluations are many and have no line.
(() => {
  "use strict";
  const { axes } = window.studio;
  const { make, look, colour, series } = window.studio.kit;
  const SYMBOLS = { checkpoint: "◆", evaluation: "▲", resume: "↻", change: "✎" };
  const EVERY = 30_000; // ms between looks while a run goes on
  const CROWD = 30; // marks; of more, only the symbols are drawn, no lines
  const NEAR = 6; // px
  const TOLD = 8; // words of marks in one title
  const FINISHED = new Set(["succeeded", "failed", "cancelled", "paused"]);

  // Asks for a board's marks when it starts, when a run's state or attempt changes, and now and then while one runs.
  function follow(board, address, placed) {
    let [heard, asked, busy] = ["", 0, false];
    return async (attempts) => {
      const states = [...board.runs.values()].map(({ state }) => state);
      const now = `${attempts} ${states}`;
      const due = now !== heard || (performance.now() - asked > EVERY && !states.every((state) => FINISHED.has(state)));
      if (busy || !due || document.hidden) return;
      busy = true;
      [heard, asked] = [now, performance.now()];
      const answer = await fetch(address("/marks")).catch(() => null); // the charts' own request says when nobody answers
      busy = false;
      if (!answer?.ok) return;
      board.marks = new Map(Object.entries(await answer.json()));
      placed();
    };
  }

  // The marks of the runs shown, each with its place on the axis.
  function placed(board) {
    if (!board.marked) return [];
    return [...board.runs].flatMap(([id, run]) => {
      const own = board.hidden.has(id) ? [] : (board.marks.get(id) ?? []);
      const xs = own.length && axes.at(board, id, own.map(({ step }) => step));
      return own.flatMap((mark, index) => (xs && Number.isFinite(xs[index]) ? [{ ...mark, run, x: xs[index] }] : []));
    });
  }

  function words(board, { title, run, x, step }) {
    const at = board.axis === "step" ? axes.said(board, step) : `${axes.said(board, x)}, step ${step.toLocaleString("en")}`;
    return [title, board.runs.size > 1 && run.name, at].filter(Boolean).join(" · ");
  }

  // Marks of one kind that would lie on one another are one, with the words of all.
  function draw(board, chart) {
    const layout = chart.plot._fullLayout;
    if (!layout || (!board.marks.size && !chart.marks.firstChild)) return;
    const { xaxis, yaxis } = layout;
    const { by } = axes.unit(board);
    const together = new Map();
    for (const mark of placed(board)) {
      const left = xaxis.d2p(mark.x / by);
      if (left < 0 || left > xaxis._length) continue;
      const key = `${mark.kind} ${Math.round(left / NEAR)}`;
      together.set(key, [...(together.get(key) ?? []), { ...mark, left }]);
    }
    const lined = together.size <= CROWD;
    chart.marks.replaceChildren(...[...together.values()].map((own) => symbol(board, own, lined, xaxis, yaxis)));
  }

  function symbol(board, own, lined, xaxis, yaxis) {
    const [{ kind, left, run }] = own;
    const alone = board.runs.size > 1 && !board.groups.length && own.every((mark) => mark.run === run);
    const ink = alone ? `; --mark: var(${series(run.color_index)})` : "";
    const style = `left: ${xaxis._offset + left}px; top: ${yaxis._offset}px; height: ${yaxis._length}px${ink}`;
    const said = own.slice(0, TOLD).map((mark) => words(board, mark));
    if (own.length > TOLD) said.push(`and ${own.length - TOLD} more`);
    const name = `chart-mark${lined && kind !== "evaluation" ? " lined" : ""}`;
    return make("span", { class: name, style, "data-kind": kind }, make("i", { title: said.join("\n"), "aria-hidden": "true" }, SYMBOLS[kind] ?? "•"));
  }

  // The same for a picture that is saved.
  function shapes(board) {
    const { by } = axes.unit(board);
    const all = placed(board).filter(({ kind }) => kind !== "evaluation");
    if (all.length > CROWD) return [];
    const ink = (run) => (board.runs.size > 1 ? colour(run.color_index) : look("--ink-3"));
    return all.map(({ x, run }) => ({ type: "line", x0: x / by, x1: x / by, yref: "paper", y0: 0, y1: 1, layer: "below", line: { color: ink(run), width: 1, dash: "dot" } }));
  }

  function table(board, lines) {
    const shown = new Set(lines.map(({ id }) => id));
    const all = placed(board).filter(({ run }) => shown.has(String(run.id))).sort((a, b) => b.step - a.step);
    if (!all.length) return [];
    const many = board.runs.size > 1;
    const head = make("tr", {}, make("th", { scope: "col", class: "num" }, "Step"), ...(many ? [make("th", { scope: "col" }, "Run")] : []), make("th", { scope: "col" }, "Mark"));
    const rows = all.map(({ step, run, title, kind }) =>
      make("tr", {}, make("td", { class: "num" }, step.toLocaleString("en")), ...(many ? [make("td", {}, run.name)] : []), make("td", {}, `${SYMBOLS[kind] ?? "•"} ${title}`)));
    return [make("table", { class: "marked" }, make("caption", { class: "hidden" }, "Marks"), make("thead", {}, head), make("tbody", {}, ...rows))];
  }

  window.studio.marks = { follow, draw, shapes, table };
})();
