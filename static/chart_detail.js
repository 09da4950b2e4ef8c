// All points of the part of a board that is zoomed to, for the charts in sight of which the page has only some.
// They are kept until the zoom changes, and live points go on to arrive behind them.
(() => {
  "use strict";
  const { axes } = window.studio;
  const POINTS = 2000; // asked of the server, a series
  const STILL = 200; // ms without another zoom until its points are asked for

  function follow(board, beside, arrived) {
    let waiting = 0;

    function ask() {
      clearTimeout(waiting);
      if (board.range) waiting = setTimeout(fetchAll, STILL);
    }

    async function fetchAll() {
      const range = board.range;
      const seen = range ? [...board.charts.values()].filter(({ seen: inSight }) => inSight) : [];
      const part = seen.length && axes.steps(board, seen.flatMap(({ view }) => view));
      const wanted = part ? seen.filter((chart) => lacks(chart, ...part)) : [];
      if (!wanted.length) return;
      const [low, high] = part;
      const times = board.axis === "time" ? [["times", 1]] : [];
      const keys = wanted.map(({ info }) => ["key", info.key]);
      const answer = await fetch(beside("", [["low", low], ["high", high], ["points", POINTS], ...times, ...keys])).catch(() => null);
      if (!answer?.ok) return; // what is held stays drawn
      const { series } = await answer.json();
      if (range !== board.range) return;
      for (const chart of wanted) {
        const parts = Object.entries(series).flatMap(([id, { [chart.info.key]: found }]) => (found ? [[id, { times: [], ...found }]] : []));
        chart.detail = { low, high, series: new Map(parts) };
        arrived(chart);
      }
    }

    function lacks({ info, detail }, low, high) {
      if (![...board.series.values()].some((metrics) => metrics.get(info.key)?.thinned)) return false;
      if (!detail) return true;
      if (detail.low === low && detail.high === high) return false;
      return detail.low > low || detail.high < high || [...detail.series.values()].some(({ thinned }) => thinned);
    }

    return { ask, stop: () => clearTimeout(waiting) };
  }

  // A run's points, with those of the detail in the place of the held ones.
  function spliced(held, part) {
    if (!held || !part?.steps.length) return held;
    const [low, high] = [part.steps[0], part.steps.at(-1)];
    let [from, to] = [0, held.steps.length];
    while (from < to && held.steps[from] < low) from += 1;
    while (to > from && held.steps[to - 1] > high) to -= 1;
    const both = (name) => [...held[name].slice(0, from), ...part[name], ...held[name].slice(to)];
    return { steps: both("steps"), values: both("values"), times: both("times"), thinned: part.thinned };
  }

  window.studio.detail = { follow, spliced };
})();
