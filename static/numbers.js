// Sums for the charts: smoothing, thinning, finding a place, the mean of several lines, writing a number, healthy
// ranges. No page, no drawing.
(() => {
  "use strict";

  // Four significant digits, as app/parts/words.py writes them.
  function number(value) {
    if (value === null || value === undefined) return "–";
    const size = Math.abs(value);
    if (value === 0) return "0";
    if (size < 0.001 || size >= 1e9) return value.toExponential(2).replace(/\.?0+e/, "e").replace("e+", "e").replace("-", "−");
    const digits = Math.max(0, 3 - Math.floor(Math.log10(size)));
    const text = value.toLocaleString("en", { minimumFractionDigits: Number.isInteger(value) ? 0 : digits, maximumFractionDigits: digits });
    return text.replace(/^-/, "−");
  }

  // Exponential moving average without the pull towards zero at the start; gaps stay gaps. Above 200 points the
  // weight grows with their number, so that a setting looks alike on short and long runs.
  function smooth(values, setting) {
    const weight = setting ** Math.min(1, 200 / values.length);
    let [sum, mass] = [0, 0];
    return values.map((value) => {
      if (value === null) return null;
      sum = sum * weight + (1 - weight) * value;
      mass = mass * weight + (1 - weight);
      return sum / mass;
    });
  }

  // Indices of the points inside `range` and one beside it, at most `most`: lowest and highest of each bucket.
  function chosen(steps, values, range, most) {
    let from = 0;
    let to = steps.length;
    if (range) {
      while (from < to - 1 && steps[from + 1] < range[0]) from += 1;
      while (to > from + 1 && steps[to - 2] > range[1]) to -= 1;
    }
    if (to - from <= most) return Array.from({ length: to - from }, (_, index) => from + index);
    const picked = [from];
    const width = (to - from) / (most / 2);
    for (let start = from; start < to; start += width) {
      let [low, high] = [-1, -1];
      for (let index = Math.floor(start); index < Math.min(to, Math.floor(start + width)); index += 1) {
        if (values[index] === null) continue;
        if (low < 0 || values[index] < values[low]) low = index;
        if (high < 0 || values[index] > values[high]) high = index;
      }
      if (low >= 0) picked.push(...(low < high ? [low, high] : low === high ? [low] : [high, low]));
    }
    picked.push(to - 1);
    return picked.filter((index, place) => place === 0 || index > picked[place - 1]);
  }

  function nearest(steps, step) {
    let [low, high] = [0, steps.length - 1];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (steps[middle] <= step) low = middle;
      else high = middle;
    }
    return Math.abs(steps[high] - step) < Math.abs(steps[low] - step) ? high : low;
  }

  // Both ends of an axis that `values` fill (their powers of ten where it is logarithmic); an end of the healthy
  // range is on it only if it lies near them, for else a far one would press the curve flat. Null without values.
  function ends(values, healthy, isLog) {
    const placed = (numbers) => numbers.filter((value) => Number.isFinite(value) && (!isLog || value > 0)).map(isLog ? Math.log10 : Number);
    const points = placed(values);
    if (!points.length) return null;
    const [low, high] = [Math.min(...points), Math.max(...points)];
    const reach = (high - low) / 2;
    const near = placed([healthy.low, healthy.high]).filter((end) => end >= low - reach && end <= high + reach);
    const [bottom, top] = [Math.min(low, ...near), Math.max(high, ...near)];
    const room = 0.06 * (top - bottom || Math.abs(top) || 1);
    return [bottom - room, top + room];
  }

  // What a line says at `places`, which are in order as its own are: on the straight way between its points,
  // null beyond its ends.
  function interpolated(xs, values, places) {
    const known = xs.flatMap((_, index) => (Number.isFinite(values[index]) ? [index] : []));
    let at = 0;
    return places.map((place) => {
      if (!known.length || place < xs[known[0]] || place > xs[known.at(-1)]) return null;
      while (at < known.length - 2 && xs[known[at + 1]] < place) at += 1;
      const [left, right] = [known[at], known[Math.min(at + 1, known.length - 1)]];
      const width = xs[right] - xs[left];
      const share = width ? (place - xs[left]) / width : 0;
      return values[left] + share * (values[right] - values[left]);
    });
  }

  // The places where lines are compared: those of all their points, or `most` evenly spaced ones.
  function grid(lines, range, most) {
    const ends = lines.flatMap(({ xs }) => [xs[0], xs.at(-1)]);
    const [low, high] = [Math.max(Math.min(...ends), range?.[0] ?? -Infinity), Math.min(Math.max(...ends), range?.[1] ?? Infinity)];
    const own = [...new Set(lines.flatMap(({ xs }) => xs))].filter((x) => x >= low && x <= high).sort((a, b) => a - b);
    if (own.length <= most) return own;
    return Array.from({ length: most }, (_, index) => low + ((high - low) * index) / (most - 1));
  }

  // The mean of lines {xs, ys} and a band around it: one standard deviation to either side where there are three
  // or more, from the lowest to the highest where there are two.
  function gathered(lines, range = null, most = 240) {
    const x = grid(lines, range, most);
    const read = lines.map(({ xs, ys }) => interpolated(xs, ys, x));
    const [mean, low, high] = [[], [], []];
    for (let index = 0; index < x.length; index += 1) {
      const values = read.map((line) => line[index]).filter((value) => value !== null);
      const middle = values.length ? values.reduce((sum, value) => sum + value, 0) / values.length : null;
      mean.push(middle);
      if (lines.length < 3 || values.length < 2) {
        low.push(values.length ? Math.min(...values) : null);
        high.push(values.length ? Math.max(...values) : null);
      } else {
        const spread = Math.sqrt(values.reduce((sum, value) => sum + (value - middle) ** 2, 0) / (values.length - 1));
        low.push(middle - spread);
        high.push(middle + spread);
      }
    }
    return { x, mean, low, high };
  }

  function missed(value, { low, high }) {
    if (!Number.isFinite(value)) return "";
    if (low !== null && value < low) return "too low";
    return high !== null && value > high ? "too high" : "";
  }

  Object.assign(window.studio, { number, smooth, chosen, nearest, ends, interpolated, gathered, missed });
})();
