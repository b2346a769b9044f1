// Curves of a metric over the frames of a clip, with the frame that is shown.

/** `strip.show(frame)` moves the mark; a click calls `onchoose` with a frame. */
function makeStrip(column, members, values, numFrames, onchoose) {
  const [width, height, left, right, top, bottom] = [560, 92, 44, 552, 8, 74];
  const all = members.flatMap((row) => values(row)).filter((value) => value !== null);
  const low = Math.min(...all);
  const high = Math.max(...all);
  const margin = (high - low || Math.abs(high) || 1) * 0.12;
  const across = (frame) => (numFrames > 1 ? left + (frame / (numFrames - 1)) * (right - left) : (left + right) / 2);
  const up = (value) => bottom - ((value - low + margin) / (high - low + 2 * margin)) * (bottom - top);
  const cursor = draw("path", { class: "cursor" });
  const svg = draw(
    "svg",
    {
      viewBox: `0 0 ${width} ${height}`,
      role: "img",
      "aria-label": `${column.title} of each frame; the values of the frame that is shown stand above`,
      onclick: (event) => {
        const box = svg.getBoundingClientRect();
        const share = (((event.clientX - box.left) / box.width) * width - left) / (right - left);
        onchoose(Math.round(Math.min(1, Math.max(0, share)) * (numFrames - 1)));
      },
    },
    draw("rect", { class: "frame", x: left, y: top, width: right - left, height: bottom - top }),
    ...[low, high].map((value) => draw("text", { class: "tick", x: left - 6, y: up(value) + 4, "text-anchor": "end" }, fixed(value, Math.min(column.decimals, 3)))),
    ...[0, numFrames - 1].map((frame) => draw("text", { class: "tick", x: across(frame), y: height - 4, "text-anchor": frame ? "end" : "start" }, String(frame + 1))),
  );
  for (const row of members) {
    const points = values(row).map((value, frame) => (value === null ? null : `${across(frame).toFixed(1)},${up(value).toFixed(1)}`));
    const path = points.map((point, place) => (point ? `${place && points[place - 1] ? "L" : "M"}${point}` : "")).join("");
    svg.append(draw("path", { class: "line", d: path, ...dashes(row), vars: { "--c": row.colour } }));
  }
  svg.append(cursor);
  const heading = make("p", { class: "heading" });
  const show = (frame) => {
    cursor.setAttribute("d", `M${across(frame).toFixed(1)},${top}V${bottom}`);
    const shown = members.map((row) => {
      const value = values(row)[frame];
      return make("span", {}, lineSwatch(row), value === null ? "–" : `${fixed(value, column.decimals)} ${column.unit}`.trim());
    });
    heading.replaceChildren(make("b", {}, `${column.title} ${ARROWS[column.direction]}`.trim()), ...shown);
  };
  return { element: make("div", { class: "strip" }, heading, svg), show };
}
