// A page opened as a file may not read other files, so the search can't show where in a page it found a word.
if (location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;

// A citation names the address at which its reader is, with the neuron that is open; a file's is nothing to others.
document.addEventListener(
  "toggle",
  ({ target }) => {
    if (!target.matches(".nbkit-cite") || location.protocol === "file:") return;
    for (const place of target.querySelectorAll("[data-address]")) {
      place.textContent = place.dataset.address.replace("ADDRESS", () => location.href);
    }
  },
  true,
);

// What is wider than a narrow page scrolls by itself; the keyboard scrolls only what it can reach.
const reached = new ResizeObserver((seen) => {
  for (const { target } of seen) {
    if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
    else target.removeAttribute("tabindex");
  }
});

document.addEventListener("DOMContentLoaded", () => {
  for (const wide of document.querySelectorAll(".nbkit-table, .nbkit-figure")) reached.observe(wide);
  // parts of the theme and of Sphinx that say nothing, or something wrong, to a screen reader
  const home = document.querySelector(".bd-sidebar-primary .navbar-brand")?.parentElement;
  home?.setAttribute("role", "navigation");
  home?.setAttribute("aria-label", "Home");
  for (const list of document.querySelectorAll("dt.sig dl")) {
    const term = document.createElement("dt");
    term.className = "visually-hidden";
    term.textContent = "Parameters";
    list.prepend(term);
  }
  for (const entry of document.querySelectorAll(".citation-list > [role]")) entry.setAttribute("role", "listitem");
});

// Paper is white.
const theme = document.documentElement.dataset;
addEventListener("beforeprint", () => {
  theme.themeOnScreen = theme.theme;
  theme.theme = "light";
});
addEventListener("afterprint", () => {
  theme.theme = theme.themeOnScreen;
});
