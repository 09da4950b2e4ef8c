// Notes when each step of the loss is first drawn: window.drawn is {step: milliseconds since 1970}. Looks once a frame,
// at what Plotly has on the page.
(() => {
  window.drawn = {};
  const look = () => {
    const plot = document.querySelector('[data-metric="loss"] .js-plotly-plot');
    for (const step of plot?._fullLayout ? (plot.data?.[0]?.x ?? []) : []) window.drawn[step] ??= Date.now();
    requestAnimationFrame(look);
  };
  look();
})();
