// Live charts: <div data-charts="/api/metrics?run=7">. The page's pulse (pulse.js) brings only the new points of
// every chart, until all runs are finished. Zoom, axis, legend, scale
// and smoothing belong to the person and survive every update. Plotly draws (SVG lines only). This file is the board:
// it keeps the numbers and decides when which chart is drawn. It knows nothing about what a metric means: titles,
// groups and help come from the server. chart.js is one chart; chart_lines, chart_axes, chart_marks, chart_legend
// and chart_detail are what their names say, numbers.js has the sums.
(() => {
  "use strict";
  const POINTS = 1200; // asked of the server, a series; a part that is looked at closer comes in more (chart_detail.js)
  const REMEASURED = 8; // draws of what is new, until the room for the numbers beside a chart is measured again
  const SHARE = 0.125; // of the time, for drawing what is new; above it charts take turns
  const LATER = 3000; // ms until the newest values stand above charts out of sight
  const CREDIT = 250; // ms of drawing that may be done at once
  const { make, plotly } = window.studio.kit;
  const { axes, detail, lines, marks } = window.studio;
  const one = window.studio.chart;
  const FINISHED = new Set(["succeeded", "failed", "cancelled", "paused"]);
  const CONFIG = { displayModeBar: false, modeBarButtonsToRemove: ["sendChartToCloud"], doubleClick: "autosize", showTips: false };

  function board(element) {
    const keptAs = (what) => `tunesmith-${what} ${location.pathname}`;
    const asked = element.dataset.charts;
    const every = Number(element.dataset.every ?? 1);
    const runs = new Map(); // id → {id, name, state, color_index}
    const series = new Map(); // run id → Map(metric → {steps, values, times, thinned})
    const charts = new Map(); // metric → chart, as chart.js makes it
    const sections = new Map();
    const shared = {
      asked, runs, series, charts, groups: groupsOf(element), hidden: new Set(), marks: new Map(),
      axis: "step", // what is drawn; the one wished for below follows as soon as the numbers for it are here
      marked: localStorage.getItem(keptAs("marks")) !== "off",
      weight: Number(localStorage.getItem(keptAs("smoothing")) ?? 0.6),
      range: null, place: null, lifted: null, draw, zoom, point, lift, renew,
    };
    let [cursor, dragging, ended] = ["", false, false];
    let wished = localStorage.getItem(keptAs("axis")) ?? "step";

    const legend = window.studio.legend(shared);
    const output = make("output", {}, shared.weight.toFixed(2));
    const slider = make("input", { type: "range", min: 0, max: 0.99, step: 0.01, value: shared.weight, oninput: setWeight });
    const axis = make("select", { class: "text", onchange: () => choose(axis.value) });
    const marked = make("button", { type: "button", class: "small", "aria-pressed": String(shared.marked), hidden: true, onclick: toggleMarks }, "Marks");
    const bar = make("div", { class: "charts-bar", hidden: true }, legend.element, make("div", { class: "charts-choices" }, marked,
      make("label", { class: "smoothing" }, "Axis", axis), make("label", { class: "smoothing" }, "Smoothing", slider, output)));
    const told = make("div", { "aria-live": "polite" });
    const body = make("div", { class: "charts" }, bar, told);
    const lookForMarks = marks.follow(shared, beside, () => {
      marked.hidden = ![...shared.marks.values()].some((found) => found.length);
      for (const chart of charts.values()) decorate(chart);
    });
    const details = detail.follow(shared, beside, (chart) => {
      refresh(chart);
      draw(chart);
    });
    element.replaceChildren(body);
    say();
    plotly(); // on its way while the numbers are

    const sizes = new ResizeObserver((entries) => entries.forEach(({ target }) => fit(charts.get(target.closest(".chart").dataset.metric))));
    const sight = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) {
        const chart = charts.get(target.dataset.metric);
        chart.seen = isIntersecting;
        if (!isIntersecting || !chart.dirty) continue;
        refresh(chart);
        draw(chart);
      }
      details.ask();
    }, { rootMargin: "200px" });

    function address() {
      const page = Object.fromEntries(new URLSearchParams(location.search));
      const url = new URL(window.studio.fill(asked, page), location.href);
      url.searchParams.set("points", POINTS);
      if (wished === "time") url.searchParams.set("times", 1);
      if (cursor) url.searchParams.set("after", cursor);
      return url.pathname + url.search;
    }

    // Where else something is told of the same runs.
    function beside(path, more = []) {
      const url = new URL(address(), location.href);
      for (const name of ["points", "times", "after"]) url.searchParams.delete(name);
      for (const [name, value] of more) url.searchParams.append(name, value);
      url.pathname += path;
      return url;
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
      for (const run of about) runs.set(String(run.id), run);
      for (const id of Object.keys(news)) if (!runs.has(id)) runs.set(id, { id, name: `Run ${id}`, state: "", color_index: runs.size });
      const fresh = keep(news);
      for (const info of infos) if (!charts.has(info.key)) add(info);
      if ([...fresh].some((key) => !charts.has(key))) learn();
      legend.show();
      offerAxes();
      for (const key of fresh) if (charts.has(key)) touch(charts.get(key));
      lookForMarks(cursor.split(",").map((part) => part.split(":").slice(0, 2)).join());
    }

    // Adds new points to the lines; returns the metrics that have some.
    function keep(news) {
      const fresh = new Set();
      for (const [id, metrics] of Object.entries(news)) {
        if (!series.has(id) || Object.values(metrics).some((metric) => metric.reset)) series.set(id, new Map());
        const known = series.get(id);
        for (const [key, { steps, values, times = [], thinned = false }] of Object.entries(metrics)) {
          const old = known.get(key) ?? { steps: [], values: [], times: [], thinned };
          known.set(key, old);
          old.steps.push(...steps);
          old.values.push(...values);
          old.times.push(...times);
          old.thinned ||= thinned;
          if (old.steps.length > 3 * POINTS) cursor = ""; // long on the page: let the server thin it again
          if (steps.length) fresh.add(key);
        }
      }
      return fresh;
    }

    let learning = false;
    async function learn() {
      if (learning) return;
      learning = true;
      const answer = await fetch(beside("/charts")).catch(() => null); // the next tick asks again
      for (const info of answer?.ok ? (await answer.json()).charts : []) if (!charts.has(info.key)) add(info);
      learning = false;
    }

    const lacksTimes = () => [...series.values()].some((metrics) => [...metrics.values()].some(({ steps, times }) => times.length < steps.length));

    // Everything anew, for what is held does not serve.
    function again() {
      cursor = "";
      pulse.look();
    }

    // ---- drawing

    function touch(chart) {
      if (!chart.dirty) chart.since = performance.now();
      chart.dirty = true;
      if (chart.seen || chart.table.open || !chart.view.length) refresh(chart);
      else later ||= setTimeout(catchUp, LATER);
      paint();
    }

    // Charts out of sight are read, too: by screen readers, and by whoever scrolls to them.
    let later = 0;
    function catchUp() {
      later = 0;
      for (const chart of charts.values()) if (chart.dirty && !chart.seen) refresh(chart);
    }

    // What a chart shows, worked out once for all that is done with it until something changes.
    function refresh(chart) {
      chart.view = lines.views(shared, chart.info.key, (id) => detail.spliced(series.get(id)?.get(chart.info.key), chart.detail?.series.get(id)));
      chart.members = lines.members(shared, chart.view);
      one.headline(chart, shared.place);
      if (chart.table.open) one.fillTable(shared, chart);
    }

    let [credit, counted, turn] = [CREDIT, performance.now(), 0];

    // Draws what is new, the charts that have waited longest first, in the time there is for it.
    function paint() {
      clearTimeout(turn);
      credit = Math.min(CREDIT, credit + SHARE * (performance.now() - counted));
      counted = performance.now();
      const waiting = [...charts.values()].filter((chart) => chart.dirty && chart.seen).sort((a, b) => a.since - b.since);
      if (!waiting.length || dragging) return;
      if (credit <= 0) turn = setTimeout(paint, -credit / SHARE + 1);
      else turn = setTimeout(() => drawNews(waiting[0]));
    }

    async function drawNews(chart) {
      const began = performance.now();
      await draw(chart, chart.news++ % REMEASURED ? chart.plot._fullLayout?._size.l : undefined);
      chart.cost = Math.min(performance.now() - began, 1.05 * chart.cost); // not what other programs made it take
      credit -= chart.cost;
      paint();
    }

    async function draw(chart, left) {
      const Plotly = await plotly();
      if (!chart.plot.isConnected || dragging) return;
      chart.dirty = false;
      const first = !chart.plot.data;
      const drawn = lines.lines(shared, chart);
      await Plotly.react(chart.plot, drawn, lines.layout(shared, chart, drawn, left), CONFIG);
      decorate(chart);
      if (!first) return;
      chart.plot.on("plotly_relayout", (change) => {
        const { by } = axes.unit(shared);
        if ("xaxis.range[0]" in change) zoom([change["xaxis.range[0]"] * by, change["xaxis.range[1]"] * by]);
        else if (change["xaxis.autorange"]) zoom(null);
      });
      chart.plot.addEventListener("pointerdown", ({ target }) => (dragging = Boolean(target.closest(".draglayer"))));
      sizes.observe(chart.plot);
    }

    function fit(chart) {
      const { width, height } = chart.plot._fullLayout;
      if (width === chart.plot.clientWidth && height === chart.plot.clientHeight) return;
      window.Plotly.Plots.resize(chart.plot).then(() => draw(chart)); // with as many points as the new width takes
    }

    function decorate(chart) {
      marks.draw(shared, chart);
      if (shared.lifted !== null) fade(chart);
      if (shared.place !== null) one.mark(shared, chart);
    }

    // The person changed what all charts show.
    function renew() {
      for (const chart of charts.values()) {
        chart.dirty = true;
        refresh(chart);
        if (chart.seen) draw(chart);
      }
    }

    function release() {
      if (!dragging) return;
      dragging = false;
      setTimeout(paint);
    }

    function point(place, from = null, top) {
      if (place === null && shared.place === null) return;
      shared.place = place;
      for (const chart of charts.values()) if (chart.seen) one.mark(shared, chart, from, top);
    }

    function lift(key) {
      shared.lifted = key;
      for (const chart of charts.values()) fade(chart);
    }

    function fade({ plot }) {
      for (const { uid, meta, opacity } of plot._fullData ?? []) {
        const trace = plot.querySelector(`.trace${uid}`);
        if (trace) trace.style.opacity = shared.lifted === null || shared.lifted === meta ? opacity : 0.1;
      }
    }

    // ---- zoom

    function zoom(next) {
      shared.range = next;
      dragging = false;
      for (const chart of charts.values()) {
        chart.reset.hidden = !next;
        if (!next) chart.detail = null;
      }
      renew();
      details.ask();
    }

    // ---- the parts of the page

    function add(info) {
      const chart = one.make(shared, info);
      charts.set(info.key, chart);
      section(info.group || "Other").append(chart.card);
      sight.observe(chart.card);
      told.replaceChildren();
      bar.hidden = false;
    }

    function section(name) {
      if (!sections.has(name)) {
        const grid = make("div", { class: "charts-grid" });
        sections.set(name, grid);
        body.append(make("section", { "aria-label": name }, make("h2", {}, name), grid));
      }
      return sections.get(name);
    }

    function offerAxes() {
      const offered = axes.offered(shared);
      if (axis.options.length !== offered.length) {
        axis.replaceChildren(...offered.map((each) => make("option", { value: each, selected: each === wished }, axes.NAMES[each])));
      }
      const isWaited = wished === "time" && lacksTimes();
      if (isWaited) again();
      if (!isWaited && offered.includes(wished)) turnTo(wished);
    }

    function choose(next) {
      wished = next;
      localStorage.setItem(keptAs("axis"), next);
      offerAxes();
    }

    function turnTo(next) {
      if (next === shared.axis) return;
      point(null);
      shared.axis = next;
      for (const chart of charts.values()) one.name(shared, chart);
      zoom(null);
    }

    function toggleMarks() {
      shared.marked = !shared.marked;
      localStorage.setItem(keptAs("marks"), shared.marked ? "on" : "off");
      marked.setAttribute("aria-pressed", String(shared.marked));
      for (const chart of charts.values()) decorate(chart);
    }

    function setWeight() {
      shared.weight = Number(slider.value);
      output.textContent = shared.weight.toFixed(2);
      localStorage.setItem(keptAs("smoothing"), String(shared.weight));
      renew();
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

    // ---- waking up

    const pulse = window.studio.pulse.join({ ask: address, hear: tick, alone: () => !cursor });
    const wake = () => pulse.look();
    const repaint = () => {
      for (const chart of charts.values()) chart.dirty = true;
      paint();
    };
    document.addEventListener("studio:changed", wake);
    document.addEventListener("studio:theme", repaint);
    addEventListener("pointerup", release);
    return {
      regroup() {
        shared.groups = groupsOf(element);
        legend.show();
        renew();
      },
      close() {
        pulse.leave();
        clearTimeout(turn);
        clearTimeout(later);
        details.stop();
        sizes.disconnect();
        sight.disconnect();
        document.removeEventListener("studio:changed", wake);
        document.removeEventListener("studio:theme", repaint);
        removeEventListener("pointerup", release);
      },
    };
  }

  const groupsOf = ({ dataset }) => JSON.parse(dataset.groups || "[]").map(({ title, runs }) => ({ title, runs: runs.map(String) }));

  // ---- finding the boards ------------------------------------------------------------------------------

  const boards = new Map(); // element → {asked, groups, close, regroup}

  function scan() {
    for (const [element, known] of boards) {
      if (element.isConnected && element.dataset.charts === known.asked) {
        if (element.dataset.groups !== known.groups) known.regroup();
        known.groups = element.dataset.groups;
        continue;
      }
      known.close();
      boards.delete(element);
    }
    for (const element of document.querySelectorAll("[data-charts]")) {
      if (boards.has(element)) continue;
      const { charts: asked, groups } = element.dataset;
      boards.set(element, { asked, groups, ...board(element) });
    }
  }

  scan();
  new MutationObserver(scan).observe(document.body, { childList: true, subtree: true, attributes: true, attributeFilter: ["data-charts", "data-groups"] });
})();
