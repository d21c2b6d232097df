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

// Paper is white.
const theme = document.documentElement.dataset;
addEventListener("beforeprint", () => {
  theme.themeOnScreen = theme.theme;
  theme.theme = "light";
});
addEventListener("afterprint", () => {
  theme.theme = theme.themeOnScreen;
});
