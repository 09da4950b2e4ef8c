// What lies along the bottom of the charts: steps, time since the run began to log, or tokens seen. Places are in
// steps, seconds and tokens; `by` and `word` say in which unit they are drawn.
(() => {
  "use strict";
  const { interpolated, number } = window.studio;
  const TOKENS = ["num_tokens", "num_input_tokens_seen"]; // what trainers log it as
  const NAMES = { step: "Steps", time: "Time", tokens: "Tokens" };

  const seen = (metrics) => TOKENS.map((key) => metrics?.get(key)).find((points) => points?.steps.length);

  // The axes there are something for.
  function offered({ series }) {
    return ["step", "time", ...([...series.values()].some(seen) ? ["tokens"] : [])];
  }

  function began(metrics) {
    return Math.min(...[...metrics.values()].map(({ times }) => times?.[0] ?? Infinity));
  }

  // Where the points of a run's line lie, null where that is not known.
  function places({ axis, series }, id, { steps, times }) {
    if (axis === "step") return steps;
    const metrics = series.get(id);
    if (axis === "time") {
      if (times?.length !== steps.length) return null;
      const start = began(metrics);
      return times.map((time) => time - start);
    }
    const tokens = seen(metrics);
    if (!tokens) return null;
    const [xs, values] = [[0, ...tokens.steps], [0, ...tokens.values]];
    const last = values.at(-1);
    return interpolated(xs, values, steps).map((value) => value ?? last);
  }

  // Where steps lie of which no point may be known: between those of all of a run's lines.
  function at(board, id, wanted) {
    if (board.axis === "step") return wanted;
    const longest = [...(board.series.get(id)?.values() ?? [])].sort((a, b) => b.steps.length - a.steps.length)[0];
    const xs = longest && places(board, id, longest);
    if (!xs) return null;
    return wanted.map((step) => (step >= longest.steps.at(-1) ? xs.at(-1) : interpolated(longest.steps, xs, [Math.max(step, longest.steps[0])])[0]));
  }

  // The steps that lie in a range of the axis, with one more at either end.
  function steps({ axis, range }, lines) {
    if (axis === "step") return [Math.floor(range[0]), Math.ceil(range[1])];
    const ends = lines.flatMap(({ xs, steps: own }) => {
      const inside = own.filter((_, index) => xs[Math.min(index + 1, xs.length - 1)] >= range[0] && xs[Math.max(index - 1, 0)] <= range[1]);
      return inside.length ? [inside[0], inside.at(-1)] : [];
    });
    return ends.length ? [Math.min(...ends), Math.max(...ends)] : null;
  }

  function unit({ axis, series }) {
    if (axis !== "time") return { by: 1, word: axis === "step" ? "step" : "tokens" };
    const spans = [...series.values()].map((metrics) => Math.max(...[...metrics.values()].map(({ times }) => times?.at(-1) ?? 0)) - began(metrics));
    const longest = Math.max(0, ...spans.filter(Number.isFinite));
    if (longest < 180) return { by: 1, word: "s" };
    return longest < 3 * 3600 ? { by: 60, word: "min" } : { by: 3600, word: "h" };
  }

  // Steps are whole: over a few of them every one has its tick, or half steps would be rounded and said twice.
  function ticks(board, [low, high]) {
    const title = (text) => ({ text, standoff: 4, font: { size: 11 } });
    if (board.axis === "step") return { tickformat: ",~d", ...(high - low < 6 ? { dtick: 1 } : { nticks: 6 }) };
    if (board.axis === "tokens") return { tickformat: "~s", nticks: 6, title: title("tokens seen") };
    const words = { s: "seconds", min: "minutes", h: "hours" }[unit(board).word];
    return { nticks: 6, title: title(`${words} since the first point`) };
  }

  // A place in words.
  function said(board, place) {
    if (board.axis === "step") return `step ${Math.round(place).toLocaleString("en")}`;
    if (board.axis === "tokens") return `${Math.round(place).toLocaleString("en")} tokens`;
    const { by, word } = unit(board);
    return `${number(Number((place / by).toFixed(2)))} ${word}`;
  }

  window.studio.axes = { NAMES, offered, places, at, steps, unit, ticks, said };
})();
