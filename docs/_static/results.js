// The figures of results.md: draws the rows that are chosen, by Vega-Lite.
(() => {
  const data = JSON.parse(document.getElementById("results-data").textContent);
  const form = document.querySelector("form.results");
  const names = Object.keys(data.colours);
  const size = "datum.value >= 1048576 ? datum.value / 1048576 + ' M' : "
    + "datum.value >= 1024 ? datum.value / 1024 + ' K' : datum.value";
  const sizes = [4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26].map(power => 2 ** power);
  const steps = [-3, -2, -1, 0, 1, 2, 3, 4].flatMap(
    power => [1, 2, 5].map(step => Number(`${step}e${power}`)));
  const grid = { gridColor: data.grey, gridOpacity: 0.25 };
  const x = {
    field: "elements", type: "quantitative",
    scale: { type: "log", base: 2, nice: false, padding: 10 },
    axis: { title: "elements", values: sizes, labelExpr: size, labelOverlap: "parity", labelSeparation: 6 },
  };
  const color = {
    field: "machine", type: "nominal", legend: null,
    scale: { domain: names, range: Object.values(data.colours) },
  };
  const tooltip = [
    ...["machine", "operation", "output", "dtype"].map(field => ({ field, type: "nominal" })),
    { field: "elements", type: "quantitative", format: "," },
    { field: "fastrelu", type: "nominal" },
    { field: "other", type: "nominal", title: "fastest other" },
    { field: "faster", type: "quantitative", format: ".2f", title: "times faster" },
    { field: "time", type: "quantitative", format: ".3~g", title: "ns per element" },
    { field: "speed", type: "quantitative", format: ".1f", title: "GB/s" },
  ];

  function specification(field, values) {
    const y = {
      field, type: "quantitative", title: null,
      scale: { type: "log", base: 10, nice: false, padding: 10 },
      axis: { format: "~r", values: steps, labelOverlap: "greedy" },
    };
    const zoom = {
      name: "zoom", bind: "scales",
      select: { type: "interval", zoom: "wheel![event.ctrlKey || event.metaKey]" },
    };
    const series = { mark: { type: "line" }, encoding: { x, y, color } };
    const points = {
      mark: { type: "point", filled: true, opacity: 1, size: 50 },
      encoding: { x, y, color, tooltip },
    };
    // Wider than the mark, so that a finger meets it.
    const targets = {
      mark: { type: "point", filled: true, opacity: 0, size: 500 },
      encoding: { x, y, tooltip },
      params: [zoom],
    };
    const layer = [series, points];
    if (field === "faster") {
      const lost = { test: "datum.faster < 1" };
      points.encoding.color = { ...color, condition: { ...lost, value: data.red } };
      points.encoding.shape = { value: "circle", condition: { ...lost, value: "triangle-down" } };
      points.encoding.size = { value: 50, condition: { ...lost, value: 130 } };
      layer.unshift({
        data: { values: [{}] },
        mark: { type: "rule", color: data.grey, strokeWidth: 2 }, encoding: { y: { datum: 1 } },
      });
    } else {
      const besides = `${field} besides`;
      layer.unshift({
        transform: [{ filter: `isValid(datum["${besides}"])` }],
        mark: { type: "line", strokeDash: [5, 4], opacity: 0.8 },
        encoding: { x, y: { ...y, field: besides }, color },
      });
    }
    return {
      data: { values },
      width: "container", height: 260, background: null,
      autosize: { type: "fit-x", contains: "padding" },
      layer: [...layer, targets],
      config: {
        font: "inherit",
        view: { stroke: null },
        axis: {
          labelColor: "currentColor", titleColor: "currentColor", titleFontWeight: "normal",
          labelFontSize: 12, titleFontSize: 12, domainColor: data.grey, tickColor: data.grey,
          ...grid,
        },
      },
    };
  }

  function chosen() {
    const choice = new FormData(form);
    const machines = choice.getAll("machine");
    const threads = choice.get("threads");
    return data.rows.filter(row => machines.includes(row.machine)
      && ["operation", "output", "dtype"].every(name => row[name] === choice.get(name))
      && (threads === "fastest" ? row.fastest : row.threads === Number(threads)));
  }

  const options = { renderer: "svg", actions: false, tooltip: { theme: "custom" } };
  const drawn = {};

  async function draw() {
    const rows = chosen();
    document.querySelector(".results-none").hidden = rows.length > 0;
    for (const [field, caption] of Object.entries(data.captions)) {
      const place = document.getElementById(`results-${field}`);
      const valid = rows.filter(row => row[field] !== null);
      place.parentElement.hidden = valid.length === 0;
      drawn[field]?.finalize();
      delete drawn[field];
      if (valid.length > 0) {
        drawn[field] = await vegaEmbed(place, specification(field, valid), options);
        drawn[field].view.description(caption);
      }
    }
  }
  form.addEventListener("change", () => { window.drawn = draw(); });
  new ResizeObserver(() => window.dispatchEvent(new Event("resize"))).observe(form);
  form.addEventListener("submit", event => event.preventDefault());
  window.drawn = draw();
})();
