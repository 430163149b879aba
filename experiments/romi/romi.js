// Draws one measure against spend; the point nearest to the pointer (or chosen by arrow keys) shows its plan.
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const chart = document.getElementById("chart"), plan = document.getElementById("plan");
  const rows = data.rows.filter((row) => row.spend[0] !== null);
  const money = (x) => (x === null ? "–" : x.toLocaleString("en", { minimumFractionDigits: Math.abs(x) >= 1000 ? 0 : 2, maximumFractionDigits: Math.abs(x) >= 1000 ? 0 : Math.abs(x) >= 0.1 ? 2 : 4 }).replace("-", "\u2212") + " " + data.currency);
  const share = (x) => (x === null ? "–" : (x > 0 ? "+" : "") + (100 * x).toLocaleString("en", { maximumFractionDigits: 0 }).replace("-", "\u2212") + " %");
  const plain = (x) => (x === null ? "–" : x.toLocaleString("en", { maximumFractionDigits: x < 100 ? 2 : 0 }));
  const MEASURES = [
    ["incremental_value", "Incremental value", `incremental value (${data.currency})`, 1, plain],
    ["romi", "ROMI", "ROMI (0 % = break-even)", 3, share],
    ["marginal_romi", "Marginal ROMI", "ROMI of the next unit spent", 4, share],
    ["profit", "Profit", `profit after the ads (${data.currency})`, 2, plain],
  ];
  const box = { left: 86, right: 690, top: 14, bottom: 372 };
  let measure = MEASURES[0], chosen = Math.max(0, rows.findIndex((row) => row.current)), spots = [];
  const make = (name, attributes, text) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    if (text !== undefined) node.textContent = text;
    chart.append(node);
    return node;
  };
  const ticks = (low, high) => {
    const rough = (high - low) / 5, unit = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((k) => k * unit).find((size) => size >= rough);
    const found = [];
    for (let t = Math.ceil(low / step) * step; t <= high + step * 1e-9; t += step) found.push(Math.abs(t) < step * 1e-9 ? 0 : t);
    return found;
  };
  const draw = () => {
    chart.replaceChildren();
    const [key, , axis, column, format] = measure;
    const known = rows.filter((row) => row[key][0] !== null);
    if (!known.length) { make("text", { x: 350, y: 200, "text-anchor": "middle" }, "Nothing was bought: there is no return to draw."); return; }
    const means = known.map((row) => row[key][0]).sort((a, b) => a - b);
    const most = means[Math.floor(0.95 * (means.length - 1))];
    let low = Math.min(0, means[0]), high = Math.max(means[means.length - 1] > 3 * Math.abs(most) ? most : means[means.length - 1], 0);
    const pad = 0.12 * (high - low || 1);
    high += pad; if (low < 0) low -= pad;
    const far = Math.max(...rows.map((row) => row.spend[0])) * 1.03 || 1;
    const x = (s) => box.left + (s / far) * (box.right - box.left);
    const y = (v) => box.bottom - ((Math.min(Math.max(v, low), high) - low) / (high - low)) * (box.bottom - box.top);
    for (const t of ticks(low, high)) {
      make("line", { x1: box.left, x2: box.right, y1: y(t), y2: y(t), class: t === 0 ? "zero" : "tick" });
      make("text", { x: box.left - 8, y: y(t) + 5, "text-anchor": "end" }, format(t));
    }
    for (const t of ticks(0, far)) make("text", { x: x(t), y: box.bottom + 22, "text-anchor": "middle" }, plain(t));
    make("text", { x: (box.left + box.right) / 2, y: box.bottom + 46, "text-anchor": "middle" }, `spend (${data.currency})`);
    make("text", { x: 16, y: (box.top + box.bottom) / 2, "text-anchor": "middle", transform: `rotate(-90 16 ${(box.top + box.bottom) / 2})` }, axis);
    const banded = known.filter((row) => row[key][1] !== null);
    if (banded.length > 1) {
      const up = banded.map((row) => `${x(row.spend[0])},${y(row[key][2])}`), down = banded.map((row) => `${x(row.spend[0])},${y(row[key][1])}`).reverse();
      make("polygon", { points: [...up, ...down].join(" "), class: "band" });
    }
    if (data.fit.length) {
      const first = known[0].spend[0] * 0.8;
      make("polyline", { points: data.fit.filter((at) => at[0] >= first || column < 3).map((at) => `${x(at[0])},${y(at[column])}`).join(" "), class: "line" });
    }
    if (data.optimum) make("line", { x1: x(data.optimum), x2: x(data.optimum), y1: box.top, y2: box.bottom, class: "best" });
    spots = rows.map((row) => [x(row.spend[0]), row[key][0] === null ? box.bottom : y(row[key][0])]);
    rows.forEach((row, k) => {
      if (row[key][0] === null) return;
      make("circle", { cx: spots[k][0], cy: spots[k][1], r: k === chosen ? 7 : 5, class: k === chosen ? "point on" : "point" });
      if (row.current) make("circle", { cx: spots[k][0], cy: spots[k][1], r: 11, class: "now" });
    });
    show();
  };
  const show = () => {
    const row = rows[chosen];
    plan.replaceChildren();
    if (!row) return;
    const title = document.createElement("h4");
    title.textContent = `${data.lever} ${plain(row.value)}${row.current ? " (now)" : ""}`;
    const list = document.createElement("dl");
    const band = (entry, format) => (entry[1] === null ? "" : `${format(entry[1])} to ${format(entry[2])}`);
    for (const [name, value, below] of [
      ["spend", money(row.spend[0])], ["incremental value", money(row.incremental_value[0]), band(row.incremental_value, money)],
      ["profit", money(row.profit[0]), band(row.profit, money)], ["ROMI", share(row.romi[0]), band(row.romi, share)],
      ["marginal ROMI", share(row.marginal_romi[0]), band(row.marginal_romi, share)],
      ["true ROAS", plain(row.iroas[0])], ["ROAS by last touch", plain(row.credited_roas[0])], ["CPA, true", money(row.true_cpa)],
      ["CPA, credited", money(row.cpa)], ["impressions", plain(row.impressions)], ["CPM", money(row.cpm)], ["clicks", plain(row.clicks)],
      ["reach", plain(row.reach)], ["frequency", plain(row.frequency)],
    ]) {
      const line = document.createElement("div"), term = document.createElement("dt"), told = document.createElement("dd");
      term.textContent = name; told.textContent = value;
      if (below) { const small = document.createElement("small"); small.textContent = below; told.append(small); }
      line.append(term, told); list.append(line);
    }
    plan.append(title, list);
  };
  const choose = (k) => { if (k !== chosen && k >= 0 && k < rows.length) { chosen = k; draw(); } };
  chart.addEventListener("pointermove", (event) => {
    const area = chart.getBoundingClientRect(), px = ((event.clientX - area.left) / area.width) * 700, py = ((event.clientY - area.top) / area.height) * 430;
    let best = -1, near = Infinity;
    spots.forEach(([sx, sy], k) => { const far = (sx - px) ** 2 + 0.15 * (sy - py) ** 2; if (far < near) { near = far; best = k; } });
    choose(best);
  });
  chart.addEventListener("keydown", (event) => {
    if (event.key === "ArrowRight" || event.key === "ArrowLeft") { event.preventDefault(); choose(chosen + (event.key === "ArrowRight" ? 1 : -1)); }
  });
  const choices = document.querySelector(".choices");
  for (const entry of MEASURES) {
    const button = document.createElement("button");
    button.type = "button"; button.textContent = entry[1];
    button.setAttribute("aria-pressed", String(entry === measure));
    button.addEventListener("click", () => {
      measure = entry;
      for (const other of choices.children) other.setAttribute("aria-pressed", String(other === button));
      draw();
    });
    choices.append(button);
  }
  draw();
})();
