// What stands behind a figure, shown while the pointer is over it or the focus on it.

const tips = new WeakMap();
const tip = document.getElementById("tip");
let tipped = null;

/** Give an element a tooltip; `describe` makes its content when it is needed. */
function withTip(element, describe) {
  tips.set(element, describe);
  return element;
}

function hasTip(target) {
  for (let element = target; element instanceof Element; element = element.parentElement) if (tips.has(element)) return element;
  return null;
}

function showTip(element) {
  if (tipped === element) return;
  hideTip();
  tip.replaceChildren(...tips.get(element)().flat().filter(Boolean));
  // A dialog covers everything outside of it.
  (element.closest("dialog[open]") ?? document.body).append(tip);
  tip.hidden = false;
  tipped = element;
  element.setAttribute("aria-describedby", "tip");
  const place = element.getBoundingClientRect();
  const size = tip.getBoundingClientRect();
  const left = Math.min(Math.max(12, place.left + place.width / 2 - size.width / 2), innerWidth - size.width - 12);
  const below = place.bottom + 8;
  const top = below + size.height < innerHeight - 8 ? below : Math.max(8, place.top - size.height - 8);
  tip.style.left = `${left}px`;
  tip.style.top = `${top}px`;
}

function hideTip() {
  tipped?.removeAttribute("aria-describedby");
  tipped = null;
  tip.hidden = true;
}

document.addEventListener("pointerover", (event) => {
  const element = hasTip(event.target);
  if (element) showTip(element);
  else if (tipped && !tipped.contains(document.activeElement)) hideTip();
});
document.addEventListener("focusin", (event) => {
  const element = hasTip(event.target);
  if (element) showTip(element);
  else hideTip();
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") hideTip();
});
document.addEventListener("scroll", hideTip, { passive: true, capture: true });

/** Everything that is known of a figure. */
function describeCell(row, column) {
  const cell = row.cells[column.index];
  const title = make("b", {}, `${row.title}${row.regularizer ? `, ${row.regularizer}` : ""}`);
  const dataset = content.groups[column.group].title;
  const place = make("p", {}, [columnName(column), dataset && `on ${dataset}`].filter(Boolean).join(" "));
  if (!cell) return [title, place, make("p", {}, "There is no figure.")];
  if (cell.value === null) {
    const hint = text(cell.hint);
    return [
      title,
      place,
      make("p", {}, `Unavailable: ${text(cell.note) || "could not be computed"}.`),
      hint ? make("p", {}, "To measure it: ", make("code", {}, hint)) : null,
    ];
  }
  const lines = [];
  const number = (value) => fixed(value, column.decimals + 2);
  if (cell.low !== undefined) {
    const videos = cell.sources ? `, from ${cell.sources.toLocaleString("en-US")} videos` : "";
    lines.push(`95 % interval: ${number(cell.low)} to ${number(cell.high)}${videos}.`);
  } else if (cell.lowest !== undefined) {
    lines.push(`Repetitions: ${number(cell.lowest)} to ${number(cell.highest)}.`);
  }
  if (cell.ranks) {
    const [best, worst] = cell.ranks;
    const named = cell.rank === "best" ? "Among the best of its group" : cell.rank === "second" ? "Next after the best" : "Ranked";
    lines.push(`${named}: rank ${best}${worst > best ? ` to ${worst}` : ""} of ${text(cell.family)}.`);
  } else if (cell.family) {
    lines.push(`Not ranked: ${text(cell.family).replace(/^not ranked: /, "")}.`);
  }
  if (cell.count) lines.push(`Rests on ${cell.count.toLocaleString("en-US")} ${text(cell.counted)}.`);
  for (const note of [cell.note, cell.intervalNote]) if (note) lines.push(`${text(note)}.`);
  // Footnotes that say no more than these lines do aren't repeated.
  const said = [cell.note, cell.intervalNote, cell.family].filter(Boolean).map((place) => `: ${text(place)}`);
  for (const mark of [...(cell.marks ?? []), ...row.marks]) {
    const footnote = content.footnotes.find(([each]) => each === mark)?.[1];
    if (footnote && !said.some((each) => footnote.endsWith(each))) lines.push(`${mark} ${footnote}.`);
  }
  if (row.published && row.citation) lines.push(`Published: ${row.citation}.`);
  if (cell.protocol) lines.push(`Protocol ${text(cell.protocol)}.`);
  const value = make("span", { class: "big" }, make("b", {}, number(cell.value)), column.unit ? ` ${column.unit}` : "");
  return [title, place, value, ...[...new Set(lines)].map((line) => make("p", {}, line))];
}
