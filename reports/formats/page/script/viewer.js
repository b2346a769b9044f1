// The viewer: the reference against one or two systems, all panes on one frame.

const FRAMES_A_SECOND = 10;
const FLICKERS_A_SECOND = 2;
const HEAT = ["#000004", "#420a68", "#932667", "#dd513a", "#fca50a", "#fcffa4"];

let openViewer = () => {};

function startViewer() {
  const dialog = document.getElementById("viewer");
  const view = { clip: null, frame: 0, first: null, second: null, mode: "side", pair: "0", errors: false, split: 50, zoom: 1, x: 0, y: 0, playing: null, flicker: null, phase: 0, shown: 0 };
  let panes = [];
  let strips = [];
  let ports = {};

  openViewer = (clip, first, second) => {
    const members = content.clips[clip].systems;
    Object.assign(view, { clip: content.clips[clip], frame: 0, first, second: second !== null && members[second]?.view ? second : null, pair: "0", zoom: 1, x: 0, y: 0 });
    build();
    dialog.showModal();
    ports.stage.focus();
  };

  const others = () => rows.filter((row) => view.clip.systems[row.index]?.view);
  const systems = () => [view.first, view.second].filter((row) => row !== null);
  const nameOf = (source) => (source.kind === "reference" ? "Reference" : rows[source.row].short);
  const pairs = () => {
    const [reference, first, second] = [{ kind: "reference" }, { kind: "view", row: view.first }, { kind: "view", row: view.second }];
    return view.second === null ? [[reference, first]] : [[reference, first], [reference, second], [first, second]];
  };

  function build() {
    stop();
    const { clip } = view;
    const change = (name, parse) => (value) => {
      view[name] = parse(value);
      build();
      // After a choice by pointer the keys belong to the frames again; by keyboard, to the control that was left open.
      const control = view.pointed ? null : dialog.querySelector(`[data-control="${name}"]`);
      (control ?? ports.stage).focus();
    };
    const number = (value) => (value === "" ? null : Number(value));
    const systemChoices = others().map((row) => [row.index, row.short]);
    const modes = [["side", "Side by side"], ["slider", "Slider"], ["flicker", "Flicker"]].map(([mode, name]) =>
      make("button", { "aria-pressed": String(view.mode === mode), "data-mode": mode, onclick: () => choose(mode) }, name),
    );
    const controls = make(
      "div",
      { class: "controls" },
      control("first", select("System", systemChoices, view.first, change("first", number))),
      control("second", select("and", [["", "none"], ...systemChoices.filter(([index]) => index !== view.first)], view.second ?? "", change("second", number))),
      make("span", { class: "choice", role: "group", "aria-label": "How frames are compared" }, ...modes),
      view.mode !== "side" && view.second !== null
        ? control("pair", select("Compare", pairs().map(([one, other], place) => [place, `${nameOf(one)} | ${nameOf(other)}`]), view.pair, change("pair", String)))
        : null,
      view.mode === "side" ? control("errors", tick("error map", view.errors, change("errors", Boolean))) : null,
    );
    const close = make("button", { onclick: () => dialog.close(), "aria-label": "Close the viewer" }, "Close ✕");
    const title = make("h2", { id: "viewer-title" }, clip.source, make("span", { class: "small soft" }, `  window ${clip.window}, ${clip.dataset}, protocol ${clip.hash}`));
    const [height, width] = clip.size;
    const kind = view.mode !== "side" ? "stage single" : view.errors ? "stage errors" : "stage";
    const look = { "--aspect": `${width} / ${height}`, "--ratio": String(width / height) };
    const stage = make("div", { class: kind, tabindex: "-1", role: "group", "aria-label": "Frames", vars: look });
    ports = { stage };
    panes = view.mode === "side" ? sideBySide(stage) : [onePort(stage)].flat();
    strips = makeStrips();
    const note = `View copies are compressed (WebP, quality ${clip.quality}); every figure was measured on lossless frames.`;
    const errors = view.errors && view.mode === "side" ? errorLegend(clip) : null;
    const body = make(
      "div",
      { class: "viewer" },
      make("div", { class: "heading" }, title, close),
      controls,
      stage,
      errors,
      transport(),
      make("div", { class: "strips" }, ...strips.map((strip) => strip.element)),
      make("p", { class: "small soft" }, note),
      keys(),
    );
    dialog.replaceChildren(heatFilter(), body);
    zoomTo(view.zoom);
    show(view.frame);
    if (view.mode === "flicker" && !matchMedia("(prefers-reduced-motion: reduce)").matches) startFlicker();
  }

  function control(name, label) {
    label.querySelector("select, input").dataset.control = name;
    return label;
  }

  function choose(mode) {
    view.mode = mode;
    build();
    dialog.querySelector(`[data-mode="${mode}"]`).focus();
  }

  function canvas() {
    const [height, width] = view.clip.size;
    return make("canvas", { width, height });
  }

  function port(...children) {
    const element = make("div", { class: "port" }, ...children);
    element.addEventListener("wheel", (event) => {
      event.preventDefault();
      const box = element.getBoundingClientRect();
      zoomTo(view.zoom * (event.deltaY < 0 ? 1.25 : 0.8), (event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
    });
    drag(element, (dx, dy) => {
      view.x += dx;
      view.y += dy;
      zoomTo(view.zoom);
    });
    return element;
  }

  function drag(element, move) {
    let last = null;
    element.addEventListener("pointerdown", (event) => {
      last = [event.clientX, event.clientY];
      element.setPointerCapture(event.pointerId);
    });
    element.addEventListener("pointermove", (event) => {
      if (!last) return;
      const box = element.getBoundingClientRect();
      move((event.clientX - last[0]) / box.width, (event.clientY - last[1]) / box.height, (event.clientX - box.left) / box.width);
      last = [event.clientX, event.clientY];
    });
    for (const name of ["pointerup", "pointercancel"]) element.addEventListener(name, () => (last = null));
  }

  function pane(source, caption) {
    const shown = canvas();
    shown.dataset.pane = source.kind === "reference" ? "reference" : `${source.kind} ${source.row}`;
    shown.setAttribute("role", "img");
    shown.setAttribute("aria-label", caption);
    if (source.kind === "error") shown.style.filter = "url(#heat)";
    const mark = source.row === undefined ? null : swatch(rows[source.row]);
    const figure = make("figure", { class: "pane" }, port(shown), make("figcaption", {}, make("b", {}, mark, mark ? " " : "", caption)));
    return { canvas: shown, source, figure };
  }

  function sideBySide(stage) {
    const made = [pane({ kind: "reference" }, "Reference"), ...systems().map((row) => pane({ kind: "view", row }, rows[row].short))];
    stage.style.setProperty("--panes", made.length);
    stage.append(...made.map((each) => each.figure));
    if (!view.errors) return made;
    const errors = systems().map((row) => pane({ kind: "error", row }, `Error of ${rows[row].short}`));
    stage.append(make("div", {}), ...errors.map((each) => each.figure));
    return [...made, ...errors];
  }

  function onePort(stage) {
    const pair = pairs()[Number(view.pair)] ?? pairs()[0];
    const made = pair.map((source) => pane(source, nameOf(source)));
    const [one, other] = made;
    const left = make("b", {}, nameOf(pair[0]));
    const right = make("b", {}, nameOf(pair[1]));
    const above = make("div", { class: "above" }, other.canvas);
    if (view.mode === "flicker") {
      ports.above = above;
      ports.names = [left, right];
      stage.append(make("figure", { class: "pane" }, port(one.canvas, above), make("figcaption", {}, left, right)));
      turn(0);
      return made;
    }
    const range = make("input", { type: "range", min: "0", max: "100", value: view.split, "aria-label": `Where ${nameOf(pair[0])} ends and ${nameOf(pair[1])} begins`, oninput: () => splitAt(Number(range.value)) });
    const both = port(one.canvas, above, make("div", { class: "divider" }));
    ports.range = range;
    drag(both, (dx, dy, x) => view.zoom === 1 && splitAt(x * 100));
    stage.append(make("figure", { class: "pane" }, both, make("figcaption", {}, left, right), range));
    splitAt(view.split);
    return made;
  }

  function splitAt(percent) {
    view.split = Math.min(100, Math.max(0, percent));
    ports.stage.style.setProperty("--split", `${view.split}%`);
    ports.range.value = view.split;
  }

  /** Which of the two pictures lies on top. */
  function turn(phase) {
    view.phase = phase;
    ports.stage.style.setProperty("--split", "0%");
    ports.stage.dataset.phase = phase;
    ports.above.hidden = phase === 0;
    ports.names.forEach((name, place) => (name.style.opacity = place === phase ? "1" : "0.3"));
  }

  function startFlicker() {
    view.flicker = setInterval(() => turn(1 - view.phase), 1000 / FLICKERS_A_SECOND);
  }

  function transport() {
    const last = view.clip.frames - 1;
    const position = make("input", { class: "position", type: "range", min: "0", max: last, value: view.frame, "aria-label": "Frame", oninput: () => show(Number(position.value)) });
    const button = (name, label, action) => make("button", { "aria-label": label, title: label, onclick: action }, name);
    ports.position = position;
    ports.output = make("output", {});
    ports.play = button("▶", "Play", play);
    ports.zoom = make("span", { class: "small soft" });
    return make(
      "div",
      { class: "transport" },
      button("❙◀", "First frame", () => show(0)),
      button("◀", "One frame back", () => show(view.frame - 1)),
      ports.play,
      button("▶❙", "One frame on", () => show(view.frame + 1)),
      position,
      ports.output,
      button("−", "Zoom out", () => zoomTo(view.zoom / 1.5)),
      ports.zoom,
      button("+", "Zoom in", () => zoomTo(view.zoom * 1.5)),
    );
  }

  function show(frame) {
    view.frame = Math.min(view.clip.frames - 1, Math.max(0, frame));
    const asked = ++view.shown;
    ports.position.value = view.frame;
    ports.output.textContent = `Frame ${view.frame + 1} of ${view.clip.frames}`;
    for (const strip of strips) strip.show(view.frame);
    drawFrame(view.clip, view.frame, panes, () => asked === view.shown).catch((error) => {
      ports.output.textContent = `Frame ${view.frame + 1} can't be shown: ${error.message}`;
    });
  }

  function play() {
    if (view.playing) {
      stop();
      return;
    }
    ports.play.textContent = "❙❙";
    ports.play.setAttribute("aria-label", "Pause");
    view.playing = setInterval(() => show((view.frame + 1) % view.clip.frames), 1000 / FRAMES_A_SECOND);
  }

  function stop() {
    clearInterval(view.playing);
    clearInterval(view.flicker);
    Object.assign(view, { playing: null, flicker: null });
    if (ports.play) {
      ports.play.textContent = "▶";
      ports.play.setAttribute("aria-label", "Play");
    }
  }

  /** Zoom all panes alike, about a point in [0, 1] of each. */
  function zoomTo(zoom, x = 0.5, y = 0.5) {
    const next = Math.min(16, Math.max(1, zoom));
    const within = (value) => Math.min(0, Math.max(1 - next, value));
    view.x = within(x - ((x - view.x) / view.zoom) * next);
    view.y = within(y - ((y - view.y) / view.zoom) * next);
    view.zoom = next;
    const { stage } = ports;
    stage.style.setProperty("--zoom", next);
    stage.style.setProperty("--x", `${view.x * 100}%`);
    stage.style.setProperty("--y", `${view.y * 100}%`);
    stage.classList.toggle("sharp", next >= 2);
    ports.zoom.textContent = `${Math.round(next * 100)} %`;
  }

  function makeStrips() {
    const group = content.groups.findIndex((each) => each.dataset === view.clip.dataset && each.hash === view.clip.hash);
    const members = systems().map((row) => rows[row]);
    const valuesOf = (metric) => (row) => view.clip.systems[row.index].values[metric] ?? Array(view.clip.frames).fill(null);
    return content.columns
      .filter((column) => column.group === group && members.some((row) => view.clip.systems[row.index].values[column.metric]))
      .map((column) => makeStrip(column, members, valuesOf(column.metric), view.clip.frames, show));
  }

  const bindings = {
    ArrowRight: () => show(view.frame + 1),
    ArrowLeft: () => show(view.frame - 1),
    Home: () => show(0),
    End: () => show(view.clip.frames - 1),
    " ": play,
    s: () => choose(view.mode === "slider" ? "side" : "slider"),
    f: () => {
      if (view.mode !== "flicker") return choose("flicker");
      clearInterval(view.flicker);
      return turn(1 - view.phase);
    },
    e: () => {
      Object.assign(view, { mode: "side", errors: view.mode !== "side" || !view.errors });
      build();
      ports.stage.focus();
    },
    "+": () => zoomTo(view.zoom * 1.5),
    "=": () => zoomTo(view.zoom * 1.5),
    "-": () => zoomTo(view.zoom / 1.5),
    0: () => zoomTo(1),
  };
  dialog.addEventListener("keydown", (event) => {
    const { target } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || target.matches("select") || !(event.key in bindings)) return;
    // Keys that a control has a use of its own for are left to it.
    const isRange = target.matches('input[type="range"]:not(.position)') && event.key.length > 1;
    if (isRange || (event.key === " " && target.matches("button, input"))) return;
    event.preventDefault();
    bindings[event.key]();
  });
  dialog.addEventListener("pointerdown", () => (view.pointed = true), true);
  dialog.addEventListener("keydown", () => (view.pointed = false), true);
  dialog.addEventListener("close", () => {
    stop();
    hideTip();
  });
}

function keys() {
  const list = [["← →", "one frame"], ["Home End", "first, last"], ["Space", "play"], ["S", "slider"], ["F", "flicker, then by hand"], ["E", "error map"], ["+ − 0", "zoom"], ["Esc", "close"]];
  return make("p", { class: "keys" }, ...list.map(([key, what]) => make("span", {}, make("kbd", {}, key), ` ${what}`)));
}

function errorLegend(clip) {
  const bar = draw("svg", { width: 120, height: 10, "aria-hidden": "true" }, draw("defs", {}, draw("linearGradient", { id: "heat-bar" }, ...HEAT.map((colour, place) => draw("stop", { offset: place / (HEAT.length - 1), "stop-color": colour })))), draw("rect", { width: 120, height: 10, fill: "url(#heat-bar)" }));
  return make("p", { class: "small soft" }, "Error: |reconstruction − reference| of the lossless frames, mean of the three channels, ", bar, ` from 0 to ${Math.round(100 / clip.gain)} % of the range or more.`);
}

/** Turns grey into colours of equal steps. */
function heatFilter() {
  const channel = (place) => HEAT.map((colour) => (parseInt(colour.slice(1 + 2 * place, 3 + 2 * place), 16) / 255).toFixed(3)).join(" ");
  const transfer = draw("feComponentTransfer", {}, ...["feFuncR", "feFuncG", "feFuncB"].map((name, place) => draw(name, { type: "table", tableValues: channel(place) })));
  return draw("svg", { class: "unseen", "aria-hidden": "true" }, draw("filter", { id: "heat", "color-interpolation-filters": "sRGB" }, transfer));
}
