// A formula is a box, and a line may break on either side of it: not between it and its comma.
document.addEventListener("DOMContentLoaded", () => {
  const text = (node) => (node?.nodeType === Node.TEXT_NODE ? node : null);
  for (const formula of document.querySelectorAll("span.math")) {
    const before = text(formula.previousSibling);
    const after = text(formula.nextSibling);
    const head = before?.data.match(/\S{1,12}$/)?.[0] ?? "";
    const tail = after?.data.match(/^\S{1,12}/)?.[0] ?? "";
    if (!head && !tail) continue;
    const line = document.createElement("span");
    line.className = "nc-together";
    formula.replaceWith(line);
    line.append(head, formula, tail);
    if (head) before.data = before.data.slice(0, -head.length);
    if (tail) after.data = after.data.slice(tail.length);
  }
});

// Interactive figures follow the page's theme and width.
(() => {
  const colours = {
    light: { font: "#22272e", grid: "#d8dde3", line: "#8a8a8a" },
    dark: { font: "#e6e9ee", grid: "#454c56", line: "#9aa3ad" },
  };

  function paint() {
    if (!window.Plotly) return;
    const theme = document.documentElement.dataset.theme === "dark" ? "dark" : "light";
    const { font, grid, line } = colours[theme];
    for (const figure of document.querySelectorAll(".nc-interactive .js-plotly-plot")) {
      const change = { "font.color": font };
      const axis = (name) => {
        change[`${name}.gridcolor`] = grid;
        change[`${name}.zerolinecolor`] = line;
        change[`${name}.linecolor`] = line;
      };
      for (const name of Object.keys(figure._fullLayout || {})) {
        if (/^[xy]axis\d*$/.test(name)) axis(name);
        if (/^scene\d*$/.test(name)) ["x", "y", "z"].forEach((a) => axis(`${name}.${a}axis`));
      }
      (figure.layout.sliders || []).forEach((_, i) => {
        change[`sliders[${i}].bgcolor`] = grid;
        change[`sliders[${i}].activebgcolor`] = line;
        change[`sliders[${i}].bordercolor`] = line;
        change[`sliders[${i}].tickcolor`] = line;
      });
      window.Plotly.relayout(figure, change);
    }
  }

  window.addEventListener("load", paint);
  new MutationObserver(paint).observe(document.documentElement, {
    attributes: true,
    attributeFilter: ["data-theme"],
  });
})();
