// Elements of the page. Text is only ever set as text, never as markup, so that no name can become a part of the page.

const content = JSON.parse(document.getElementById("content").textContent);
const SVG = "http://www.w3.org/2000/svg";

/** An HTML element with attributes, listeners (`onclick`), custom properties (`vars`) and children, text included. */
function make(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** An SVG element, in the same way. */
function draw(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "vars") for (const [key, each] of Object.entries(value)) element.style.setProperty(key, each);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.flat(2).filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

/** A section with its heading, a sentence beside it and what else it holds. */
function section(id, title, sentence, ...children) {
  const heading = make("h2", { id: `${id}-heading`, tabindex: "-1" }, title);
  return make(
    "section",
    { id, class: id, "aria-labelledby": `${id}-heading` },
    make("div", { class: "heading" }, heading, sentence ? make("p", {}, sentence) : null),
    ...children,
  );
}

/** A labelled choice; `choices` are pairs of value and text. */
function select(label, choices, value, onchange) {
  const options = choices.map(([key, text]) => make("option", { value: key, selected: String(key) === String(value) }, text));
  const control = make("select", { "aria-label": label, onchange: () => onchange(control.value) }, ...options);
  return make("label", {}, label, control);
}

/** A labelled box to tick. */
function tick(label, checked, onchange) {
  const box = make("input", { type: "checkbox", checked, onchange: () => onchange(box.checked) });
  return make("label", {}, box, label);
}

/** A number with so many decimals, thousands apart by commas, and a proper minus. */
function fixed(value, decimals) {
  const options = { minimumFractionDigits: decimals, maximumFractionDigits: decimals };
  return value.toLocaleString("en-US", options).replace("-", "−");
}

/** A number with all of its digits but those that floating point adds. */
function plain(value) {
  return value.toLocaleString("en-US", { maximumSignificantDigits: 10 }).replace("-", "−");
}

/** Numbers along an axis, with the digits of the step between them; `power` is that step's power of ten. */
function tickTexts(values, power) {
  const most = Math.floor(Math.log10(Math.max(...values.map(Math.abs))));
  if (most < 6 && most >= -4) return values.map((value) => fixed(value, Math.max(0, -power)));
  const digits = (value) => Math.max(0, Math.floor(Math.log10(Math.abs(value))) - power);
  return values.map((value) => (value === 0 ? "0" : value.toExponential(digits(value)).replace(/^-/, "−")));
}

/** Text in which pieces between backticks are code. */
function withCode(text) {
  return text.split("`").map((piece, place) => (place % 2 ? make("code", {}, piece) : piece));
}

const ARROWS = { higher: "↑", lower: "↓", none: "" };

/** A column's title with its arrow, and its dataset where there are several. */
function columnName(column) {
  const group = content.groups[column.group].title;
  const several = content.groups.filter((each) => each.dataset).length > 1;
  return `${several && group ? `${group}: ` : ""}${column.title} ${ARROWS[column.direction]}`.trim();
}

/** Gives the focus to one of several elements at a time, and moves it with the arrow keys. */
function roving(container, rowsOf) {
  const all = () => rowsOf().flat();
  const enter = () => {
    const items = all();
    if (items.length && !items.some((item) => item.tabIndex === 0)) items[0].tabIndex = 0;
  };
  container.addEventListener("focusin", (event) => {
    if (!all().includes(event.target)) return;
    for (const item of all()) item.tabIndex = item === event.target ? 0 : -1;
  });
  container.addEventListener("keydown", (event) => {
    const rows = rowsOf();
    const row = rows.findIndex((each) => each.includes(event.target));
    if (row < 0 || event.altKey || event.ctrlKey || event.metaKey) return;
    const column = rows[row].indexOf(event.target);
    const last = rows[row].length - 1;
    const near = (place, across) => rows[place]?.[Math.min(across, rows[place].length - 1)];
    const moves = {
      ArrowRight: () => (column < last ? rows[row][column + 1] : near(row + 1, rows.length > 1 && last ? column : 0)),
      ArrowLeft: () => (column > 0 ? rows[row][column - 1] : null),
      ArrowDown: () => near(row + 1, column),
      ArrowUp: () => near(row - 1, column),
      Home: () => rows[row][0],
      End: () => rows[row][last],
    };
    const target = moves[event.key]?.();
    if (!(event.key in moves)) return;
    event.preventDefault();
    if (target) target.focus();
  });
  return enter;
}
