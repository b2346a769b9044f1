// Tables of which any column sorts the rows.

/**
 * A table whose columns sort it.
 *
 * `columns`: { title, unit, isNumber, sorts, best: "higher" or "lower" }; `lines`: for each row its cells,
 * { sortedBy, element } with a finished <td> or <th>. `caption` is for screen readers.
 */
function sortingTable(caption, columns, lines, sorted = null) {
  const body = make("tbody");
  const headings = [];
  let current = sorted;
  const show = () => {
    const order = current ? [...lines].sort((one, other) => compare(one[current.column].sortedBy, other[current.column].sortedBy, current.order)) : lines;
    body.replaceChildren(...order.map((line) => make("tr", {}, ...line.map((cell) => cell.element))));
    headings.forEach((heading, place) => markSorted(heading, current?.column === place ? current.order : 0));
  };
  columns.forEach((column, place) => {
    const first = column.best === "higher" ? -1 : 1;
    const sort = () => {
      current = nextSort(current, place, first);
      show();
    };
    const inside = column.sorts === false ? column.title : make("button", { class: "plain", onclick: sort }, column.title);
    headings.push(
      make("th", { scope: "col", class: column.isNumber ? "number" : null }, inside, column.unit ? make("span", { class: "unit" }, column.unit) : null),
    );
  });
  show();
  const table = make("table", {}, make("caption", { class: "unseen" }, caption), make("thead", {}, make("tr", {}, ...headings)), body);
  return make("div", { class: "scroller", tabindex: "0", role: "region", "aria-label": caption }, table);
}

/** Sorting by a column the first time, the second time in the other order, and then no more. */
function nextSort(current, column, first) {
  if (current?.column !== column) return { column, order: first };
  return current.order === first ? { column, order: -first } : null;
}

function markSorted(heading, order) {
  if (order) heading.setAttribute("aria-sort", order > 0 ? "ascending" : "descending");
  else heading.removeAttribute("aria-sort");
}

/** What is missing comes last in either order. */
function compare(one, other, order) {
  const missing = (value) => value === null || value === undefined || value === "";
  if (missing(one) || missing(other)) return missing(one) - missing(other);
  if (typeof one === "number" && typeof other === "number") return order * (one - other);
  return order * String(one).localeCompare(String(other), "en", { numeric: true });
}

/** A table of the report that has nothing but text and numbers. */
function plainTable(caption, table) {
  const columns = table.columns.map((title, place) => ({ title, isNumber: table.sides[place] === "r" }));
  const lines = table.rows.map((row) =>
    row.map((cell, place) => ({
      sortedBy: cell,
      element: make("td", { class: table.sides[place] === "r" ? "number" : "wrap" }, String(cell)),
    })),
  );
  const notes = table.notes.length ? make("div", { class: "notes" }, ...table.notes.map((note) => make("p", {}, note))) : null;
  return [sortingTable(caption, columns, lines), notes];
}
