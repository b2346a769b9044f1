// The table of all figures: sorted, filtered and grouped.

function resultsSection() {
  const holder = make("div", { class: "scroller", role: "region", "aria-label": "Results" });
  const status = make("p", { class: "small soft", role: "status" });
  let built = null; // the rows' elements, for the columns that are shown
  const enter = roving(holder, () => built?.stops() ?? []);

  const show = () => {
    const columns = columnsInView();
    const key = columns.map((column) => column.index).join();
    if (built?.key !== key) {
      built = buildTable(columns, key);
      holder.replaceChildren(built.table);
    }
    const shown = rowsInView().filter((row) => !state.brushed || state.brushed.has(row.index));
    built.arrange(shown);
    enter();
    status.textContent = shown.length < rows.length ? `${shown.length} of ${rows.length} systems` : "";
  };
  whenever("filter columns sort brush system", show);
  show();
  // Where the table fits, the page scrolls it; where it doesn't, it scrolls by itself.
  new ResizeObserver(() => holder.classList.toggle("fits", holder.firstChild.offsetWidth <= holder.offsetWidth - 2)).observe(holder);
  return section("results", "Results", "Click a heading to sort, a name for its videos; hover over or focus a figure for all that stands behind it.", resultsControls(status), holder, resultsNotes());
}

function resultsControls(status) {
  const set = (name, topic) => (value) => {
    state[name] = value;
    changed(topic);
  };
  const search = make("input", { type: "search", placeholder: "Filter systems", "aria-label": "Filter systems", oninput: () => set("text", "filter")(search.value) });
  const families = [...new Set(rows.map((row) => row.family))];
  const datasets = content.groups.map((group, index) => [index, group]).filter(([, group]) => group.dataset);
  const brushed = make("span", { class: "brushed", hidden: true });
  whenever("brush", () => {
    brushed.hidden = !state.brushed;
    const clear = make("button", { onclick: () => set("brushed", "brush")(null) }, "Clear");
    const count = state.brushed?.size ?? 0;
    brushed.replaceChildren(`${count} system${count === 1 ? "" : "s"} marked in the chart`, clear);
  });
  return make(
    "div",
    { class: "controls" },
    make("label", { class: "grow" }, search),
    families.length > 1 ? select("Family", [["", "all"], ...families.map((family) => [family, family])], "", set("family", "filter")) : null,
    select("Group by", [["section", "kind of latent"], ["family", "family"], ["", "nothing"]], state.group, set("group", "sort")),
    datasets.length > 1 ? select("Figures on", [["all", "all datasets"], ...datasets.map(([index, group]) => [index, group.title])], "all", set("columns", "columns")) : null,
    rows.some((row) => row.published) ? tick("published rows", true, set("published", "filter")) : null,
    tick("intervals", true, (shown) => document.documentElement.classList.toggle("no-intervals", !shown)),
    brushed,
    status,
  );
}

/** The table for some columns; its rows are made once, and arranged as often as wanted. */
function buildTable(columns, key) {
  const body = make("tbody");
  const headings = new Map();
  const made = rows.map((row) => resultsRow(row, columns));
  let arranged = [];

  const heading = (place, title, unit, first, attributes = {}) => {
    const sort = () => {
      state.sort = nextSort(state.sort, place, first);
      changed("sort");
    };
    const cell = make("th", { scope: "col", onclick: sort, ...attributes }, make("button", { class: "plain" }, title), unit ? make("span", { class: "unit" }, unit) : null);
    headings.set(place, cell);
    return cell;
  };
  const groups = columns.reduce((spans, column) => {
    const last = spans.at(-1);
    if (last?.group === column.group) last.count++;
    else spans.push({ group: column.group, count: 1 });
    return spans;
  }, []);
  const spans = groups.map(({ group, count }) => make("th", { colspan: count, class: "span", scope: "colgroup" }, content.groups[group].title || "tokenizer"));
  const head = make(
    "thead",
    {},
    make("tr", {}, make("th", {}, make("span", { class: "unseen" }, "System")), ...spans),
    make(
      "tr",
      {},
      heading("name", "System", "", 1),
      ...columns.map((column) => heading(column.index, `${column.title} ${ARROWS[column.direction]}`.trim(), column.unit, column.direction === "higher" ? -1 : 1, { class: "number" })),
    ),
  );

  const arrange = (shown) => {
    const { sort } = state;
    const by = (row) => (sort.column === "name" ? `${row.title} ${row.regularizer}` : valueOf(row, sort.column));
    const sorted = sort ? [...shown].sort((one, other) => compare(by(one), by(other), sort.order)) : shown;
    const title = (row) => (state.group === "section" ? content.sections[row.section] : row.family);
    const grouped = new Map();
    if (state.group) for (const row of shown) grouped.set(title(row), []);
    for (const row of sorted) (state.group ? grouped.get(title(row)) : (grouped.get("") ?? grouped.set("", []).get(""))).push(row);
    const elements = [];
    arranged = [];
    for (const [name, members] of grouped) {
      if (name) elements.push(groupRow(name, columns.length));
      for (const row of members) {
        arranged.push(made[row.index]);
        elements.push(made[row.index].element);
      }
    }
    if (!elements.length) elements.push(make("tr", {}, make("td", { colspan: columns.length + 1, class: "soft" }, "No system fits the filters.")));
    for (const { row, element } of made.map((each, index) => ({ row: rows[index], element: each.element }))) element.classList.toggle("chosen", state.system === row.index);
    table.classList.toggle("across-kinds", state.group !== "section");
    body.replaceChildren(...elements);
    for (const [place, cell] of headings) markSorted(cell, sort?.column === place ? sort.order : 0);
  };
  const table = make("table", { role: "grid", "aria-label": "Figures of all systems" }, head, body);
  return { key, table, arrange, stops: () => arranged.map((row) => row.stops) };
}

