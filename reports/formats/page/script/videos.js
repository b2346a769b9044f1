// The figures of single videos of one system, beside another one's, and the way to the viewer.

let openVideos = () => {};

function videosSection() {
  const measured = rows.filter((row) => !row.published);
  const withVideos = (row) => content.videos.filter((each) => each.values[row.index]);
  const title = "Video by video";
  if (!measured.some((row) => withVideos(row).length)) {
    return section("videos", title, "", make("p", { class: "soft" }, "No metric of this report has figures of single videos."));
  }
  const holder = make("div", {});
  let group = "";
  state.system = measured.find((row) => withVideos(row).length).index;
  const choices = measured.map((row) => [row.index, row.short]);

  const show = () => {
    const row = rows[state.system];
    const parts = withVideos(row);
    const part = parts.find((each) => String(each.group) === group) ?? parts[0];
    const beside = state.beside !== null && state.beside !== state.system ? rows[state.beside] : null;
    const set = (name) => (value) => {
      state[name] = value === "" ? null : Number(value);
      changed("system");
    };
    const controls = make(
      "div",
      { class: "controls" },
      select("System", choices, state.system, set("system")),
      select("Beside", [["", "none"], ...choices.filter(([index]) => index !== state.system)], state.beside ?? "", set("beside")),
      parts.length > 1
        ? select("Videos of", parts.map((each) => [each.group, content.groups[each.group].title]), part.group, (value) => {
            group = value;
            show();
          })
        : null,
    );
    holder.replaceChildren(controls, ...(part ? [keptHint(row, part), videosTable(row, beside, part)] : [make("p", { class: "soft" }, `There are no figures of single videos of ${row.short}.`)]));
  };
  whenever("system", show);
  show();
  openVideos = (row) => {
    if (!rows[row].published) {
      state.system = row;
      changed("system");
    }
    const heading = document.getElementById("videos-heading");
    heading.scrollIntoView({ block: "start" });
    heading.focus({ preventScroll: true });
  };
  return section("videos", title, "Each figure over all windows of one video; what is ranked rests on these.", holder);
}

/** The kept clips of a video, with their places in the content. */
function clipsOf(group, files) {
  const { dataset, hash } = content.groups[group];
  return content.clips.map((clip, index) => ({ clip, index })).filter(({ clip }) => clip.dataset === dataset && clip.hash === hash && files.includes(clip.source));
}

/** Whether a row's reconstruction of a clip can be seen here; else why not, or nothing where it wasn't kept. */
function watchable(clip, row) {
  if (clip.reason) return { isThere: false, why: clip.reason };
  const system = clip.systems[row.index];
  return { isThere: Boolean(system?.view), why: system?.reason ?? "" };
}

function keptHint(row, part) {
  const sampled = part.files.length < part.of ? `${part.files.length.toLocaleString("en-US")} of ${part.of.toLocaleString("en-US")} videos, chosen by a hash of their names, are shown. From Python, toklab.open_run(RUN).windows() has all. ` : "";
  const kept = part.files.filter((files) => clipsOf(part.group, files).some(({ clip }) => watchable(clip, row).isThere)).length;
  if (kept === part.files.length) return sampled ? make("p", { class: "hint" }, sampled) : null;
  const some = kept ? `Reconstructions of ${kept} of ${part.files.length} videos can be watched here.` : "No reconstruction of this system can be watched here.";
  const reasons = [...new Set(part.files.flatMap((files) => clipsOf(part.group, files).map(({ clip }) => watchable(clip, row).why)).filter(Boolean))];
  const command = content.keepCommand;
  return make(
    "p",
    { class: "hint" },
    `${sampled}${some} `,
    ...reasons.flatMap((reason) => withCode(`Some were kept, but ${reason}. `)),
    ...(command ? ["The others weren't kept. To keep all of them: ", make("code", {}, command)] : ["The others weren't kept: run the suite into a new folder with ", make("code", {}, "--keep-recon all"), "."]),
  );
}

function videosTable(row, beside, part) {
  const columns = content.columns
    .map((column, index) => ({ ...column, index }))
    .filter((column) => column.group === part.group && part.values[row.index][column.index]);
  const other = beside ? part.values[beside.index] ?? {} : {};
  const lines = part.files.map((files, place) => [
    { sortedBy: files[0], element: make("th", { scope: "row", class: "text" }, files.join(" = ")) },
    ...columns.map((column) => {
      const value = part.values[row.index][column.index][place];
      const second = other[column.index]?.[place] ?? null;
      const difference = value !== null && second !== null ? value - second : null;
      const sign = difference > 0 ? "+" : "";
      return {
        // Differences and values never sort among each other.
        sortedBy: other[column.index] ? difference : value,
        element: make(
          "td",
          { class: value === null ? "number missing" : "number" },
          value === null ? "–" : fixed(value, column.decimals),
          difference === null ? null : make("span", { class: "difference" }, `${sign}${fixed(difference, column.decimals)}`),
        ),
      };
    }),
    watchCell(row, beside, part, files),
  ]);
  const headings = [
    { title: "Video" },
    ...columns.map((column) => ({ title: `${column.title} ${ARROWS[column.direction]}`.trim(), unit: column.unit, isNumber: true, best: column.direction })),
    { title: "Viewer", sorts: false },
  ];
  const caption = `Figures of ${row.short} on each video${beside ? `, and below them the differences to ${beside.short}` : ""}`;
  const note = beside ? make("p", { class: "small soft" }, `Below each figure: ${row.short} − ${beside.short}. Headings sort by it.`) : null;
  return [sortingTable(caption, headings, lines), note].filter(Boolean).reduce((holder, each) => (holder.append(each), holder), make("div", {}));
}

function watchCell(row, beside, part, files) {
  const found = clipsOf(part.group, files).filter(({ clip }) => watchable(clip, row).isThere);
  const buttons = found.map(({ clip, index }) => {
    const name = found.length > 1 ? `Watch window ${clip.window}` : "Watch";
    return make("button", { class: "watch", "aria-label": `${name} of ${files[0]}`, "data-clip": index, onclick: () => openViewer(index, row.index, beside?.index ?? null) }, name);
  });
  return { sortedBy: null, element: make("td", { class: "missing" }, ...(buttons.length ? buttons : ["not kept"])) };
}
