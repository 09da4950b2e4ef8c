// Settings of runs against their metrics, on /compare. The server lays the axes out and says every value
// (data-relations, data-scatter: places from 0 to 1 along an axis); this file draws lines and points, lifts
// the one that is looked at, and filters runs by what is dragged over or typed. It knows no metric.
(() => {
  "use strict";
  const [HEIGHT, TOP, FOOT, SIDE, APART] = [340, 34, 40, 70, 128];
  const TAP = 4; // px a pointer may move and still have clicked
  const brushes = new Map(); // axis → {low, high} of its numbers, or {words}
  const drawn = new WeakMap(); // element → what it shows, and how wide
  let dragging = false;

  function part(name, attributes = {}, ...inside) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    return fill(element, attributes, inside);
  }

  function make(name, attributes = {}, ...inside) {
    return fill(document.createElement(name), attributes, inside);
  }

  function fill(element, attributes, inside) {
    for (const [key, value] of Object.entries(attributes)) {
      if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
      else if (value !== false) element.setAttribute(key, value === true ? "" : value);
    }
    element.append(...inside);
    return element;
  }

  const clip = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);
  const colour = (place) => `var(--series-${(place % 8) + 1})`;
  const dot = (place) => (place < 8 ? `fill:${colour(place)};stroke:var(--card)` : `fill:var(--card);stroke:${colour(place)}`);

  // ---- numbers and places ----------------------------------------------------------------------------

  function valueAt({ kind, low, high }, at) {
    return kind === "log" ? low * (high / low) ** at : low + at * (high - low);
  }

  function placeOf({ kind, low, high }, value) {
    const share = kind === "log" ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low);
    return Math.min(1, Math.max(0, Number.isFinite(share) ? share : 0.5));
  }

  const few = (value) => String(Number(value.toPrecision(4)));

  function passes(axis, index) {
    const brush = brushes.get(axis.key);
    if (!brush) return true;
    if (brush.words) return brush.words.has(axis.said[index]);
    const value = axis.values[index];
    const near = Math.abs(valueAt(axis, 1)) * 1e-9;
    return value !== null && value >= brush.low - near && value <= brush.high + near;
  }

  // ---- what both drawings share ----------------------------------------------------------------------

  function told(data, index, axes) {
    return `${data.runs[index].name}: ${axes.map(({ title, said }) => `${title} ${said[index]}`).join(", ")}`;
  }

  // A mark of a run: what it says is read out when it has the focus, and stands below when it is looked at.
  function mark(element, data, index, axes, output) {
    const words = told(data, index, axes);
    const lift = (on) => {
      element.ownerSVGElement.classList.toggle("looking", on);
      element.classList.toggle("lifted", on);
      output.textContent = on ? words : output.dataset.rest;
    };
    element.classList.add("mark");
    fill(element, {
      tabindex: 0, role: "img", "aria-label": words, "data-run": data.runs[index].id,
      onpointerenter: () => lift(true), onpointerleave: () => lift(false), onfocus: () => lift(true), onblur: () => lift(false),
    }, []);
  }

  function reading(rest) {
    const output = make("p", { class: "relations-reading" }, rest);
    output.dataset.rest = rest;
    return output;
  }

  // ---- parallel coordinates --------------------------------------------------------------------------

  function drawLines(element, data) {
    const open = element.querySelector("details")?.open;
    const axes = data.axes;
    const [width, end] = [Math.max(element.clientWidth, 2 * SIDE + (axes.length - 1) * APART), HEIGHT - FOOT];
    const across = (place) => SIDE + (place * (width - 2 * SIDE)) / Math.max(axes.length - 1, 1);
    const up = (at) => (at === null ? end + 24 : end - at * (end - TOP));
    const output = reading("Point at a line, or reach it with the Tab key, to read its run.");
    const svg = part("svg", { class: "parallel", width, height: HEIGHT, viewBox: `0 0 ${width} ${HEIGHT}`, role: "group", "aria-label": `${data.runs.length} runs over ${axes.length} axes` });
    const figure = axes.at(-1);
    data.runs.forEach((run, index) => {
      const line = `M${axes.map((axis, place) => `${across(place)},${up(axis.places[index])}`).join("L")}`;
      const group = part("g", {}, part("path", { class: "reach", d: line }), part("path", { class: "line", d: line, style: `stroke:${shade(figure.places[index], data.better)}` }));
      svg.append(group);
      mark(group, data, index, axes, output);
      if (figure.places[index] === null) group.classList.add("unmeasured");
    });
    axes.forEach((axis, place) => svg.append(drawAxis(axis, across(place), end, up)));
    axes.forEach((axis, place) => svg.append(...brushing(element, data, axis, across(place), up, end)));
    const box = make("div", { class: "table bare", tabindex: 0, role: "region", "aria-label": "Runs over the settings that differ" }, svg);
    const status = make("p", { class: "hint", role: "status" });
    element.replaceChildren(box, scale(data), output, filters(data, open), status);
    apply();
  }

  function shade(at, better) {
    if (at === null) return "var(--ink-3)";
    const good = better === "lower" ? 1 - at : at;
    return `color-mix(in oklab, var(--relation-high) ${Math.round(good * 100)}%, var(--relation-low))`;
  }

  function scale({ better, axes }) {
    const ends = better ? ["worst", "best"] : ["lowest", "highest"];
    return make("p", { class: "relations-scale hint" }, ends[0], make("i", { "aria-hidden": "true" }), `${ends[1]} ${axes.at(-1).title}`);
  }

  function drawAxis(axis, x, end, up) {
    const group = part("g", { class: "axis" }, part("line", { x1: x, x2: x, y1: TOP, y2: end }));
    const title = part("text", { class: "title", x, y: 16, "text-anchor": "middle" }, clip(axis.title, 18));
    title.append(part("title", {}, axis.title));
    group.append(title);
    const every = Math.ceil(axis.ticks.length / 12);
    axis.ticks.forEach(({ at, text }, index) => {
      if (index % every) return;
      group.append(part("line", { x1: x - 4, x2: x, y1: up(at), y2: up(at) }), part("text", { x: x - 7, y: up(at) + 3.5, "text-anchor": "end" }, clip(text, 10), part("title", {}, text)));
    });
    if (axis.places.includes(null)) group.append(part("text", { x: x - 7, y: up(null) + 3.5, "text-anchor": "end" }, "none"));
    return group;
  }

  // Dragging along an axis keeps the runs that pass there; a click clears it.
  function brushing(element, data, axis, x, up, end) {
    const shown = part("rect", { class: "brush", x: x - 8, width: 16, y: 0, height: 0, "data-axis": axis.key });
    const reach = part("rect", { class: "brush-reach", x: x - 14, width: 28, y: TOP - 6, height: end - TOP + 12, "data-axis": axis.key });
    const at = ({ clientY }) => Math.min(1, Math.max(0, (end - (clientY - reach.ownerSVGElement.getBoundingClientRect().top)) / (end - TOP)));
    let from = null;
    reach.addEventListener("pointerdown", (event) => {
      reach.setPointerCapture(event.pointerId);
      from = { at: at(event), y: event.clientY };
      dragging = true;
    });
    reach.addEventListener("pointermove", (event) => {
      if (!from || Math.abs(event.clientY - from.y) < TAP) return;
      keep(axis, Math.min(from.at, at(event)), Math.max(from.at, at(event)));
    });
    const stop = (event) => {
      if (from && Math.abs(event.clientY - from.y) < TAP) brushes.delete(axis.key);
      from = null;
      dragging = false;
      apply();
    };
    reach.addEventListener("pointerup", stop);
    reach.addEventListener("pointercancel", stop);
    return [shown, reach];
  }

  function keep(axis, low, high) {
    if (axis.kind === "words") {
      const words = axis.ticks.filter(({ at }) => at >= low - 0.02 && at <= high + 0.02).map(({ text }) => text);
      brushes.set(axis.key, { words: new Set(words) });
    } else brushes.set(axis.key, { low: valueAt(axis, low), high: valueAt(axis, high) });
    apply();
  }

  // ---- the same by keyboard --------------------------------------------------------------------------

  function filters(data, open) {
    const box = make("div", { class: "relations-filters" }, ...data.axes.map((axis) => (axis.kind === "words" ? wordFilter(axis) : rangeFilter(axis))));
    const clear = make("button", { type: "button", class: "small", onclick: () => { brushes.clear(); apply(); } }, "Show all runs");
    return make("details", { class: "relations-filter", open: Boolean(open) }, make("summary", {}, "Filter by values"), box, clear);
  }

  function rangeFilter(axis) {
    const input = (side, label) => make("input", {
      class: "text num", type: "number", step: "any", "data-axis": axis.key, "data-side": side, "aria-label": `${axis.title}, ${label}`, placeholder: few(axis[side]),
      oninput: ({ target }) => {
        const others = target.parentElement.querySelectorAll("input");
        const [low, high] = [...others].map(({ value }, index) => (value === "" ? valueAt(axis, index) : Number(value)));
        if ([...others].every(({ value }) => value === "")) brushes.delete(axis.key);
        else brushes.set(axis.key, { low, high });
        apply(target);
      },
    });
    return make("fieldset", {}, make("legend", {}, axis.title), make("div", { class: "row" }, input("low", "from"), "to", input("high", "up to")));
  }

  function wordFilter(axis) {
    const boxes = axis.ticks.map(({ text }) => make("label", { class: "relations-word" }, make("span", { class: "pick" }, make("input", {
      type: "checkbox", value: text, checked: true, "data-axis": axis.key,
      onchange: ({ target }) => {
        const words = [...target.closest("fieldset").querySelectorAll("input")].filter(({ checked }) => checked).map(({ value }) => value);
        if (words.length === axis.ticks.length) brushes.delete(axis.key);
        else brushes.set(axis.key, { words: new Set(words) });
        apply(target);
      },
    })), clip(text, 40)));
    return make("fieldset", {}, make("legend", {}, axis.title), ...boxes);
  }

  // Everything that shows runs follows what is filtered: lines, points, rows of the table, and the inputs.
  function apply(typing = null) {
    const lines = document.getElementById("relations-lines");
    if (!lines) return;
    const data = JSON.parse(lines.dataset.relations);
    const kept = data.runs.filter((_, index) => data.axes.every((axis) => passes(axis, index)));
    const ids = new Set(kept.map(({ id }) => String(id)));
    for (const element of document.querySelectorAll(".relations .mark")) {
      const out = !ids.has(element.dataset.run);
      element.classList.toggle("out", out);
      element.setAttribute("tabindex", out ? -1 : 0);
      element.setAttribute("aria-hidden", String(out));
    }
    for (const row of document.querySelectorAll("#relations-numbers tr[data-run]")) row.hidden = !ids.has(row.dataset.run);
    for (const axis of data.axes) show(lines, axis, typing);
    const status = lines.querySelector("[role=status]");
    const words = brushes.size ? `${kept.length} of ${data.runs.length} runs pass the filter.` : "";
    if (status && status.textContent !== words) status.textContent = words;
  }

  function show(lines, axis, typing) {
    const brush = brushes.get(axis.key);
    const of = `[data-axis="${CSS.escape(axis.key)}"]`;
    const rect = lines.querySelector(`.brush${of}`);
    if (!rect) return;
    const end = HEIGHT - FOOT;
    const at = brush?.words ? axis.ticks.filter(({ text }) => brush.words.has(text)).map((tick) => tick.at) : brush ? [placeOf(axis, brush.low), placeOf(axis, brush.high)] : [];
    const [low, high] = [Math.min(...at), Math.max(...at)];
    rect.setAttribute("y", at.length ? end - high * (end - TOP) - 6 : 0);
    rect.setAttribute("height", at.length ? (high - low) * (end - TOP) + 12 : 0);
    for (const input of lines.querySelectorAll(`input${of}`)) {
      if (input === typing || (input === document.activeElement && input.type === "number")) continue; // half typed
      if (input.type === "checkbox") input.checked = !brush || brush.words.has(input.value);
      else if (!typing || typing.dataset.axis !== axis.key) input.value = brush ? few(brush[input.dataset.side]) : "";
    }
  }

  // ---- scatter ---------------------------------------------------------------------------------------

  function drawPoints(element, data) {
    const [width, left, right, top, foot] = [Math.max(element.clientWidth, 260), 62, 18, 12, 46];
    const across = (at) => left + at * (width - left - right);
    const up = (at) => HEIGHT - foot - at * (HEIGHT - top - foot);
    const output = reading("Point at a point, or reach it with the Tab key, to read its run.");
    const svg = part("svg", { class: "scatter", width, height: HEIGHT, viewBox: `0 0 ${width} ${HEIGHT}`, role: "group", "aria-label": `${data.y.title} against ${data.x.title}` });
    svg.append(...grid(data, across, up, width));
    const found = data.runs.map((_, index) => [data.x.places[index], data.y.places[index]]);
    for (const group of data.together) {
      const line = group.map((index) => found[index]).filter(([x, y]) => x !== null && y !== null);
      if (line.length > 1) svg.append(part("path", { class: "joined", d: `M${line.map(([x, y]) => `${across(x)},${up(y)}`).join("L")}` }));
    }
    found.forEach(([x, y], index) => {
      if (x === null || y === null) return;
      const point = part("circle", { cx: across(x), cy: up(y), r: 6.5, style: dot(data.runs[index].place) });
      svg.append(point);
      mark(point, data, index, [data.x, data.y], output);
    });
    element.replaceChildren(svg, output);
    apply();
  }

  function grid({ x, y }, across, up, width) {
    const [bottom, most] = [up(0), Math.max(1, Math.floor((width - 80) / 74))];
    const parts = y.ticks.flatMap(({ at, text }) => [part("line", { class: "grid", x1: across(0), x2: across(1), y1: up(at), y2: up(at) }), part("text", { x: across(0) - 8, y: up(at) + 4, "text-anchor": "end" }, clip(text, 9), part("title", {}, text))]);
    const every = Math.ceil(x.ticks.length / most);
    x.ticks.forEach(({ at, text }, index) => {
      if (index % every) return;
      const anchor = at > 0.95 ? "end" : at < 0.05 ? "start" : "middle";
      parts.push(part("line", { class: "grid", x1: across(at), x2: across(at), y1: up(0), y2: up(1) }), part("text", { x: across(at), y: bottom + 17, "text-anchor": anchor }, clip(text, 14), part("title", {}, text)));
    });
    parts.push(part("text", { class: "title", x: (across(0) + across(1)) / 2, y: bottom + 37, "text-anchor": "middle" }, clip(x.title, 60)));
    return parts;
  }

  // ---- keeping up ------------------------------------------------------------------------------------

  const wide = new ResizeObserver(() => drawAll());

  function drawAll() {
    if (dragging) return;
    for (const element of document.querySelectorAll("[data-relations], [data-scatter]")) {
      const said = element.dataset.relations ?? element.dataset.scatter;
      const before = drawn.get(element);
      if (before?.said === said && before.width === element.clientWidth) continue;
      if (element.contains(document.activeElement) && document.activeElement.matches("[type=number]")) continue; // being typed in
      if (!before) wide.observe(element);
      drawn.set(element, { said, width: element.clientWidth });
      const focus = element.contains(document.activeElement) ? document.activeElement.dataset.run : null;
      (element.dataset.relations ? drawLines : drawPoints)(element, JSON.parse(said));
      if (focus) element.querySelector(`.mark[data-run="${focus}"]`)?.focus();
    }
    apply();
  }

  document.addEventListener("studio:placed", drawAll);
  document.addEventListener("focusout", ({ target }) => target.closest?.(".relations") && setTimeout(drawAll));
})();
