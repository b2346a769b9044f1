// Any metric against any other. A dragged rectangle marks systems, which the table then shows alone.

const LABELLED_AT_MOST = 40;

function scatterSection() {
  const columns = content.columns.map((column, index) => ({ ...column, index })).filter((column) => !column.empty);
  if (columns.length < 2) return section("scatter", "One metric against another", "", make("p", { class: "soft" }, "It takes two metrics with figures."));
  const first = (names, besides) => columns.find((column) => names.includes(column.metric) && column !== besides) ?? columns.find((column) => column !== besides);
  const y = first(["psnr", "ssim", "lpips-vgg"], null);
  const x = first(["bpp", "params", "macs"], y);
  const chosen = { x: x.index, y: y.index, bars: false };
  const holder = make("div", { class: "chart" });
  const choices = columns.map((column) => [column.index, columnName(column)]);
  const show = () => holder.replaceChildren(scatterDrawing(chosen, holder.clientWidth || 900));
  const set = (name) => (value) => {
    chosen[name] = name === "bars" ? value : Number(value);
    show();
  };
  const controls = make(
    "div",
    { class: "controls" },
    select("Across", choices, chosen.x, set("x")),
    select("Up", choices, chosen.y, set("y")),
    tick("95 % intervals", chosen.bars, set("bars")),
    make("span", { class: "small soft" }, "Drag to mark systems (or Space on a point); click or Enter for a system's videos."),
  );
  whenever("filter brush", show);
  let width = 0;
  new ResizeObserver(() => {
    if (Math.abs(holder.clientWidth - width) > 4) {
      width = holder.clientWidth;
      show();
    }
  }).observe(holder);
  return section("scatter", "One metric against another", "", controls, holder);
}

/** From values to pixels, by powers where the values span much; `ticks` are pairs of a value and its text. */
function scale(values, from, to) {
  let [low, high] = [Math.min(...values), Math.max(...values)];
  const isLog = low > 0 && high / low > 15;
  const forward = isLog ? Math.log10 : (value) => value;
  [low, high] = [forward(low), forward(high)];
  const margin = (high - low || Math.abs(high) || 1) * 0.07;
  [low, high] = [low - margin, high + margin];
  const place = (value) => from + ((forward(value) - low) / (high - low)) * (to - from);
  return { place, isLog, ticks: isLog ? logTicks(low, high) : linearTicks(low, high), inside: (value) => !isLog || value > 0 };
}

function linearTicks(low, high) {
  const rough = (high - low) / 8;
  let power = Math.floor(Math.log10(rough));
  const size = 10 ** power;
  const times = [1, 2, 5].find((each) => each * size >= rough) ?? 10;
  if (times === 10) power++;
  const step = times * size;
  const ticks = [];
  for (let number = Math.ceil(low / step); number * step <= high; number++) ticks.push(Number((number * step).toPrecision(12)));
  const texts = tickTexts(ticks, power);
  return ticks.map((value, place) => [value, texts[place]]);
}

function logTicks(low, high) {
  const ticks = [];
  for (let power = Math.floor(low); power <= Math.ceil(high); power++) {
    for (const digit of high - low > 3 ? [1] : [1, 2, 5]) {
      const value = digit * 10 ** power;
      if (Math.log10(value) >= low && Math.log10(value) <= high) ticks.push([Number(value.toPrecision(6)), ...tickTexts([value], power)]);
    }
  }
  return ticks;
}

