// The markers, colours and dashes of systems, as every chart of the report draws them.

function polygonPath(corners, radius, turn = 0, inner = radius) {
  const points = [];
  const count = inner === radius ? corners : corners * 2;
  for (let corner = 0; corner < count; corner++) {
    const angle = turn - Math.PI / 2 + (2 * Math.PI * corner) / count;
    const distance = corner % 2 && inner !== radius ? inner : radius;
    points.push(`${(distance * Math.cos(angle)).toFixed(3)},${(distance * Math.sin(angle)).toFixed(3)}`);
  }
  return `M${points.join("L")}Z`;
}

const PLUS = "M-.33,-1H.33V-.33H1V.33H.33V1H-.33V.33H-1V-.33H-.33Z";

const MARKERS = {
  o: "M-.95,0A.95,.95 0 1 0 .95,0A.95,.95 0 1 0 -.95,0Z",
  s: "M-.85,-.85H.85V.85H-.85Z",
  "^": "M0,-1L1,.85H-1Z",
  v: "M0,1L1,-.85H-1Z",
  "<": "M-1,0L.85,-1V1Z",
  ">": "M1,0L-.85,-1V1Z",
  D: "M0,-1.15L1.15,0L0,1.15L-1.15,0Z",
  P: PLUS,
  X: PLUS,
  "*": polygonPath(5, 1.2, 0, 0.5),
  p: polygonPath(5, 1.05),
  h: polygonPath(6, 1.05),
};

/** A row's marker in a chart; hollow if its figures are published. */
function marker(row, x, y, size) {
  return shape(row, row.published ? "mark hollow" : "mark", MARKERS[row.marker] ?? MARKERS.o, x, y, size, row.marker === "X" ? 45 : 0);
}

/** A hollow triangle in a row's colour that points so many degrees to the right of up: beyond the end of an axis. */
function beyondMarker(row, x, y, size, degrees) {
  return shape(row, "mark hollow beyond", MARKERS["^"], x, y, size, degrees);
}

function shape(row, kind, path, x, y, size, degrees) {
  return draw("path", {
    class: kind,
    d: path,
    transform: `translate(${x.toFixed(2)} ${y.toFixed(2)}) scale(${size})${degrees ? ` rotate(${degrees.toFixed(1)})` : ""}`,
    "stroke-width": (1.4 / size).toFixed(3),
    vars: { "--c": row.colour },
  });
}

/** Attributes of a row's line. */
function dashes(row, width = 1.8) {
  return row.dash.length ? { "stroke-dasharray": row.dash.map((length) => (length * width).toFixed(2)).join(" ") } : {};
}

/** A row's marker beside its name. */
function swatch(row) {
  return draw("svg", { class: "swatch", viewBox: "-7 -7 14 14", "aria-hidden": "true" }, marker(row, 0, 0, 5));
}

/** A row's line with its marker, for legends. */
function lineSwatch(row) {
  const line = draw("path", { class: "outline", d: "M-13,0H13", ...dashes(row), vars: { "--c": row.colour } });
  return draw("svg", { class: "swatch", viewBox: "-13 -7 26 14", "aria-hidden": "true" }, line, marker(row, 0, 0, 4.4));
}
