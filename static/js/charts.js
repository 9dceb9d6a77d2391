// Draws every <canvas data-chart="id"> from the JSON script block of that id (see donna_skills/charts.py), with the
// colours of tokens.css, and again when the theme changes. The numbers stand below as a table, so nothing is lost here.
(() => {
  "use strict";

  const FORMATS = {
    usd: (value) => (value !== 0 && Math.abs(value) < 0.1 ? `$${value.toFixed(4)}` : `$${value.toFixed(2)}`),
    rate: (value) => value.toFixed(2),
    count: (value) => value.toLocaleString("en-GB"),
  };
  const drawn = new Map();

  // A token may be light-dark(…) or another token: only an element that wears it knows the colour.
  const colours = () => {
    const probe = document.createElement("span");
    probe.hidden = true;
    document.body.append(probe);
    const of = (token) => {
      probe.style.color = `var(--${token})`;
      return getComputedStyle(probe).color;
    };
    const found = { text: of("text-muted"), line: of("line"), ground: of("ground-raised"), accent: of("accent") };
    for (const tone of ["grey", "blue", "violet", "teal", "green", "amber", "red"]) found[tone] = of(`${tone}-tone`);
    probe.remove();
    return found;
  };

  const faint = (colour) => colour.replace(/^rgb\((.+)\)$/, "rgba($1, 0.16)");

  const seriesOf = (spec, palette) =>
    spec.series.flatMap((series) => {
      const colour = palette[series.tone] ?? palette.accent;
      const bars = spec.kind === "bar";
      const line = {
        label: series.label,
        data: series.values,
        borderColor: bars ? palette.ground : colour,
        backgroundColor: colour,
        borderWidth: bars ? { top: 1 } : 2,
        maxBarThickness: 28,
        pointRadius: series.values.length > 40 ? 0 : 2,
        spanGaps: false,
      };
      if (!series.lower.length) return [line];
      const edge = { borderWidth: 0, pointRadius: 0, pointHitRadius: 0, backgroundColor: faint(colour), hidden: false };
      return [
        line,
        { ...edge, label: `${series.label}, lower end`, data: series.lower, band: true },
        { ...edge, label: `${series.label}, upper end`, data: series.upper, band: true, fill: "-1" },
      ];
    });

  const levelsOf = (spec, palette) =>
    spec.levels.map((level) => ({
      type: "line",
      label: level.label,
      data: spec.labels.map(() => level.value),
      borderColor: palette[level.tone] ?? palette.text,
      backgroundColor: palette[level.tone] ?? palette.text,
      borderWidth: 1.5,
      borderDash: [6, 4],
      pointRadius: 0,
      stack: level.label,
    }));

  const marks = (spec, palette) => ({
    id: "marks",
    afterDatasetsDraw: ({ ctx, chartArea, scales }) => {
      ctx.save();
      ctx.strokeStyle = palette.line;
      ctx.fillStyle = palette.text;
      ctx.font = "12px system-ui, sans-serif";
      for (const mark of spec.marks) {
        const x = scales.x.getPixelForValue(mark.at);
        ctx.beginPath();
        ctx.moveTo(x, chartArea.top);
        ctx.lineTo(x, chartArea.bottom);
        ctx.stroke();
        ctx.fillText(mark.label, x + 4, chartArea.top + 12);
      }
      ctx.restore();
    },
  });

  const draw = (canvas) => {
    const spec = JSON.parse(document.getElementById(canvas.dataset.chart).textContent);
    const palette = colours();
    const format = FORMATS[spec.unit];
    const several = spec.series.length + spec.levels.length > 1;
    const axis = { grid: { color: palette.line }, border: { color: palette.line }, ticks: { color: palette.text } };
    drawn.get(canvas)?.destroy();
    drawn.set(
      canvas,
      new Chart(canvas, {
        type: spec.kind,
        data: { labels: spec.labels, datasets: [...seriesOf(spec, palette), ...levelsOf(spec, palette)] },
        options: {
          animation: false,
          maintainAspectRatio: false,
          interaction: { mode: "index", intersect: false },
          plugins: {
            legend: {
              display: several,
              position: "bottom",
              align: "start",
              labels: { color: palette.text, boxWidth: 12, boxHeight: 12, filter: (item, data) => !data.datasets[item.datasetIndex].band },
            },
            tooltip: { callbacks: { label: ({ dataset, parsed }) => `${dataset.label}: ${format(parsed.y)}` } },
          },
          scales: {
            x: { ...axis, stacked: spec.stacked, grid: { display: false }, ticks: { ...axis.ticks, maxRotation: 0, autoSkipPadding: 12 } },
            y: {
              ...axis,
              stacked: spec.stacked,
              beginAtZero: spec.unit !== "rate",
              max: spec.unit === "rate" ? 1 : undefined,
              ticks: { ...axis.ticks, callback: (value) => format(value) },
            },
          },
        },
        plugins: [marks(spec, palette)],
      }),
    );
    canvas.dataset.drawn = "true";
  };

  const drawAll = () => {
    for (const canvas of [...drawn.keys()]) {
      if (!canvas.isConnected) {
        drawn.get(canvas).destroy();
        drawn.delete(canvas);
      }
    }
    document.querySelectorAll("canvas[data-chart]").forEach(draw);
  };

  drawAll();
  document.addEventListener("htmx:afterSettle", drawAll);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  new MutationObserver(drawAll).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
})();
