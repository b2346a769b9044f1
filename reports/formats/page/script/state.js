// What a reader has chosen, and who wants to know when it changes.

const state = {
  text: "",
  family: "",
  published: true,
  group: "section",
  columns: "all",
  sort: null, // { column: index or "name", order: 1 or -1 }
  brushed: null, // rows that are marked in the scatter chart, as a Set
  hidden: new Set(), // rows that the radar charts leave out
  system: null, // the row whose videos are shown
  beside: null, // the row that it is set beside
};

const listeners = [];

/** Have a function called whenever something of `topics` changes. */
function whenever(topics, listener) {
  listeners.push([topics.split(" "), listener]);
}

function changed(topic) {
  for (const [topics, listener] of listeners) if (topics.includes(topic)) listener();
}

const rows = content.rows.map((row, index) => ({
  ...row,
  index,
  searched: `${row.title} ${row.regularizer} ${row.label} ${row.long} ${content.sections[row.section]}`.toLowerCase(),
}));

/** Rows that the filters let through, in the order of the report. */
function rowsInView() {
  const words = state.text.toLowerCase().split(/\s+/).filter(Boolean);
  return rows.filter(
    (row) =>
      (state.published || !row.published) &&
      (!state.family || row.family === state.family) &&
      words.every((word) => row.searched.includes(word)),
  );
}

/** Columns with figures, of the dataset that was chosen; a tokenizer's own figures are always among them. */
function columnsInView() {
  return content.columns
    .map((column, index) => ({ ...column, index }))
    .filter((column) => !column.empty)
    .filter((column) => state.columns === "all" || String(column.group) === state.columns || !content.groups[column.group].dataset);
}

/** A row's figure in a column, or null. */
function valueOf(row, column) {
  return row.cells[column]?.value ?? null;
}

const text = (place) => content.texts[place ?? 0];