function scatterDrawing(chosen, available) {
  const width = Math.max(300, Math.min(1300, available - 20));
  const height = Math.round(Math.max(300, Math.min(520, width * 0.55)));
  const frame = { left: 58, right: width - 16, top: 14, bottom: height - 48 };
  const columns = { x: content.columns[chosen.x], y: content.columns[chosen.y] };
  const points = rowsInView()
    .map((row) => ({ row, x: valueOf(row, chosen.x), y: valueOf(row, chosen.y) }))
    .filter((point) => point.x !== null && point.y !== null);
  const svg = draw("svg", { viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": `Scatter chart of ${columnName(columns.y)} over ${columnName(columns.x)}` });
  if (!points.length) {
    svg.append(draw("text", { class: "tick", x: width / 2, y: height / 2, "text-anchor": "middle" }, "No system has both figures."));
    return svg;
  }
  const up = scale(points.map((point) => point.y), frame.bottom, frame.top);
  frame.left = Math.max(frame.left, 28 + 6.6 * Math.max(...up.ticks.map(([, name]) => name.length)));
  const across = scale(points.map((point) => point.x), frame.left, frame.right);
  const axisName = (column, axis) => `${columnName(column)}${column.unit ? ` (${column.unit})` : ""}${axis.isLog ? ", logarithmic" : ""}`;
  for (const [value, name] of across.ticks) {
    const x = across.place(value).toFixed(1);
    svg.append(draw("path", { class: "grid", d: `M${x},${frame.top}V${frame.bottom}` }), draw("text", { class: "tick", x, y: frame.bottom + 17, "text-anchor": "middle" }, name));
  }
  for (const [value, name] of up.ticks) {
    const y = up.place(value);
    svg.append(draw("path", { class: "grid", d: `M${frame.left},${y.toFixed(1)}H${frame.right}` }), draw("text", { class: "tick", x: frame.left - 7, y: y + 4, "text-anchor": "end" }, name));
  }
  svg.append(
    draw("rect", { class: "frame", x: frame.left, y: frame.top, width: frame.right - frame.left, height: frame.bottom - frame.top }),
    draw("text", { class: "axis-title", x: (frame.left + frame.right) / 2, y: height - 8, "text-anchor": "middle" }, axisName(columns.x, across)),
    draw("text", { class: "axis-title", transform: `translate(14 ${(frame.top + frame.bottom) / 2}) rotate(-90)`, "text-anchor": "middle" }, axisName(columns.y, up)),
  );
  for (const point of points) Object.assign(point, { left: across.place(point.x), top: up.place(point.y) });
  const labels = points.length <= LABELLED_AT_MOST ? placeLabels(points, frame) : new Map();
  const made = points.map((point) => scatterPoint(point, chosen, columns, across, up, labels.get(point), frame));
  svg.append(...made);
  roving(svg, () => [made])();
  brushing(svg, points, frame);
  return svg;
}

function scatterPoint(point, chosen, columns, across, up, label, frame) {
  const { row, left, top } = point;
  const out = state.brushed && !state.brushed.has(row.index);
  const bars = [];
  if (chosen.bars) {
    const horizontal = ends(row.cells[chosen.x], across, frame.left, frame.right);
    const vertical = ends(row.cells[chosen.y], up, frame.top, frame.bottom);
    if (horizontal) bars.push(`M${horizontal[0]},${top.toFixed(1)}H${horizontal[1]}`);
    if (vertical) bars.push(`M${left.toFixed(1)},${vertical[0]}V${vertical[1]}`);
  }
  const element = draw(
    "g",
    {
      class: out ? "point out" : "point",
      role: "button",
      tabindex: "-1",
      "data-row": row.index,
      "aria-label": `${row.short}: ${columns.x.title} ${row.cells[chosen.x].text}, ${columns.y.title} ${row.cells[chosen.y].text}`,
      vars: { "--c": row.colour },
      onclick: () => openVideos(row.index),
      onkeydown: (event) => {
        if (event.key === "Enter") openVideos(row.index);
        if (event.key === " ") {
          event.preventDefault();
          mark(row.index);
        }
      },
    },
    bars.length ? draw("path", { class: "bars", d: bars.join("") }) : null,
    draw("circle", { class: "hit", cx: left, cy: top, r: 12 }),
    marker(row, left, top, 5.2),
    label ? draw("text", { class: "name", x: label.x, y: label.y, "text-anchor": label.anchor }, row.short) : null,
  );
  return withTip(element, () => [
    make("b", {}, row.short),
    ...[[columns.x, chosen.x], [columns.y, chosen.y]].map(([column, index]) => make("p", {}, `${columnName(column)}: ${row.cells[index].text} ${column.unit} ${row.cells[index].interval ?? ""}`)),
  ]);
}

function ends(cell, axis, least, most) {
  if (cell.low === undefined || !axis.inside(cell.low)) return null;
  return [cell.low, cell.high].map((value) => Math.min(most, Math.max(least, axis.place(value))).toFixed(1));
}

/** Add a system to those that are marked, or take it out. */
function mark(row) {
  const marked = new Set(state.brushed ?? []);
  if (!marked.delete(row)) marked.add(row);
  state.brushed = marked.size ? marked : null;
  changed("brush");
  document.querySelector(`.point[data-row="${row}"]`)?.focus();
}

/** Names beside the points, where they cover nothing. */
function placeLabels(points, frame) {
  const taken = points.map(({ left, top }) => [left - 7, top - 7, left + 7, top + 7]);
  const placed = new Map();
  for (const point of points) {
    const length = point.row.short.length * 5.7 + 2;
    const { left, top } = point;
    const tries = [
      { x: left + 10, y: top + 4, anchor: "start", box: [left + 9, top - 6, left + 9 + length, top + 6] },
      { x: left - 10, y: top + 4, anchor: "end", box: [left - 9 - length, top - 6, left - 9, top + 6] },
      { x: left, y: top - 11, anchor: "middle", box: [left - length / 2, top - 22, left + length / 2, top - 9] },
      { x: left, y: top + 19, anchor: "middle", box: [left - length / 2, top + 9, left + length / 2, top + 22] },
    ];
    const fits = ({ box }) =>
      box[0] > frame.left && box[2] < frame.right && box[1] > frame.top && box[3] < frame.bottom &&
      taken.every((other) => box[2] < other[0] || box[0] > other[2] || box[3] < other[1] || box[1] > other[3]);
    const label = tries.find(fits);
    if (!label) continue;
    taken.push(label.box);
    placed.set(point, label);
  }
  return placed;
}

function brushing(svg, points, frame) {
  const rectangle = draw("rect", { class: "brush", hidden: true });
  let start = null;
  svg.append(rectangle);
  const at = (event) => {
    const box = svg.getBoundingClientRect();
    const factor = svg.viewBox.baseVal.width / box.width;
    const within = (value, low, high) => Math.min(high, Math.max(low, value));
    return [within((event.clientX - box.left) * factor, frame.left, frame.right), within((event.clientY - box.top) * factor, frame.top, frame.bottom)];
  };
  const area = (end) => [Math.min(start[0], end[0]), Math.min(start[1], end[1]), Math.max(start[0], end[0]), Math.max(start[1], end[1])];
  svg.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || event.pointerType === "touch" || event.target.closest(".point")) return;
    start = at(event);
    svg.setPointerCapture(event.pointerId);
  });
  svg.addEventListener("pointermove", (event) => {
    if (!start) return;
    const [left, top, right, bottom] = area(at(event));
    rectangle.removeAttribute("hidden");
    fill(rectangle, { x: left, y: top, width: right - left, height: bottom - top }, []);
  });
  svg.addEventListener("pointerup", (event) => {
    if (!start) return;
    const [left, top, right, bottom] = area(at(event));
    start = null;
    const inside = points.filter((point) => point.left >= left && point.left <= right && point.top >= top && point.top <= bottom);
    // A click beside the points takes the marks away.
    state.brushed = right - left + bottom - top > 8 && inside.length ? new Set(inside.map((point) => point.row.index)) : null;
    changed("brush");
  });
  svg.addEventListener("pointercancel", () => {
    start = null;
    rectangle.setAttribute("hidden", "");
  });
}
