/* Draws the figures that the server wrote into the page, in the colours of the theme.
   Each plot names its figure (a json_script); a click on a mark opens the list behind it. */
"use strict";

(() => {
  const PHONE = 480;
  const TICK = 72; // pixels that the word below a tick needs
  const LETTER = 7.4; // pixels of a capital letter
  const NAMES = 0.45; // part of the width that names at the left may take
  const CONFIG = { displayModeBar: false, responsive: false, showTips: false };

  const token = (element, name) => getComputedStyle(element).getPropertyValue(`--chart-${name}`).trim();

  /** The same colour, nearly clear: the ground under a line. */
  const faint = (hex) => `${hex}14`;

  function themedTrace(trace, element) {
    const meta = trace.meta || {};
    if (meta.colours) {
      const line = { color: token(element, "surface"), width: 1.5 };
      return { ...trace, marker: { ...trace.marker, colors: meta.colours.map((name) => token(element, name)), line } };
    }
    const colour = token(element, meta.colour || "c1");
    const themed = { ...trace, marker: { ...trace.marker, color: colour } };
    if (trace.type === "scatter") {
      themed.line = { ...trace.line, color: colour };
      themed.fillcolor = faint(colour);
    }
    if (trace.type === "bar") {
      themed.textfont = { color: token(element, "text") };
      themed.marker.cornerradius = 2;
    }
    return themed;
  }

  function themedAxis(axis, element) {
    return axis && { ...axis, gridcolor: token(element, "grid"), linecolor: token(element, "grid") };
  }

  function themedLayout(layout, element) {
    const ink = token(element, "ink");
    const themed = { ...layout, font: { ...layout.font, color: ink } };
    themed.hoverlabel = {
      bgcolor: token(element, "surface"),
      bordercolor: token(element, "grid"),
      font: { color: token(element, "text"), family: layout.font.family, size: 12 },
    };
    for (const name of ["xaxis", "yaxis"]) {
      if (layout[name]) themed[name] = themedAxis(layout[name], element);
    }
    return themed;
  }

  /** Laid out for the width there is, not shrunk: as many ticks as fit, shorter words. */
  function fittedLayout(layout, figure, element) {
    if (!layout.yaxis) return layout;
    const narrow = element.clientWidth < PHONE;
    const letters = Math.floor((element.clientWidth * NAMES) / LETTER);
    if (figure.data.some((trace) => trace.orientation === "h")) {
      return { ...layout, yaxis: shortened(layout.yaxis, figure, letters) };
    }
    const fitted = { ...layout, xaxis: { ...layout.xaxis, nticks: Math.floor(element.clientWidth / TICK) } };
    return narrow ? { ...fitted, height: 210, yaxis: { ...layout.yaxis, nticks: 5 } } : fitted;
  }

  function shortened(axis, figure, most) {
    const labels = figure.data[0].y;
    const brief = labels.map((label) => (label.length > most ? `${label.slice(0, most - 1)}…` : label));
    return { ...axis, tickmode: "array", tickvals: labels, ticktext: brief };
  }

  function draw(element, figure) {
    const layout = fittedLayout(themedLayout(figure.layout, element), figure, element);
    const traces = figure.data.map((trace) => themedTrace(trace, element));
    return window.Plotly.react(element, traces, layout, CONFIG);
  }

  /** Only addresses of our own site are opened. */
  const local = (address) => typeof address === "string" && /^\/(?!\/)/.test(address);

  function address(event) {
    const point = event.points && event.points[0];
    const data = point && point.customdata;
    return Array.isArray(data) ? data[0] : data;
  }

  function follow(element) {
    element.on("plotly_click", (event) => {
      const to = address(event);
      if (local(to)) window.location.assign(to);
    });
    element.on("plotly_hover", (event) => element.classList.toggle("is-link", local(address(event))));
    element.on("plotly_unhover", () => element.classList.remove("is-link"));
  }

  function start(element) {
    const figure = JSON.parse(document.getElementById(element.dataset.figure).textContent);
    element.hidden = false;
    draw(element, figure).then(() => {
      follow(element);
      element.dataset.drawn = "true";
    });
    return () => !element.closest("[hidden]") && draw(element, figure);
  }

  /** A chart shows its plot or its table; a ring shows both. */
  function toggles(card, redraws) {
    const button = card.querySelector("[data-chart-toggle]");
    if (!button) return;
    const plots = card.querySelectorAll("[data-figure]");
    const tables = card.querySelectorAll("[data-chart-table]");
    const show = (asTable) => {
      button.setAttribute("aria-pressed", String(asTable));
      plots.forEach((plot) => { plot.hidden = asTable; });
      tables.forEach((table) => { table.hidden = !asTable; });
      if (!asTable) redraws.forEach((redraw) => redraw());
    };
    button.hidden = false;
    button.addEventListener("click", () => show(button.getAttribute("aria-pressed") !== "true"));
    show(false);
  }

  function ready() {
    if (!window.Plotly) return;
    const redraws = [];
    document.querySelectorAll("[data-chart]").forEach((card) => {
      const own = [...card.querySelectorAll("[data-figure]")].map(start);
      toggles(card, own);
      redraws.push(...own);
    });
    const all = () => redraws.forEach((redraw) => redraw());
    new MutationObserver(all).observe(document.documentElement, { attributeFilter: ["class"] });
    let width = window.innerWidth;
    window.addEventListener("resize", () => {
      if (window.innerWidth === width) return;
      width = window.innerWidth;
      requestAnimationFrame(all);
    });
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", ready);
  else ready();
})();
