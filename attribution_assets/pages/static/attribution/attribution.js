// What scripts add to pages that work without them: charts by day, and tables that sort by a column.
"use strict";

function draw(figure) {
  figure.querySelector(".note").remove();
  const chart = JSON.parse(document.getElementById(figure.dataset.chart).textContent);
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const days = chart.days.map((day) => Date.parse(`${day}T00:00:00Z`) / 1000);
  const provisional = chart.provisional_from ? Date.parse(`${chart.provisional_from}T00:00:00Z`) / 1000 : null;
  const axis = { stroke: colour("--soft"), grid: { stroke: colour("--line") }, ticks: { stroke: colour("--line") } };
  const shade = (plot) => {
    if (provisional === null) return;
    const left = Math.max(plot.valToPos(provisional, "x", true), plot.bbox.left);
    plot.ctx.fillStyle = colour("--warn-ground");
    plot.ctx.fillRect(left, plot.bbox.top, plot.bbox.left + plot.bbox.width - left, plot.bbox.height);
  };
  const plot = new uPlot({
    width: figure.clientWidth, height: 240, tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
    hooks: { drawClear: [shade] },
    scales: { y: { range: (_, low, high) => [Math.min(0, low), high > 0 ? high * 1.05 : 1] } },
    axes: [
      { ...axis, values: (_, seconds) => seconds.map((second) => new Date(second * 1000).toISOString().slice(5, 10)) },
      { ...axis, size: 70 },
    ],
    series: [{ label: "day", value: "{YYYY}-{MM}-{DD}" }, ...chart.series.map((series, place) => ({
      label: series.name, width: 2, stroke: colour(place ? "--second" : "--first"), dash: place ? [6, 4] : undefined,
      value: (_, value) => value == null ? "–" : value.toLocaleString("en", { maximumFractionDigits: 2 }),
    }))],
  }, [days, ...chart.series.map((series) => series.values)], figure);
  addEventListener("resize", () => plot.setSize({ width: figure.clientWidth, height: 240 }));
}

function sortable(table) {
  table.querySelectorAll("thead th").forEach((heading, place) => {
    const button = document.createElement("button");
    button.textContent = heading.textContent;
    heading.replaceChildren(button);
    button.addEventListener("click", () => {
      const falls = heading.getAttribute("aria-sort") === "descending" ? 1 : -1;
      const value = (row) => row.cells[place].dataset.value ?? row.cells[place].textContent;
      const isNumber = heading.classList.contains("number");
      const order = (one, other) => {
        const [a, b] = [value(one), value(other)];
        if (!isNumber) return falls * a.localeCompare(b);
        return (a === "") - (b === "") || falls * (Number(a) - Number(b));
      };
      table.tBodies[0].append(...[...table.tBodies[0].rows].sort(order));
      table.querySelectorAll("th").forEach((other) => other.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", falls === 1 ? "ascending" : "descending");
    });
  });
}

document.querySelectorAll("figure.chart").forEach(draw);
document.querySelectorAll("table").forEach(sortable);
