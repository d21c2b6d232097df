// The page around an explorer: its theme, and the way between two atlases. Pages that were opened as files may not look
// into each other, so they send messages.

{
  const root = document.documentElement;
  const framed = window.parent !== window;

  const showTheme = (theme) => {
    root.dataset.theme = theme;
    for (const frame of document.querySelectorAll("iframe")) frame.contentWindow.postMessage({ nbkitTheme: theme }, "*");
  };
  const preferred = matchMedia("(prefers-color-scheme: dark)");
  root.dataset.theme = preferred.matches ? "dark" : "light"; // before anything is drawn
  preferred.addEventListener("change", () => showTheme(preferred.matches ? "dark" : "light"));

  addEventListener("message", ({ data, source }) => {
    if (framed && source === window.parent && ["dark", "light"].includes(data?.nbkitTheme)) showTheme(data.nbkitTheme);
    if (typeof data?.nbkitOpen === "string") openBeside(source, data.nbkitOpen);
  });

  /** Open a neuron in the frame beside the one that asks. */
  const openBeside = (asking, hash) => {
    const frames = [...document.querySelectorAll("iframe")];
    const from = frames.findIndex((frame) => frame.contentWindow === asking);
    if (from < 0) return;
    const beside = frames[1 - from];
    beside.src = beside.src.replace(/#.*|$/, () => (hash.startsWith("#") ? hash : ""));
    show(1 - from);
  };

  /** Where there is room for one frame only, let this be the one. */
  const show = (chosen) => {
    document.querySelectorAll("iframe").forEach((frame, i) => frame.classList.toggle("shown", i === chosen));
    document.querySelectorAll("nav button").forEach((tab, i) => tab.setAttribute("aria-pressed", String(i === chosen)));
  };

  document.addEventListener("DOMContentLoaded", () => {
    document.body.classList.toggle("framed", framed);
    document.querySelector(".theme").addEventListener("click", () => showTheme(root.dataset.theme === "dark" ? "light" : "dark"));
    document.querySelectorAll("nav button").forEach((tab, i) => tab.addEventListener("click", () => show(i)));
    show(0);
    const other = document.querySelector(".other");
    const hash = () => ("same" in other.dataset ? location.hash : "");
    const follow = () => (other.href = other.href.replace(/#.*|$/, hash));
    for (const event of ["focus", "pointerenter", "pointerdown"]) other?.addEventListener(event, follow);
    other?.addEventListener("click", (event) => {
      if (!framed) return;
      event.preventDefault();
      window.parent.postMessage({ nbkitOpen: hash() }, "*");
    });
    for (const frame of document.querySelectorAll("iframe")) frame.addEventListener("load", () => showTheme(root.dataset.theme));
  });
}
