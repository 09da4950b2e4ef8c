// What charts are made with: elements, colours of the theme, and Plotly once it is needed.
(() => {
  "use strict";
  const PLOTLY = document.currentScript.dataset.plotly;
  const known = new Map(); // of the theme's colours; looking one up makes the browser work out styles anew

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

  function look(name) {
    if (!known.has(name)) known.set(name, getComputedStyle(document.documentElement).getPropertyValue(name).trim());
    return known.get(name);
  }

  const series = (place) => `--series-${(place % 8) + 1}`;
  const colour = (place) => look(series(place));
  const dash = (place) => ["solid", "dash", "dot", "dashdot"][Math.floor(place / 8) % 4];
  const strokes = (place) => ["", "5 3", "2 2", "5 2 1 2"][Math.floor(place / 8) % 4];
  const faded = (hex, share) => hex + Math.round(255 * share).toString(16).padStart(2, "0");
  const plain = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;"); // Plotly reads tags in names

  // A short piece of the line that a run or a group is drawn with.
  function swatch(place) {
    const line = drawing("M0 4h16", "0 0 16 8");
    line.style.stroke = `var(${series(place)})`;
    line.style.strokeDasharray = strokes(place);
    return line;
  }

  let loading;
  function plotly() {
    loading ??= new Promise((resolve) => {
      const fetchIt = () => {
        const script = make("script", { src: PLOTLY });
        script.onload = () => resolve(window.Plotly);
        script.onerror = () => setTimeout(fetchIt, 2000); // the studio does not answer now
        document.head.append(script);
      };
      fetchIt();
    });
    return loading;
  }

  document.addEventListener("studio:theme", () => known.clear());
  window.studio.kit = { make, drawing, look, series, colour, dash, faded, plain, swatch, plotly };
})();
