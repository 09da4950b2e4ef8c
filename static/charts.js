// Live charts: <div data-charts="/api/metrics?run=7">. The page's pulse (pulse.js) brings only the new points of
// every chart, until all runs are finished. Zoom, legend, scale
// and smoothing belong to the person and survive every update. Plotly draws (SVG lines only); this file keeps
// the numbers (numbers.js helps) and knows nothing about what a metric means: titles, groups and help come from the server.
(() => {
  "use strict";
  const PLOTLY = document.currentScript.dataset.plotly;
  const POINTS = 2000; // asked of the server, a series
  const DRAWN = 1200; // drawn at most, a line: about two a pixel
  const TABLE_ROWS = 200;
  const { number, smooth, chosen, nearest, ends, missed } = window.studio;
  const FINISHED = new Set(["succeeded", "failed", "cancelled", "paused"]);
  const SMOOTHABLE = 50; // points; fewer are drawn as they are, smoothing would bend them away from their values
  const CONFIG = { displayModeBar: false, modeBarButtonsToRemove: ["sendChartToCloud"], doubleClick: "autosize", showTips: false };
  const ICONS = {
    reset: "M4 4v6h6M4.5 10a8 8 0 1 1-.5 5",
    full: "M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5",
    picture: "M12 4v11m-4-4 4 4 4-4M4 20h16",
  };

  // ---- small helpers ----------------------------------------------------------------------------------

  function make(name, attributes = {}, ...inside) {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
      else if (value !== false) element.setAttribute(key, value === true ? "" : value);
    }
    element.append(...inside);
    return element;
  }

  function drawing(path, box = "0 0 24 24") {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("viewBox", box);
    svg.setAttribute("class", "icon");
    svg.setAttribute("aria-hidden", "true");
    svg.append(document.createElementNS("http://www.w3.org/2000/svg", "path"));
    svg.firstChild.setAttribute("d", path);
    return svg;
  }

  const look = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const colour = (run) => look(`--series-${(run.color_index % 8) + 1}`);
  const dash = (run) => ["solid", "dash", "dot", "dashdot"][Math.floor(run.color_index / 8) % 4];
  const plain = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;"); // Plotly reads tags in names

  let plotly;
  function load() {
    plotly ??= new Promise((resolve, reject) => {
      const script = make("script", { src: PLOTLY });
      script.onload = () => resolve(window.Plotly);
      script.onerror = reject;
      document.head.append(script);
    });
    return plotly;
  }

  // ---- one page of charts -----------------------------------------------------------------------------

  function board(element) {
    const smoothingKey = `tunesmith-smoothing ${location.pathname}`;
    const asked = element.dataset.charts;
    const every = Number(element.dataset.every ?? 1);
    const runs = new Map(); // id → {id, name, state, color_index}
    const series = new Map(); // run id → Map(metric → {steps, values})
    const charts = new Map(); // metric → {info, card, plot, now, dirty, seen, log, table}
    const hidden = new Set();
    const groups = new Map();
    let [cursor, range, dragging, ended] = ["", null, false, false];
    let weight = Number(localStorage.getItem(smoothingKey) ?? 0.6);

    const legend = make("div", { class: "legend", role: "group", "aria-label": "Runs shown" });
    const output = make("output", {}, weight.toFixed(2));
    const slider = make("input", { type: "range", min: 0, max: 0.99, step: 0.01, value: weight, oninput: setWeight });
    const bar = make("div", { class: "charts-bar", hidden: true }, legend, make("label", { class: "smoothing" }, "Smoothing", slider, output));
    const told = make("div", { "aria-live": "polite" });
    const body = make("div", { class: "charts" }, bar, told);
    element.replaceChildren(body);
    say();

    const sizes = new ResizeObserver((entries) => entries.forEach(({ target }) => target.data && window.Plotly.Plots.resize(target)));
    const sight = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) {
        const chart = charts.get(target.dataset.metric);
        chart.seen = isIntersecting;
        if (isIntersecting && chart.dirty) draw(chart);
      }
    }, { rootMargin: "200px" });

    function address() {
      const page = Object.fromEntries(new URLSearchParams(location.search));
      const url = new URL(window.studio.fill(asked, page), location.href);
      url.searchParams.set("points", POINTS);
      if (cursor) url.searchParams.set("after", cursor);
      return url.pathname + url.search;
    }

    // Takes an answer; returns the seconds until the next look (0: when something happens).
    function tick({ status, body: read }) {
      if (status >= 500) return every;
      if (status >= 400) {
        say(read.error, read.hint);
        return 0;
      }
      if (status !== 304) take(read);
      ended = runs.size > 0 && [...runs.values()].every((run) => FINISHED.has(run.state));
      if (!charts.size) say();
      return ended ? 0 : every;
    }

    // ---- what the server says

    function take({ cursor: next, runs: about = [], charts: infos = [], series: news = {} }) {
      cursor = next;
      const before = JSON.stringify([...runs.values()]);
      for (const run of about) runs.set(String(run.id), run);
      for (const id of Object.keys(news)) if (!runs.has(id)) runs.set(id, { id, name: `Run ${id}`, state: "", color_index: runs.size });
      const fresh = new Set();
      for (const [id, metrics] of Object.entries(news)) {
        if (!series.has(id) || Object.values(metrics).some((metric) => metric.reset)) series.set(id, new Map());
        const known = series.get(id);
        for (const [key, { steps, values }] of Object.entries(metrics)) {
          const old = known.get(key);
          if (old) {
            old.steps.push(...steps);
            old.values.push(...values);
            if (old.steps.length > 3 * POINTS) cursor = ""; // long on the page: let the server thin it again
          } else known.set(key, { steps: [...steps], values: [...values] });
          if (steps.length) fresh.add(key);
        }
      }
      for (const info of infos) if (!charts.has(info.key)) add(info);
      if (JSON.stringify([...runs.values()]) !== before) showLegend();
      for (const key of fresh) if (charts.has(key)) touch(charts.get(key));
    }

    // ---- drawing

    function touch(chart) {
      chart.dirty = true;
      headline(chart);
      if (chart.table.open) fillTable(chart);
      if (chart.seen && !dragging) draw(chart);
    }

    function shown(key) {
      return [...runs].flatMap(([id, run]) => {
        const points = series.get(id)?.get(key);
        return points?.steps.length && !hidden.has(id) ? [{ run, ...points }] : [];
      });
    }

    function lines(chart) {
      return shown(chart.info.key).flatMap(({ run, steps, values }) => {
        const smoothed = weight > 0 && steps.length >= SMOOTHABLE && !chart.info.exact;
        const name = plain(run.name);
        const pick = (of) => {
          const indices = chosen(steps, of, range, DRAWN);
          return { x: indices.map((i) => steps[i]), y: indices.map((i) => of[i]) };
        };
        const common = { type: "scatter", mode: steps.length < 2 ? "markers" : "lines", name, marker: { color: colour(run), size: 6 } };
        const raw = { ...common, ...pick(values), line: { color: colour(run), width: smoothed ? 1 : 1.8, dash: dash(run) } };
        if (!smoothed) return [{ ...raw, hovertemplate: "%{y:.4~g}" }];
        const front = { ...common, ...pick(smooth(values, weight)), line: { color: colour(run), width: 2, dash: dash(run) } };
        return [{ ...raw, opacity: 0.28, hoverinfo: "skip" }, { ...front, hovertemplate: "%{y:.4~g}" }];
      });
    }

    // Steps are whole: over a few of them every one has its tick, or half steps would be rounded and said twice.
    function ticks(chart) {
      const all = shown(chart.info.key).map(({ steps }) => steps);
      const [low, high] = range ?? [Math.min(...all.map((steps) => steps[0])), Math.max(...all.map((steps) => steps.at(-1)))];
      return high - low < 6 ? { dtick: 1 } : { nticks: 6 };
    }

    // The healthy range as far as the axis reaches, with a dotted line where it begins or stops.
    function band({ info: { healthy }, log }, axis) {
      const [lowest, highest] = axis.map((end) => (log ? 10 ** end : end));
      const [y0, y1] = [Math.max(healthy.low ?? lowest, lowest), Math.min(healthy.high ?? highest, highest)];
      if (y0 >= y1) return [];
      const across = { xref: "paper", x0: 0, x1: 1, layer: "below" };
      const edges = [healthy.low, healthy.high].filter((end) => end !== null && end > lowest && end < highest);
      return [
        { ...across, type: "rect", y0, y1, fillcolor: look("--healthy"), line: { width: 0 } },
        ...edges.map((end) => ({ ...across, type: "line", y0: end, y1: end, line: { color: look("--good"), width: 1, dash: "dot" } })),
      ];
    }

    function layout(chart, drawn) {
      const span = chart.info.healthy && ends(drawn.flatMap(({ y }) => y), chart.info.healthy, chart.log);
      const font = { family: look("--sans"), size: 12, color: look("--ink-2") };
      const axis = { gridcolor: look("--grid"), zeroline: false, linecolor: look("--line"), automargin: true, exponentformat: "e" };
      return {
        uirevision: "the person's",
        margin: { l: 44, r: 10, t: 8, b: 26 },
        paper_bgcolor: "transparent",
        plot_bgcolor: "transparent",
        showlegend: false,
        font,
        hovermode: "x unified",
        hoverlabel: { bgcolor: look("--card"), bordercolor: look("--line-strong"), font: { ...font, size: 11, color: look("--ink") }, namelength: 20 },
        dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom",
        xaxis: { ...axis, ...(range ? { range: [...range], autorange: false } : { autorange: true }), tickformat: ",~d", ...ticks(chart), showspikes: false, unifiedhovertitle: { text: "step %{x:,d}" } },
        yaxis: { ...axis, type: chart.log ? "log" : "linear", ...(span ? { range: span, autorange: false } : { autorange: true }), fixedrange: true, nticks: 5 },
        shapes: span ? band(chart, span) : [],
      };
    }

    async function draw(chart) {
      const Plotly = await load();
      if (!chart.plot.isConnected || dragging) return;
      chart.dirty = false;
      const first = !chart.plot.data;
      const drawn = lines(chart);
      await Plotly.react(chart.plot, drawn, layout(chart, drawn), CONFIG);
      if (!first) return;
      chart.plot.on("plotly_relayout", (change) => {
        if ("xaxis.range[0]" in change) zoom([change["xaxis.range[0]"], change["xaxis.range[1]"]]);
        else if (change["xaxis.autorange"]) zoom(null);
      });
      chart.plot.on("plotly_hover", ({ points }) => point(points[0].x));
      chart.plot.on("plotly_unhover", () => point(null));
      chart.plot.addEventListener("pointerdown", () => (dragging = true));
      sizes.observe(chart.plot);
    }

    function drawAll() {
      for (const chart of charts.values()) {
        chart.dirty = true;
        if (chart.seen) draw(chart);
      }
    }

    function release() {
      if (!dragging) return;
      dragging = false;
      setTimeout(() => [...charts.values()].forEach((chart) => chart.dirty && chart.seen && draw(chart)));
    }

    function zoom(next) {
      range = next;
      for (const chart of charts.values()) chart.reset.hidden = !range;
      dragging = false;
      drawAll();
    }

    // The same step is marked in every chart, and its values take the place of the newest ones.
    function point(step) {
      for (const chart of charts.values()) {
        const axis = chart.plot._fullLayout?.xaxis;
        chart.cross.hidden = step === null || !chart.seen || !axis;
        if (!chart.cross.hidden) chart.cross.style.left = `${axis._offset + axis.d2p(step)}px`;
        headline(chart, step);
      }
    }

    function headline(chart, step = null) {
      const all = shown(chart.info.key);
      const parts = all.slice(0, 4).map(({ run, steps, values }) => {
        const value = values[step === null ? values.length - 1 : nearest(steps, step)];
        const dot = make("i", { style: `background:${colour(run)}`, "aria-hidden": "true" });
        const said = all.length > 1 ? make("span", { title: run.name }, dot, number(value)) : make("span", {}, number(value));
        const wrong = chart.info.healthy && missed(value, chart.info.healthy);
        if (wrong) said.append(" ", make("em", { class: "missed", title: `Healthy: ${chart.info.healthy.words}` }, wrong));
        return said;
      });
      chart.now.replaceChildren(...parts);
    }

    // ---- the parts of the page

    function add(info) {
      const id = `chart-${[...asked].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) >>> 0, 7)}-${info.key}`;
      const chart = { info, dirty: true, seen: false, log: Boolean(info.log) };
      const tool = (label, inside, onclick, more = {}) => make("button", { type: "button", "aria-label": `${label}: ${info.title}`, title: label, onclick, ...more }, inside);
      chart.now = make("div", { class: "chart-now" });
      chart.plot = make("div", { class: "chart-plot", role: "img", "aria-label": `${info.title} by step. The table below has the numbers.` });
      chart.cross = make("div", { class: "crosshair", hidden: true });
      chart.rows = make("div", { class: "table", tabindex: 0, role: "region", "aria-label": `Numbers of ${info.title}` });
      chart.table = make("details", { ontoggle: () => chart.table.open && fillTable(chart) }, make("summary", {}, "Table"), chart.rows);
      chart.reset = tool("Show all steps", drawing(ICONS.reset), () => zoom(null), { hidden: range === null });
      const scale = tool("Log scale", "log", () => {
        chart.log = !chart.log;
        scale.setAttribute("aria-pressed", String(chart.log));
        draw(chart);
      }, { "aria-pressed": String(chart.log) });
      const tools = make("div", { class: "chart-tools" }, chart.reset, scale,
        tool("Save as CSV", "csv", () => saveTable(chart)), tool("Save as PNG", drawing(ICONS.picture), () => savePicture(chart)),
        tool("Full screen", drawing(ICONS.full), () => (document.fullscreenElement ? document.exitFullscreen() : chart.card.requestFullscreen())));
      const head = make("div", { class: "chart-head" }, make("h3", { id }, info.title));
      if (info.unit) head.append(make("span", { class: "unit" }, info.unit));
      const healthy = info.healthy ? `Healthy: ${info.healthy.words}` : "";
      const help = [info.help, healthy && `${healthy}. ${info.healthy.source}.`].filter(Boolean).join(" ");
      if (help) head.append(make("button", { type: "button", class: "help", "data-tip": help, "aria-label": `${info.title}: ${help}` }, "?"));
      head.append(chart.now);
      chart.card = make("section", { class: "chart", "aria-labelledby": id, "data-metric": info.key }, head,
        make("div", { class: "chart-frame" }, chart.plot, chart.cross),
        ...(healthy ? [make("p", { class: "chart-healthy" }, healthy)] : []),
        make("div", { class: "chart-foot" }, chart.table, tools));
      charts.set(info.key, chart);
      group(info.group || "Other").append(chart.card);
      sight.observe(chart.card);
      told.replaceChildren();
      bar.hidden = false;
    }

    function group(name) {
      if (!groups.has(name)) {
        const grid = make("div", { class: "charts-grid" });
        groups.set(name, grid);
        body.append(make("section", { "aria-label": name }, make("h2", {}, name), grid));
      }
      return groups.get(name);
    }

    function showLegend() {
      legend.hidden = runs.size < 2;
      legend.replaceChildren(...[...runs].map(([id, run]) => {
        const line = drawing("M0 4h16", "0 0 16 8");
        line.style.stroke = `var(--series-${(run.color_index % 8) + 1})`;
        return make("button", { type: "button", "aria-pressed": String(!hidden.has(id)), title: run.name, onclick: ({ currentTarget }) => {
          if (!hidden.delete(id)) hidden.add(id);
          currentTarget.setAttribute("aria-pressed", String(!hidden.has(id)));
          for (const chart of charts.values()) headline(chart);
          drawAll();
        } }, line, make("span", {}, run.name));
      }));
    }

    function setWeight() {
      weight = Number(slider.value);
      output.textContent = weight.toFixed(2);
      localStorage.setItem(smoothingKey, String(weight));
      drawAll();
    }

    function say(error, hint) {
      if (error) {
        const text = make("div", {}, make("strong", {}, error), make("p", {}, hint ?? ""));
        return told.replaceChildren(make("div", { class: "notice bad", role: "alert" }, text));
      }
      if (!runs.size) return told.replaceChildren(...[1, 2].map(() => make("div", { class: "skeleton tall" })));
      const sentence = ended ? "No metrics were logged." : element.dataset.empty || "No points yet. The first one appears here the moment it is logged.";
      return told.replaceChildren(make("div", { class: "empty" }, make("p", {}, sentence)));
    }

    // ---- the numbers behind a chart

    function fillTable(chart) {
      const all = shown(chart.info.key);
      const steps = [...new Set(all.flatMap((one) => one.steps))].sort((a, b) => b - a);
      const at = all.map((one) => new Map(one.steps.map((step, index) => [step, one.values[index]])));
      const head = make("tr", {}, make("th", { scope: "col", class: "num" }, "Step"), ...all.map(({ run }) => make("th", { scope: "col", class: "num" }, run.name)));
      const rows = steps.slice(0, TABLE_ROWS).map((step) =>
        make("tr", {}, make("td", { class: "num" }, step.toLocaleString("en")), ...at.map((values) => make("td", { class: "num" }, number(values.get(step))))));
      const note = steps.length > TABLE_ROWS ? `The newest ${TABLE_ROWS} of ${steps.length.toLocaleString("en")} steps; the CSV has them all.` : "";
      chart.rows.replaceChildren(make("table", {}, make("caption", { class: "hidden" }, chart.info.title), make("thead", {}, head), make("tbody", {}, ...rows)), make("small", {}, note));
    }

    function saveTable(chart) {
      const quote = (text) => `"${String(text).replace(/^[=+@-]/, "'$&").replaceAll('"', '""')}"`;
      const rows = shown(chart.info.key).flatMap(({ run, steps, values }) => steps.map((step, index) => `${quote(run.name)},${step},${values[index] ?? ""}`));
      const file = new Blob([["run,step,value", ...rows].join("\n")], { type: "text/csv" });
      const link = make("a", { href: URL.createObjectURL(file), download: `${chart.info.key.replaceAll("/", "-")}.csv` });
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    }

    async function savePicture(chart) {
      const Plotly = await load();
      const drawn = lines(chart);
      const title = [chart.info.title, chart.info.healthy && `healthy: ${chart.info.healthy.words}`].filter(Boolean).join(", ");
      const framed = { ...layout(chart, drawn), title: { text: plain(title) }, paper_bgcolor: look("--card"), margin: { l: 60, r: 20, t: 50, b: 60 }, showlegend: runs.size > 1, legend: { orientation: "h" } };
      const data = drawn.map((line) => ({ ...line, showlegend: line.hoverinfo !== "skip" }));
      await Plotly.downloadImage({ data, layout: framed }, { format: "png", width: 1000, height: 560, scale: 2, filename: chart.info.key.replaceAll("/", "-") });
    }

    // ---- waking up

    const pulse = window.studio.pulse.join({ ask: address, hear: tick, alone: () => !cursor });
    const wake = () => pulse.look();
    const repaint = () => {
      drawAll();
      for (const chart of charts.values()) headline(chart);
    };
    document.addEventListener("studio:changed", wake);
    document.addEventListener("studio:theme", repaint);
    addEventListener("pointerup", release);
    return () => {
      pulse.leave();
      sizes.disconnect();
      sight.disconnect();
      document.removeEventListener("studio:changed", wake);
      document.removeEventListener("studio:theme", repaint);
      removeEventListener("pointerup", release);
    };
  }

  // ---- finding the boards ------------------------------------------------------------------------------

  const boards = new Map(); // element → {asked, close}

  function scan() {
    for (const [element, { asked, close }] of boards) {
      if (element.isConnected && element.dataset.charts === asked) continue;
      close();
      boards.delete(element);
    }
    for (const element of document.querySelectorAll("[data-charts]")) {
      if (!boards.has(element)) boards.set(element, { asked: element.dataset.charts, close: board(element) });
    }
  }

  scan();
  new MutationObserver(scan).observe(document.body, { childList: true, subtree: true, attributes: true, attributeFilter: ["data-charts"] });
})();
