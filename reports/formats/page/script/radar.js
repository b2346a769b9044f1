// The radar charts: one panel a kind of latent, fixed scales, systems switched on and off.

const RADAR_AT_FIRST = 8; // systems that a panel shows before anybody chooses
const FILLED_AT_MOST = 3; // systems whose areas are filled: more would cover each other
const APART = 11; // pixels between marks of several systems beyond the same end

function radarSection() {
  const radar = content.radar;
  if (!radar || radar.axes.length < 3) {
    const why = content.radarMissing || "fewer than three of its metrics have figures";
    return section("radar", "Radar charts", "", make("p", { class: "soft" }, `There are none: ${why}.`));
  }
  const holder = make("div", { class: "panels" });
  for (const members of bySection(rows.filter((row) => drawable(row, radar)))) {
    for (const row of members.slice(RADAR_AT_FIRST)) state.hidden.add(row.index);
  }
  const show = () => {
    const shown = bySection(rowsInView().filter((row) => drawable(row, radar)));
    holder.replaceChildren(...shown.map((members) => radarPanel(radar, members)));
  };
  whenever("filter", show);
  show();
  const isClipped = rows.some((row) => radar.axes.some((axis) => beyondEnd(radarValue(row, axis), axis)));
  const notes = [radar.caption, ...radar.notes, ...(isClipped ? [radar.clippedNote] : []), ...radar.unavailable.map((each) => `Without an axis: ${each}.`)];
  return section("radar", "Radar charts", "Better is outward, on scales that stay the same whoever is drawn.", holder, make("div", { class: "notes" }, ...notes.map((note) => make("p", {}, note))));
}

function bySection(members) {
  return content.sections.map((_, index) => members.filter((row) => row.section === index)).filter((each) => each.length);
}

function radarValue(row, axis) {
  const cell = row.cells[axis.column];
  return cell && !cell.foreign ? cell.value : null;
}

function drawable(row, radar) {
  return radar.axes.some((axis) => radarValue(row, axis) !== null);
}

function radarPanel(radar, members) {
  const shown = members.filter((row) => !state.hidden.has(row.index));
  const polygons = new Map();
  const chart = radarDrawing(radar, shown, polygons);
  const focus = (row) => {
    chart.classList.toggle("focused", row !== null && polygons.has(row));
    for (const [each, polygon] of polygons) polygon.classList.toggle("focus", each === row);
  };
  const buttons = members.map((row) => {
    const pressed = !state.hidden.has(row.index);
    const toggle = () => {
      if (!state.hidden.delete(row.index)) state.hidden.add(row.index);
      replace(row.index);
    };
    const listening = { onpointerenter: () => focus(row.index), onpointerleave: () => focus(null), onfocus: () => focus(row.index), onblur: () => focus(null) };
    const button = make("button", { "aria-pressed": String(pressed), "data-row": row.index, onclick: toggle, ...listening }, lineSwatch(row), row.short);
    return withTip(button, () => radarTip(radar, row));
  });
  const all = (isShown) => () => {
    for (const row of members) state.hidden[isShown ? "delete" : "add"](row.index);
    replace();
  };
  const panel = make(
    "article",
    { class: "panel" },
    make(
      "div",
      { class: "heading" },
      make("h3", {}, content.sections[members[0].section]),
      make("span", { class: "choice" }, make("button", { onclick: all(true), "aria-label": `All of ${content.sections[members[0].section]}` }, "All"), make("button", { onclick: all(false), "aria-label": `None of ${content.sections[members[0].section]}` }, "None")),
    ),
    chart,
    make("div", { class: "legend" }, ...buttons),
  );
  const replace = (focused) => {
    hideTip();
    const fresh = radarPanel(radar, members);
    panel.replaceWith(fresh);
    fresh.querySelector(focused === undefined ? ".choice button" : `[data-row="${focused}"]`)?.focus();
  };
  return panel;
}

function radarTip(radar, row) {
  const lines = radar.axes.map((axis) => {
    const column = content.columns[axis.column];
    const value = radarValue(row, axis);
    return make("p", {}, `${columnName(column)}: ${value === null ? "no figure" : `${fixed(value, column.decimals)} ${column.unit}`.trim()}`);
  });
  return [make("b", {}, row.short), ...lines];
}

