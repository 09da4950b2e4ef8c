// What one chart draws, as Plotly wants it: the lines of runs or the means and bands of groups, the axes, the
// healthy range. Nothing here changes the page.
(() => {
  "use strict";
  const { smooth, chosen, ends, gathered, axes } = window.studio;
  const { look, colour, dash, faded, plain } = window.studio.kit;
  const SMOOTHABLE = 50; // points; fewer are drawn as they are, smoothing would bend them away from their values
  const CROWD = 5; // lines; where there are more, the raw ones behind the smoothed are only noise
  const NARROWEST = 200;

  // The lines a chart shows, of each its run, its places on the axis and, where it is smoothed, what that gives.
  function views(board, key, found) {
    return [...board.runs].flatMap(([id, run]) => {
      const points = board.hidden.has(id) ? null : found(id);
      const xs = points?.steps.length ? axes.places(board, id, points) : null;
      if (!xs) return [];
      const smoothed = board.weight > 0 && points.steps.length >= SMOOTHABLE && !board.charts.get(key).info.exact;
      return [{ id, run, ...points, xs, ys: smoothed ? smooth(points.values, board.weight) : points.values, smoothed }];
    });
  }

  // What the person tells apart: each run, or each group with the lines of its runs.
  function members(board, lines) {
    if (!board.groups.length) return lines.map((line) => ({ key: line.id, name: line.run.name, place: line.run.color_index, lines: [line] }));
    return board.groups.flatMap((group, place) => {
      const own = lines.filter(({ id }) => group.runs.includes(id));
      return own.length ? [{ key: `group ${place}`, name: group.title, place, lines: own }] : [];
    });
  }

  function lines(board, chart) {
    const width = Math.max(NARROWEST, (chart.plot.clientWidth || 400) - 54);
    const { by } = axes.unit(board);
    const trace = (member, xs, ys, most, line, more = {}) => {
      const indices = chosen(xs, ys, board.range, most);
      const common = { type: "scatter", mode: xs.length < 2 ? "markers" : "lines", name: plain(member.name), meta: member.key, hoverinfo: "skip" };
      return { ...common, x: indices.map((index) => xs[index] / by), y: indices.map((index) => ys[index]), line, marker: { color: line.color, size: 6 }, ...more };
    };
    const crowded = chart.view.length > CROWD;
    return members(board, chart.view).flatMap((member) => {
      const stroke = { color: colour(member.place), dash: dash(member.place) };
      if (board.groups.length) return groupLines(board, chart, member, stroke, trace, width);
      const [{ xs, ys, values, smoothed }] = member.lines;
      const front = trace(member, xs, ys, smoothed ? width : 2 * width, { ...stroke, width: smoothed ? 2 : 1.8 });
      if (!smoothed || crowded) return [front];
      return [trace(member, xs, values, 2 * width, { ...stroke, width: 1 }, { opacity: 0.28, showlegend: false }), front];
    });
  }

  function groupLines(board, chart, member, stroke, trace, width) {
    const { x, mean, low, high } = gathered(member.lines, board.range);
    const floor = chart.log ? low.map((value, index) => (value > 0 ? value : mean[index])) : low;
    const edge = { color: stroke.color, width: 0 };
    const quiet = { showlegend: false, mode: "lines" };
    return [
      ...(member.lines.length > 1 ? member.lines.map(({ xs, ys }) => trace(member, xs, ys, width, { ...stroke, width: 1 }, { opacity: 0.25, showlegend: false })) : []),
      trace(member, x, floor, Infinity, edge, quiet),
      trace(member, x, high, Infinity, edge, { ...quiet, fill: "tonexty", fillcolor: faded(stroke.color, 0.16) }),
      trace(member, x, mean, Infinity, { ...stroke, width: 2.2 }),
    ];
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

  // `left`: the margin beside the chart where it is known; else Plotly finds it, which lays the page out.
  function layout(board, chart, drawn, left) {
    const span = chart.info.healthy && ends(drawn.flatMap(({ y }) => y), chart.info.healthy, chart.log);
    const { by } = axes.unit(board);
    const axis = { gridcolor: look("--grid"), zeroline: false, linecolor: look("--line"), exponentformat: "e" };
    const shown = board.range?.map((end) => end / by);
    const filled = drawn.filter(({ x }) => x.length);
    const extent = shown ?? [Math.min(...filled.map(({ x }) => x[0])), Math.max(...filled.map(({ x }) => x.at(-1)))];
    return {
      uirevision: "the person's",
      margin: { l: left ?? 44, r: 10, t: 8, b: board.axis === "step" ? 26 : 40 },
      paper_bgcolor: "transparent",
      plot_bgcolor: "transparent",
      showlegend: false,
      font: { family: look("--sans"), size: 12, color: look("--ink-2") },
      hovermode: false, // chart.js points at values itself, in all charts at once
      dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom",
      xaxis: { ...axis, tickangle: 0, ...(shown ? { range: shown, autorange: false } : { autorange: true }), ...axes.ticks(board, extent) },
      yaxis: { ...axis, automargin: left === undefined, type: chart.log ? "log" : "linear", ...(span ? { range: span, autorange: false } : { autorange: true }), fixedrange: true, nticks: 5 },
      shapes: span ? band(chart, span) : [],
    };
  }

  window.studio.lines = { views, members, lines, layout };
})();
