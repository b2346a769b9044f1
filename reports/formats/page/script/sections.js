// The rest of the report: further charts and tables, methods, provenance, accounting, failures.

function furtherSection() {
  if (!content.charts.length && !content.tables.length) return null;
  const where = content.isBundle ? "one folder above this page" : "beside this page";
  const charts = content.charts.map((chart) =>
    make(
      "figure",
      {},
      chart.picture ? make("img", { src: chart.picture, alt: chart.caption }) : null,
      make("figcaption", {}, chart.caption, chart.picture ? null : ` (in ${chart.name} ${where})`),
    ),
  );
  const tables = content.tables.map((table) => make("div", { class: "block" }, make("p", { class: "small soft" }, table.caption), ...plainTable(table.caption, table).filter(Boolean)));
  return section("further", "Further charts and tables", "", make("div", { class: "gallery" }, ...charts), ...tables);
}

function methodsSection() {
  const provenance = { columns: ["what", "value"], rows: content.provenance, sides: "ll", notes: [] };
  const block = (title, table, none) => {
    const inside = table.rows.length ? plainTable(title, table).filter(Boolean) : [make("p", { class: "soft" }, none)];
    return make("div", { class: "block" }, make("h3", {}, title), ...inside);
  };
  return section(
    "methods",
    "Protocol and methods",
    "",
    make("div", { class: "prose" }, ...content.methods.map((sentence) => make("p", {}, sentence))),
    block("Failures", content.failures, "No window failed."),
    content.accounting.rows.length ? block("Accounting of windows", content.accounting, "") : null,
    content.provenance.length ? block("Provenance", provenance, "") : null,
  );
}