function radarDrawing(radar, shown, polygons) {
  const [width, height, radius] = [400, 340, 126];
  const count = radar.axes.length;
  const at = (place, distance) => {
    const angle = (2 * Math.PI * place) / count - Math.PI / 2;
    return [width / 2 + distance * Math.cos(angle), height / 2 + distance * Math.sin(angle)];
  };
  const ring = (share) => `M${radar.axes.map((_, place) => at(place, radius * share).map((each) => each.toFixed(1)).join()).join("L")}Z`;
  const parts = [0.25, 0.5, 0.75, 1].map((share) => draw("path", { class: "grid", d: ring(share) }));
  const several = new Set(radar.axes.map((axis) => axis.dataset)).size > 1;
  radar.axes.forEach((axis, place) => {
    const [x, y] = at(place, radius);
    parts.push(draw("path", { class: "grid", d: `M${width / 2},${height / 2}L${x.toFixed(1)},${y.toFixed(1)}` }));
    const [labelX, labelY] = at(place, radius + 13);
    const side = Math.abs(labelX - width / 2) < 8 ? "middle" : labelX > width / 2 ? "start" : "end";
    const lines = [...(several ? [axis.dataset] : []), axis.heading];
    const lift = labelY < height / 2 - 8 ? -14 * lines.length + 2 : labelY > height / 2 + 8 ? 9 : -6;
    lines.forEach((line, index) => parts.push(draw("text", { class: "label", x: labelX, y: labelY + lift + 14 * index, "text-anchor": side }, line)));
    const ends = `${plain(axis.worst)} – ${plain(axis.best)}`;
    parts.push(draw("text", { class: "end", x: labelX, y: labelY + lift + 14 * lines.length - 1, "text-anchor": side }, ends));
  });
  const beyond = shown.map((row) => radar.axes.map((axis) => beyondEnd(radarValue(row, axis), axis)));
  shown.forEach((row, number) => {
    const points = radar.axes.map((axis, place) => {
      const value = radarValue(row, axis);
      if (value === null) return null;
      return at(place, radius * Math.min(1, Math.max(0, shareOf(value, axis))));
    });
    const marks = points.map((point, place) => {
      const side = beyond[number][place];
      if (!point || !side) return point && marker(row, ...point, 3.2);
      // Marks of systems beyond one end of an axis stand side by side.
      const alike = shown.map((_, other) => other).filter((other) => beyond[other][place] === side);
      const shift = (alike.indexOf(number) - (alike.length - 1) / 2) * APART;
      const angle = (2 * Math.PI * place) / count;
      const [x, y] = side > 0 ? point : at(place, 5);
      return beyondMarker(row, x + shift * Math.cos(angle), y + shift * Math.sin(angle), 4.4, (angle * 180) / Math.PI + (side > 0 ? 0 : 180));
    });
    const polygon = draw("g", { class: "polygon", "data-row": row.index, vars: { "--c": row.colour } });
    const path = outline(points);
    if (points.every(Boolean) && shown.length <= FILLED_AT_MOST) polygon.append(draw("path", { class: "area", d: path }));
    polygon.append(draw("path", { class: "outline", d: path, ...dashes(row) }), ...marks.filter(Boolean));
    polygons.set(row.index, polygon);
    parts.push(withTip(polygon, () => radarTip(radar, row)));
  });
  const named = shown.map((row) => row.short).join(", ") || "no system";
  return draw("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `Radar chart of ${named}. The figures are in the table.` }, ...parts);
}

/** How far along its axis a value lies, from the worst end, 0, to the best, 1. */
function shareOf(value, axis) {
  if (!axis.logarithmic) return (value - axis.worst) / (axis.best - axis.worst);
  if (value <= 0) return axis.best > axis.worst ? 0 : 1;
  return Math.log(value / axis.worst) / Math.log(axis.best / axis.worst);
}

/** 1 for a value beyond the best end of its axis, -1 beyond the worst, else 0, as for a missing one. */
function beyondEnd(value, axis) {
  if (value === null || (value >= Math.min(axis.worst, axis.best) && value <= Math.max(axis.worst, axis.best))) return 0;
  return value > axis.worst === axis.best > axis.worst ? 1 : -1;
}

/** Around the chart; an axis without a figure breaks the line. */
function outline(points) {
  const print = ([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`;
  if (points.every(Boolean)) return `M${points.map(print).join("L")}Z`;
  return points
    .map((point, place) => [point, points[(place + 1) % points.length]])
    .filter(([point, next]) => point && next)
    .map(([point, next]) => `M${print(point)}L${print(next)}`)
    .join("");
}