function groupRow(name, count) {
  return make("tr", { class: "group" }, make("th", { scope: "rowgroup" }, name), make("td", { colspan: count, class: "rest" }));
}

function resultsRow(row, columns) {
  const name = make("button", { class: "plain", tabindex: "-1", onclick: () => openVideos(row.index) }, row.title, row.marks.length ? make("sup", {}, [...row.marks].sort().join(",")) : null);
  withTip(name, () => describeSystem(row));
  const header = make("th", { scope: "row" }, make("span", { class: "name" }, swatch(row), name), row.regularizer ? make("span", { class: "regularizer" }, row.regularizer) : null, make("span", { class: "kind" }, content.sections[row.section]));
  const cells = columns.map((column) => resultsCell(row, column));
  return { element: make("tr", { "data-row": row.index }, header, ...cells), stops: [name, ...cells] };
}

function resultsCell(row, column) {
  const cell = row.cells[column.index];
  const attributes = { tabindex: "-1", onkeydown: (event) => event.key === "Enter" && openVideos(row.index) };
  const ranked = cell?.rank ? make("span", { class: "unseen" }, cell.rank === "best" ? " among the best" : " next after the best") : null;
  const element = make(
    "td",
    { class: ["number", cell?.rank, cell && cell.value !== null ? "" : "missing"].filter(Boolean).join(" "), ...attributes },
    make("span", { class: "value" }, cell ? cell.text : "–"),
    cell?.marks ? make("sup", {}, [...cell.marks].sort().join(",")) : null,
    ranked,
    cell?.interval ? make("span", { class: "interval" }, cell.interval) : null,
  );
  return withTip(element, () => describeCell(row, column));
}

function describeSystem(row) {
  const facts = [row.label, row.weights && `Weights: ${row.weights}`, row.citation, content.sections[row.section]];
  return [make("b", {}, row.long), ...facts.filter(Boolean).map((fact) => make("p", {}, fact))];
}

/** Columns without any figure, the caption and the footnotes. */
function resultsNotes() {
  const empty = content.columns.filter((column) => column.empty && column.why);
  const hints = [...new Set(empty.map((column) => column.hint).filter(Boolean))];
  const missing = empty.length
    ? make(
        "div",
        {},
        make("b", {}, "Not measured: "),
        empty.map((column) => `${columnName(column)} (${column.why})`).join("; "),
        hints.length ? [". To measure: ", ...hints.flatMap((hint, place) => [place ? ", " : "", make("code", {}, hint)])] : null,
        ".",
      )
    : null;
  const marks = content.footnotes.map(([mark, note]) => make("li", {}, make("b", {}, mark), ` ${note}`));
  return make(
    "div",
    { class: "notes" },
    missing,
    make("p", {}, content.caption),
    marks.length ? make("details", {}, make("summary", {}, `Footnotes (${marks.length})`), make("ul", { class: "marks" }, ...marks)) : null,
  );
}
