// On every page of a book: each unit that a text names leads to the explorer, and pointing at it or focusing it shows a
// card (neuron-card.js), which is loaded with its data when it is first wanted.

const NAME =
  /\b(?:L(\d{1,3})[ \u00a0]N|[Ll]ayer (\d{1,3}), neuron )(\d{1,6})\b|\bS(\d{1,3})(?:[ \u00a0]#| \([\w.:]+\), [a-z]+ )(\d{1,6})\b/g;
const NOT_IN = "a, code, pre, script, style, svg, button, textarea, h1, h2, h3, h4, h5, h6, .nbkit-explorer";
const [PATIENCE, GRACE] = [150, 250]; // ms until a card opens, and until it closes
const GAP = 6; // pixels between a name and its card

/** The units that a text names, each with the label of its site and the place of its name in the text.
 * @returns {{label: string, index: number, start: number, end: number}[]} */
export function namesIn(text) {
  return Array.from(text.matchAll(NAME), (found) => ({
    label: found[4] === undefined ? `L${Number(found[1] ?? found[2])}` : `S${Number(found[4])}`,
    index: Number(found[3] ?? found[5]),
    start: found.index,
    end: found.index + found[0].length,
  }));
}

/** Link the units that a page names, and those that explorers name when they are mounted.
 * @param atlas `page` with its explorer, and what neuron-card.js needs
 * @param {string} folder the address of the folder that holds the card's script and style */
export function linkNeurons(atlas, folder) {
  const cards = new CardHolder(atlas, folder);
  const article = document.querySelector("article") ?? document.body;
  const link = (root, but) => linkTexts(root, but, atlas, cards);
  const linkTitles = (place) => {
    for (const title of place.querySelectorAll(".nk-title")) link(title, "a, .nk-atlas");
  };
  link(article, NOT_IN);
  const mounted = new MutationObserver((changes) => changes.forEach(({ target }) => linkTitles(target)));
  for (const place of article.querySelectorAll(".nbkit-mount")) {
    linkTitles(place); // it may be there already
    mounted.observe(place, { childList: true });
  }
}

function linkTexts(root, but, atlas, cards) {
  const texts = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  const found = [];
  while (texts.nextNode()) {
    const text = texts.currentNode.data;
    const names = namesIn(text)
      .map((name) => ({ ...name, site: atlas.sites.find(({ label }) => label === name.label) }))
      .filter(({ site, index, start, end }) => index < site?.size && isOf(site, text.slice(start, end)));
    if (names.length && !texts.currentNode.parentElement.closest(but)) found.push([texts.currentNode, names]);
  }
  for (const [text, names] of found) {
    for (const { start, end, site, index } of names.reverse()) {
      const name = text.splitText(start);
      name.splitText(end - start);
      const made = document.createElement("a");
      made.className = "nbkit-neuron";
      made.href = `${document.documentElement.dataset.content_root ?? ""}${atlas.page}#L${site.number}N${index}`;
      name.replaceWith(made);
      made.append(name);
      cards.serve(made, { layer: site.number, index });
    }
  }
}

/** Whether a name that tells its site in full tells this one. */
function isOf({ title, unit }, name) {
  return !name.includes("(") || name.startsWith(`${title}, ${unit} `);
}

/** Opens and closes the card. There is one at most. */
class CardHolder {
  constructor(atlas, folder) {
    Object.assign(this, { atlas, folder });
    this.root = document.createElement("div");
    this.root.id = "nbkit-neuron-card";
    this.root.className = "nbkit-explorer nk-neuron-card";
    this.root.setAttribute("role", "tooltip");
    this.root.addEventListener("pointerenter", () => clearTimeout(this.timer));
    this.root.addEventListener("pointerleave", () => this.closeSoon());
    document.addEventListener("keydown", ({ key }) => key === "Escape" && this.close());
  }

  serve(link, neuron) {
    const soon = () => this.after(PATIENCE, () => this.open(link, neuron));
    link.addEventListener("pointerenter", ({ pointerType }) => pointerType === "mouse" && soon());
    link.addEventListener("focus", soon);
    link.addEventListener("pointerleave", () => this.closeSoon());
    link.addEventListener("blur", () => this.closeSoon());
  }

  after(wait, act) {
    clearTimeout(this.timer);
    this.timer = setTimeout(act, wait);
  }

  closeSoon() {
    this.after(GRACE, () => this.close());
  }

  close() {
    clearTimeout(this.timer);
    this.link?.removeAttribute("aria-describedby");
    this.link = null;
    this.root.remove();
  }

  async open(link, neuron) {
    if (this.link === link) return;
    this.close();
    this.link = link;
    try {
      this.loaded ??= this.load().catch((error) => {
        this.loaded = undefined; // so that it can be tried again
        throw error;
      });
      const neuronCard = await this.loaded;
      const parts = await neuronCard(this.atlas, neuron);
      if (this.link !== link) return; // the pointer has gone on
      this.root.replaceChildren(...parts);
    } catch (error) {
      if (this.link !== link) return;
      this.root.textContent = error.message;
    }
    document.body.append(this.root);
    link.setAttribute("aria-describedby", this.root.id);
    this.put(link);
  }

  /** Below the name, or above it if there is no room; always in the window. */
  put(link) {
    const [at] = link.getClientRects();
    const { width, height } = this.root.getBoundingClientRect();
    const left = Math.max(GAP, Math.min(at.left, document.documentElement.clientWidth - width - GAP));
    const below = at.bottom + GAP + height <= window.innerHeight || at.top < height;
    const top = below ? at.bottom + GAP : at.top - GAP - height;
    Object.assign(this.root.style, { left: `${left + window.scrollX}px`, top: `${top + window.scrollY}px` });
  }

  async load() {
    const style = Object.assign(document.createElement("link"), { rel: "stylesheet", href: `${this.folder}neuron-card.css` });
    const script = Object.assign(document.createElement("script"), { src: `${this.folder}neuron-card.js` });
    await Promise.all(
      [style, script].map(
        (part) =>
          new Promise((resolve, reject) => {
            part.onload = resolve;
            part.onerror = () => reject(new Error("A part of the book is missing."));
            document.head.append(part);
          }),
      ),
    );
    return window.nbkitNeuronCard;
  }
}
