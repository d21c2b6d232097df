// Neurons, or features that were found, one below another: each with its clusters' most central text, the key tokens in
// one column, or most central images. Only the rows that are in sight exist, for there are tens of thousands.

import { HUES } from "../shared/cluster-colors.js";
import { clamp, consume, element } from "../shared/elements.js";
import { keyLine } from "../shared/kwic.js";
import { pictureHeight } from "../shared/pictures.js";
import { capital, count, number } from "../shared/snippets.js";

const ROW_HEAD = 26; // pixels of a row's first line, and of what is around it
const ROW_LINE = 20; // of each text
const ROW_TEXTS = 2; // of a neuron
const ROW_PICTURES = 5; // of a neuron, of which those are shown that have room
const PICTURE_GAP = 6; // pixels below and above them
const SPARE_ROWS = 6; // rows above and below those in sight
const SETTLED = 120; // ms without scrolling until texts are loaded
const LIST_STEPS = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 };

let lists = 0; // for names of elements that no other list has

export class NeuronList {
  /** @param choice the state that it shows and changes (neuron-choice.js) */
  constructor(choice) {
    this.choice = choice;
    this.name = `nk-neurons-${lists++}`;
    this.at = 0; // the place in the order that the keys move
    this.made = new Map(); // by place, the rows that exist
    this.inside = element("div", { role: "presentation" });
    this.root = element("div", { class: "nk-list", role: "listbox", tabindex: 0, "aria-label": capital(choice.overview.words.units) }, [this.inside]);
    this.root.addEventListener("scroll", () => this.paint());
    this.root.addEventListener("click", ({ target }) => {
      const row = target.closest("[role=option]");
      if (row) choice.openAt(Number(row.dataset.place));
    });
    this.root.addEventListener("keydown", (event) => {
      const last = choice.rows.length - 1;
      const ends = { Home: 0, End: last };
      if (event.key === "Enter") choice.explorer.enter();
      else if (event.key in LIST_STEPS || event.key in ends) {
        choice.openAt(clamp(ends[event.key] ?? this.at + LIST_STEPS[event.key], 0, last), { look: false });
      } else return;
      consume(event);
    });
  }

  get height() {
    const { hits, overview } = this.choice;
    if (overview.images) return ROW_HEAD + pictureHeight(overview.images) + PICTURE_GAP;
    return ROW_HEAD + ROW_LINE * (hits ? 1 : ROW_TEXTS);
  }

  /** Show the chosen neurons in their order, from the first on. */
  show() {
    this.forget();
    this.inside.style.height = `${this.choice.rows.length * this.height}px`;
    this.root.scrollTop = 0;
    this.at = Math.max(this.choice.place, 0);
    this.paint();
  }

  forget() {
    this.made.clear();
    this.inside.replaceChildren();
  }

  /** Make the rows in sight anew, where they are. */
  refresh() {
    this.forget();
    this.paint();
  }

  /** Bring what is open into sight, if it is in the list. */
  choose() {
    this.at = Math.max(this.choice.place, 0);
    const { scrollTop, clientHeight } = this.root;
    const top = this.at * this.height;
    if (clientHeight && (top < scrollTop || top + this.height > scrollTop + clientHeight)) {
      this.root.scrollTop = Math.max(0, top - clientHeight / 2);
    }
    this.paint();
  }

  paint() {
    const { rows, place: open } = this.choice;
    if (!this.root.clientHeight) return;
    const first = Math.max(0, Math.floor(this.root.scrollTop / this.height) - SPARE_ROWS);
    const last = Math.min(rows.length, first + Math.ceil(this.root.clientHeight / this.height) + 2 * SPARE_ROWS);
    for (const [place, row] of this.made) {
      if (place >= first && place < last) continue;
      row.remove();
      this.made.delete(place);
    }
    for (let place = first; place < last; place++) {
      if (!this.made.has(place)) this.made.set(place, this.makeRow(place));
    }
    // in their order, for those who hear them one after another
    const ordered = [...this.made.entries()].sort((a, b) => a[0] - b[0]).map(([, row]) => row);
    ordered.forEach((row, i) => this.inside.children[i] !== row && this.inside.insertBefore(row, this.inside.children[i] ?? null));
    for (const [place, row] of this.made) row.setAttribute("aria-selected", place === open);
    if (this.made.has(this.at)) this.root.setAttribute("aria-activedescendant", `${this.name}-${this.at}`);
    else this.root.removeAttribute("aria-activedescendant");
    clearTimeout(this.resting);
    this.resting = setTimeout(() => this.load(), SETTLED);
  }

  makeRow(place) {
    const { rows, hits } = this.choice;
    const [row, hit] = [rows[place], hits?.[place]];
    const attributes = {
      role: "option",
      id: `${this.name}-${place}`,
      class: "nk-row",
      style: `top: ${place * this.height}px; height: ${this.height}px`,
      "data-place": place,
      "aria-posinset": place + 1,
      "aria-setsize": rows.length,
    };
    const made = element("div", attributes, [this.makeHead(row, hit)]);
    this.fill(made, row, hit);
    return made;
  }

  makeHead(row, hit) {
    const { overview, metric, explorer } = this.choice;
    const name = overview.name(row) + (hit ? ` · cluster ${hit.place + 1}` : "");
    const said = hit ? `${hit.count} of ${count(hit.size, "example")}` : number(metric.values[row]);
    const { favorite, label } = explorer.notes.of(row);
    return element("div", { class: "nk-row-head" }, [
      element("span", { class: "nk-row-name" }, [name]),
      ...(favorite ? [element("span", { class: "nk-star", role: "img", "aria-label": "favorite" }, ["★"])] : []),
      element("span", { class: "nk-row-label", dir: "auto" }, [label]),
      element("span", { class: "nk-value" }, [said]),
    ]);
  }

  /** Put the texts of a row's clusters into it, if they are there. */
  fill(made, row, hit) {
    const known = this.choice.explorer.medoids.known.get(row);
    if (!known || made.children.length > 1) return;
    const places = known.sizes.slice(0, known.pictures ? ROW_PICTURES : ROW_TEXTS).map((_, place) => place);
    const lines = (hit ? [hit.place] : places).map((place) => medoidPart(known, place));
    made.append(...(known.pictures ? [element("div", { class: "nk-medoids" }, lines)] : lines));
  }

  /** Load the texts of the rows in sight. */
  load() {
    const { rows, hits, explorer } = this.choice;
    for (const [place, made] of this.made) {
      if (made.children.length > 1) continue;
      const row = rows[place];
      const fill = () => this.made.get(place) === made && this.fill(made, row, hits?.[place]);
      explorer.medoids.load(row).then(fill, () => {}); // a list without texts is a list; the neuron will tell
    }
  }
}

/** The medoid of a feature in one line, or its image, in the color of its cluster. */
function medoidPart(data, place) {
  const part = data.pictures ? data.pictures.element(data, place) : keyLine(data, place);
  part.style.setProperty("--color", data.sizes[place] === 1 ? "var(--alone)" : `var(--hue-${place % HUES})`);
  return part;
}
