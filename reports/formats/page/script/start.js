// Builds the page.

function themeButton() {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  let chosen = null; // until somebody presses the button, the system's choice holds
  const button = make("button", { onclick: () => apply((chosen = current() === "dark" ? "light" : "dark")) });
  const current = () => chosen ?? (dark.matches ? "dark" : "light");
  const apply = (theme) => {
    document.documentElement.dataset.theme = theme;
    button.textContent = theme === "dark" ? "☀ Light" : "☾ Dark";
  };
  dark.addEventListener("change", () => apply(current()));
  // Paper is white, and what is folded away can't be opened on it.
  let opened = [];
  addEventListener("beforeprint", () => {
    document.documentElement.dataset.theme = "light";
    opened = [...document.querySelectorAll("details:not([open])")];
    for (const details of opened) details.open = true;
  });
  addEventListener("afterprint", () => {
    apply(current());
    for (const details of opened) details.open = false;
  });
  apply(current());
  return button;
}

function start() {
  const measured = rows.filter((row) => !row.published).length;
  const datasets = [...new Set(content.groups.map((group) => group.dataset).filter(Boolean))];
  const numVideos = content.videos.reduce((most, each) => Math.max(most, each.of), 0);
  const count = (number, what) => `${number.toLocaleString("en-US")} ${what}${number === 1 ? "" : "s"}`;
  const protocols = [...new Set(content.groups.filter((group) => group.hash).map((group) => `${group.protocol} (${group.hash})`))];
  const facts = [count(measured, "system"), datasets.join(", "), numVideos ? count(numVideos, "video") : "", protocols.length ? `protocol ${protocols.join(", ")}` : ""];
  document.getElementById("top").append(make("h1", {}, content.title), make("p", { class: "facts" }, facts.filter(Boolean).join(" · ")));
  const sections = [resultsSection(), radarSection(), scatterSection(), videosSection(), furtherSection(), methodsSection()].filter(Boolean);
  const links = sections.map((each) => make("a", { href: `#${each.id}` }, each.querySelector("h2").textContent));
  document.getElementById("top").after(make("nav", { "aria-label": "Sections" }, make("div", {}, ...links, themeButton())));
  document.getElementById("main").replaceChildren(...sections);
  startViewer();
}

start();
