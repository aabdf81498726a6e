// Charts of history: draws what `[data-chart]` holds, in the colours of the tokens. The range below
// it walks through the points (arrow keys, a thumb) and says their values in words; the legend's
// buttons hide and show series. What is swapped in is drawn, too. Without this script the table
// under the chart tells the same.
(() => {
  const charts = new Map();
  const still = window.matchMedia("(prefers-reduced-motion: reduce)");
  const DASHES = { sell: [6, 3], buy: [2, 3], battery: [10, 3, 2, 3], soc: [2, 4] };
  const TOKENS = { soc: "--battery", charge: "--battery", discharge: "--battery-mark" };

  const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const colourOf = (role) => token(TOKENS[role] ?? `--${role}-mark`);

  const words = (data, one, value) => {
    if (value === null) return `${one.label} ${data.unknown}`;
    const percent = one.axis === "percent";
    // what stands below zero in a stack is no negative energy
    const shown = data.kind === "bars" ? Math.abs(value) : value;
    return `${one.label} ${percent ? shown : shown.toFixed(1)} ${percent ? "%" : data.unit}`;
  };

  const coloursOf = (data, { role }) => ({
    // the parts of a stack are told apart by a line of ground between them
    borderColor: data.kind === "lines" ? colourOf(role) : token("--surface"),
    backgroundColor: isFilled(data, role) ? token(`--${role}-soft`) : colourOf(role),
  });

  const isFilled = (data, role) => data.kind === "lines" && role === "pv";

  const datasetOf = (data, one) => {
    const lines = data.kind === "lines";
    return {
      ...coloursOf(data, one),
      label: one.label,
      data: one.values,
      yAxisID: one.axis,
      stack: lines ? undefined : "all",
      borderWidth: lines ? 2 : { top: 1 },
      borderDash: lines ? (DASHES[one.role] ?? []) : undefined,
      pointRadius: 0,
      pointHitRadius: 12,
      spanGaps: false,
      order: one.role === "pv" ? 1 : 0,
      fill: isFilled(data, one.role) ? "origin" : false,
    };
  };

  // every third hour; every sixth, where there is no room
  const hours = {
    maxRotation: 0,
    autoSkip: false,
    callback(_value, index) {
      const [hour, minute] = this.chart.data.labels[index].split(":").map(Number);
      return minute === 0 && hour % (this.chart.width < 600 ? 6 : 3) === 0 ? `${hour}:00` : null;
    },
  };

  const optionsOf = (data) => ({
    responsive: true,
    maintainAspectRatio: false,
    animation: still.matches ? false : { duration: 250 },
    interaction: { mode: "index", intersect: false },
    plugins: {
      legend: { display: false },
      colors: { enabled: false },
      tooltip: {
        callbacks: {
          label: (item) => words(data, data.series[item.datasetIndex], item.raw),
        },
      },
    },
    scales: {
      x: {
        stacked: data.kind === "bars",
        ticks: data.kind === "bars" || data.ticks === "auto" ? { maxRotation: 0, autoSkipPadding: 12 } : hours,
        grid: { display: false },
      },
      energy: {
        stacked: data.kind === "bars",
        // a line of use tells its size by its height
        suggestedMin: 0,
        title: { display: true, text: data.unit },
        ticks: { callback: (value) => (data.kind === "bars" ? Math.abs(value) : value) },
      },
      ...(data.series.some((one) => one.axis === "percent") && {
        percent: {
          position: "right",
          min: 0,
          max: 100,
          title: { display: true, text: "%" },
          grid: { drawOnChartArea: false },
        },
      }),
    },
  });

  const paint = (chart, data) => {
    const ink = token("--ink-soft");
    chart.data.datasets.forEach((dataset, place) => Object.assign(dataset, coloursOf(data, data.series[place])));
    for (const scale of Object.values(chart.options.scales)) {
      scale.ticks.color = ink;
      scale.grid.color = token("--line");
      if (scale.title) scale.title.color = ink;
    }
    chart.update("none");
  };

  const draw = (figure) => {
    const data = JSON.parse(figure.dataset.chart);
    figure.dataset.kind = data.kind;
    figure.hidden = false;
    const chart = new Chart(figure.querySelector("canvas"), {
      type: data.kind === "lines" ? "line" : "bar",
      data: { labels: data.labels, datasets: data.series.map((one) => datasetOf(data, one)) },
      options: optionsOf(data),
    });
    charts.set(figure, { chart, data });
    paint(chart, data);

    const range = figure.querySelector('input[type="range"]');
    const now = figure.querySelector("output");
    const tell = () => {
      const index = Number(range.value);
      const shown = data.series
        .map((one, datasetIndex) => ({ one, datasetIndex, index }))
        .filter(({ datasetIndex }) => chart.isDatasetVisible(datasetIndex));
      const told = shown.map(({ one }) => words(data, one, one.values[index]));
      range.setAttribute("aria-valuetext", data.labels[index]);
      now.textContent = [data.labels[index], ...told].join(" · ");
      return shown.filter(({ one }) => one.values[index] !== null);
    };
    // begins with the newest values
    range.value = data.labels.findLastIndex((_label, index) => data.series.some((one) => one.values[index] !== null));
    tell();
    range.addEventListener("input", () => {
      const known = tell();
      chart.setActiveElements(known);
      chart.tooltip.setActiveElements(known, { x: 0, y: 0 });
      chart.update("none");
    });
    for (const button of figure.querySelectorAll("[data-series]")) {
      button.addEventListener("click", () => {
        const place = Number(button.dataset.series);
        const visible = !chart.isDatasetVisible(place);
        chart.setDatasetVisibility(place, visible);
        button.setAttribute("aria-pressed", String(visible));
        chart.update();
      });
    }
  };

  const look = () => {
    for (const [figure, { chart }] of charts) {
      if (figure.isConnected) continue;
      chart.destroy();
      charts.delete(figure);
    }
    for (const figure of document.querySelectorAll("[data-chart]")) {
      if (!charts.has(figure)) draw(figure);
    }
  };

  const repaint = () => {
    for (const { chart, data } of charts.values()) {
      chart.resize();
      paint(chart, data);
    }
  };
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
  // paper is white, and narrower than the screen
  window.matchMedia("print").addEventListener("change", repaint);

  look();
  new MutationObserver(look).observe(document.body, { childList: true, subtree: true });
})();
