// One chart: its card with heading, tools, the table behind it, what is saved of it, and the place that is pointed
// at in it. `board` (charts.js) holds what all charts of a page share.
(() => {
  "use strict";
  const { number, nearest, interpolated, missed, axes, lines, marks } = window.studio;
  const { make, drawing, look, series, plain, plotly } = window.studio.kit;
  const TABLE_ROWS = 200;
  const NEAREST = 8; // lines named beside the place that is pointed at
  const HEADLINES = 4;
  const ICONS = {
    reset: "M4 4v6h6M4.5 10a8 8 0 1 1-.5 5",
    full: "M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v-5h-5",
    picture: "M12 4v11m-4-4 4 4 4-4M4 20h16",
  };
  const JUMP = 10; // points, with Page up and Page down

  function chart(board, info) {
    const id = `chart-${[...board.asked].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) >>> 0, 7)}-${info.key}`;
    const made = { info, dirty: true, since: performance.now(), cost: Infinity, news: 0, seen: false, log: Boolean(info.log), detail: null, view: [], members: [] };
    const tool = (label, inside, onclick, more = {}) => make("button", { type: "button", "aria-label": `${label}: ${info.title}`, title: label, onclick, ...more }, inside);
    made.now = make("div", { class: "chart-now" });
    made.plot = make("div", { class: "chart-plot", role: "slider", tabindex: 0, "aria-valuenow": 0, "aria-valuemin": 0, "aria-valuemax": 0 });
    made.cross = make("div", { class: "crosshair", hidden: true });
    made.tip = make("div", { class: "chart-tip", hidden: true, "aria-hidden": "true" });
    made.marks = make("div", { class: "chart-marks" });
    made.whole = make("small", { class: "hint" });
    made.rows = make("div", { class: "table", tabindex: 0, role: "region", "aria-label": `Numbers of ${info.title}` });
    made.table = make("details", { ontoggle: () => made.table.open && fillTable(board, made) }, make("summary", {}, "Table"), made.rows, made.whole);
    made.reset = tool("Show all steps", drawing(ICONS.reset), () => board.zoom(null), { hidden: board.range === null });
    const scale = tool("Log scale", "log", () => {
      made.log = !made.log;
      scale.setAttribute("aria-pressed", String(made.log));
      board.draw(made);
    }, { "aria-pressed": String(made.log) });
    const tools = make("div", { class: "chart-tools" }, made.reset, scale,
      tool("Save the points drawn as CSV", "csv", () => saveTable(made)),
      tool("Save as SVG", "svg", () => savePicture(board, made, "svg")),
      tool("Save as PNG", drawing(ICONS.picture), () => savePicture(board, made, "png")),
      tool("Full screen", drawing(ICONS.full), () => (document.fullscreenElement ? document.exitFullscreen() : made.card.requestFullscreen())));
    const head = make("div", { class: "chart-head" }, make("h3", { id }, info.title));
    if (info.unit) head.append(make("span", { class: "unit" }, info.unit));
    const healthy = info.healthy ? `Healthy: ${info.healthy.words}` : "";
    const help = [info.help, healthy && `${healthy}. ${info.healthy.source}.`].filter(Boolean).join(" ");
    if (help) head.append(make("button", { type: "button", class: "help", "data-tip": help, "aria-label": `${info.title}: ${help}` }, "?"));
    head.append(made.now);
    made.card = make("section", { class: "chart", "aria-labelledby": id, "data-metric": info.key }, head,
      make("div", { class: "chart-frame" }, made.plot, made.cross, made.marks, made.tip),
      ...(healthy ? [make("p", { class: "chart-healthy" }, healthy)] : []),
      make("div", { class: "chart-foot" }, made.table, tools));
    pointed(board, made);
    name(board, made);
    return made;
  }

  function name(board, { plot, info }) {
    plot.setAttribute("aria-label", `${info.title} by ${board.axis}. Arrow keys read values; the table below has the numbers.`);
  }

  // ---- pointing at a place: by mouse, finger or keyboard, in all charts at once

  function pointed(board, made) {
    const { plot } = made;
    const axis = () => plot._fullLayout?.xaxis;
    const at = ({ clientX, clientY, buttons, pointerType }) => {
      if (!axis() || (buttons && pointerType === "mouse")) return board.point(null);
      const frame = plot.getBoundingClientRect();
      const left = clientX - frame.left - axis()._offset;
      if (left < 0 || left > axis()._length) return board.point(null);
      board.point(snapped(made, axis().p2d(left) * axes.unit(board).by), made, clientY - frame.top);
    };
    plot.addEventListener("pointermove", at);
    plot.addEventListener("pointerdown", (event) => event.pointerType !== "mouse" && at(event));
    plot.addEventListener("pointerleave", ({ pointerType }) => pointerType === "mouse" && board.point(null));
    plot.addEventListener("blur", () => board.point(null));
    plot.addEventListener("focus", () => speak(board, made, board.place));
    plot.addEventListener("keydown", (event) => {
      const next = moved(board, made, event.key);
      if (next === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      board.point(next, made);
      speak(board, made, next);
    });
  }

  // The place of the nearest point of any line.
  function snapped({ view }, place) {
    const places = view.map(({ xs }) => xs[nearest(xs, place)]);
    return places.reduce((best, each) => (best === null || Math.abs(each - place) < Math.abs(best - place) ? each : best), null);
  }

  function moved(board, { view }, key) {
    if (key === "Escape") return board.place === null ? undefined : null;
    const steps = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: JUMP, PageDown: -JUMP, Home: -Infinity, End: Infinity }[key];
    const all = [...new Set(view.flatMap(({ xs }) => xs))].sort((a, b) => a - b);
    const inside = board.range ? all.filter((x) => x >= board.range[0] && x <= board.range[1]) : all;
    if (!steps || !inside.length) return undefined;
    const here = board.place === null ? (steps > 0 ? -1 : inside.length) : nearest(inside, board.place);
    return inside[Math.max(0, Math.min(inside.length - 1, here + steps))];
  }

  // What every line says at a place, or last; nothing where it has not begun or is over.
  function values({ members }, place = null) {
    return members.map(({ lines: own, ...about }) => {
      const read = own.flatMap(({ xs, values: raw, ys }) => {
        if (place !== null && (place < xs[0] || place > xs.at(-1))) return [];
        const index = place === null ? xs.length - 1 : nearest(xs, place);
        return [{ raw: raw[index], drawn: ys[index] }];
      });
      const mean = (what) => (read.length === 1 ? read[0][what] : read.length ? read.reduce((sum, each) => sum + each[what], 0) / read.length : null);
      return { ...about, value: mean("raw"), drawn: mean("drawn") };
    });
  }

  // The mark of the place in this chart; `top` is where the pointer is, if this is the chart it is in.
  function mark(board, made, from, top) {
    const axis = made.plot._fullLayout?.xaxis;
    const { by } = axes.unit(board);
    const left = axis && board.place !== null ? axis.d2p(board.place / by) : null;
    made.cross.hidden = left === null || !made.seen || left < 0 || left > axis._length;
    made.tip.hidden = made.cross.hidden || made !== from;
    if (!made.cross.hidden) {
      const place = left + axis._offset;
      made.cross.style.left = `${place}px`;
      made.cross.style.bottom = `${board.axis === "step" ? 26 : 40}px`;
      if (!made.tip.hidden) fillTip(board, made, place, top);
    }
    headline(made, board.place);
  }

  function fillTip(board, made, left, top) {
    const scale = made.plot._fullLayout.yaxis;
    const all = values(made, board.place).filter(({ drawn }) => drawn !== null);
    const away = ({ drawn }) => (top === undefined ? 0 : Math.abs(scale._offset + scale.d2p(drawn) - top));
    const shown = all.map((each) => ({ ...each, away: away(each) })).sort((a, b) => a.away - b.away).slice(0, NEAREST).sort((a, b) => b.drawn - a.drawn);
    const rows = shown.map(({ name: words, place, drawn }) =>
      make("li", {}, make("i", { style: `background: var(${series(place)})` }), ...(all.length > 1 ? [make("span", {}, words)] : []), make("b", {}, number(drawn))));
    const rest = all.length - shown.length;
    made.tip.replaceChildren(make("strong", {}, axes.said(board, board.place)), make("ul", {}, ...rows), ...(rest > 0 ? [make("small", {}, `and ${rest} further away`)] : []));
    const width = made.plot.clientWidth;
    const right = left > width / 2;
    made.tip.style.maxWidth = `${Math.min(280, Math.max(left, width - left) - 14)}px`;
    made.tip.style.left = right ? "" : `${left + 12}px`;
    made.tip.style.right = right ? `${width - left + 12}px` : "";
  }

  // For screen readers: the place and the values there, as the slider's own words, which they read as it moves.
  function speak(board, made, place) {
    const all = values(made, place).filter(({ value }) => value !== null);
    const read = all.slice(0, NEAREST).map(({ name: words, value }) => (all.length > 1 ? `${words} ${number(value)}` : number(value)));
    const last = made.view.length ? Math.max(...made.view.map(({ xs }) => xs.at(-1))) : 0;
    const first = made.view.length ? Math.min(...made.view.map(({ xs }) => xs[0])) : 0;
    const words = `${place === null ? "newest" : axes.said(board, place)}: ${read.join(", ") || "no value"}`;
    for (const [key, value] of [["now", place ?? last], ["min", first], ["max", last], ["text", words]]) made.plot.setAttribute(`aria-value${key}`, value);
  }

  function headline(made, place = null) {
    const all = values(made, place);
    const parts = all.slice(0, HEADLINES).map(({ name: words, place: at, value }) => {
      const dot = make("i", { style: `background: var(${series(at)})`, "aria-hidden": "true" });
      const said = all.length > 1 ? make("span", { title: words }, dot, number(value)) : make("span", {}, number(value));
      const wrong = made.info.healthy && missed(value, made.info.healthy);
      if (wrong) said.append(" ", make("em", { class: "missed", title: `Healthy: ${made.info.healthy.words}` }, wrong));
      return said;
    });
    made.now.replaceChildren(...parts);
  }

  // ---- the numbers behind it

  function fillTable(board, made) {
    const all = made.view;
    const steps = [...new Set(all.flatMap((one) => one.steps))].sort((a, b) => b - a);
    const rows = steps.slice(0, TABLE_ROWS).reverse();
    const at = all.map((one) => cells(one, rows));
    const head = make("tr", {}, make("th", { scope: "col", class: "num" }, "Step"), ...all.map(({ run }) => make("th", { scope: "col", class: "num" }, run.name)));
    const lined = rows.map((step, index) =>
      make("tr", {}, make("td", { class: "num" }, step.toLocaleString("en")), ...at.map((said) => make("td", { class: "num" }, said[index])))).reverse();
    const note = steps.length > TABLE_ROWS ? `The newest ${TABLE_ROWS} of ${steps.length.toLocaleString("en")} steps drawn. ` : "";
    const estimated = all.some(({ thinned }) => thinned) ? "≈ lies between two points drawn." : "";
    made.rows.replaceChildren(
      make("table", {}, make("caption", { class: "hidden" }, made.info.title), make("thead", {}, head), make("tbody", {}, ...lined)),
      ...marks.table(board, all),
      make("small", {}, note, estimated));
    linkWhole(made);
  }

  // Left alone while it says the same, for a link in it may have the keyboard.
  function linkWhole({ view, whole }) {
    const now = view.map(({ id, run }) => `${id} ${run.name}`).join();
    if (whole.dataset.of === now) return;
    whole.dataset.of = now;
    const links = view.flatMap(({ id, run }, index) => [index ? ", " : "", make("a", { href: `/api/runs/${id}/metrics.csv`, download: true }, run.name)]);
    whole.replaceChildren("The chart's CSV holds the points drawn. Everything logged, as CSV: ", ...links);
  }

  // A line's values at `steps`. Where the page holds only some of its points, what lies between two is an estimate.
  function cells({ steps: own, values, thinned }, steps) {
    const known = new Map(own.map((step, index) => [step, values[index]]));
    const between = thinned ? interpolated(own, values, steps) : [];
    return steps.map((step, index) => (known.has(step) || !Number.isFinite(between[index]) ? number(known.get(step)) : `≈ ${number(between[index])}`));
  }

  const fileName = ({ info }) => info.key.replaceAll("/", "-");

  function saveTable(made) {
    const quote = (text) => `"${String(text).replace(/^[=+@-]/, "'$&").replaceAll('"', '""')}"`;
    const rows = made.view.flatMap(({ run, steps, values: own }) => steps.map((step, index) => `${quote(run.name)},${step},${own[index] ?? ""}`));
    const file = new Blob([["run,step,value", ...rows].join("\n")], { type: "text/csv" });
    const link = make("a", { href: URL.createObjectURL(file), download: `${fileName(made)}-points-drawn.csv` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }

  async function savePicture(board, made, format) {
    const Plotly = await plotly();
    const data = lines.lines(board, made);
    const title = [made.info.title, made.info.healthy && `healthy: ${made.info.healthy.words}`].filter(Boolean).join(", ");
    const base = lines.layout(board, made, data);
    const framed = { ...base, shapes: [...base.shapes, ...marks.shapes(board)], title: { text: plain(title) }, paper_bgcolor: look("--card"), margin: { l: 60, r: 20, t: 50, b: 60 }, showlegend: made.members.length > 1, legend: { orientation: "h" } };
    await Plotly.downloadImage({ data, layout: framed }, { format, width: 1000, height: 560, scale: format === "png" ? 2 : 1, filename: fileName(made) });
  }

  window.studio.chart = { make: chart, name, mark, headline, fillTable };
})();
