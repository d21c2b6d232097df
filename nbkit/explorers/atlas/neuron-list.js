// Neurons in the order of a metric. Only the rows that are in sight exist, for there are tens of thousands.

import { clamp, consume, element } from "../shared/elements.js";
import { number } from "../shared/snippets.js";

const ROW = 26; // pixels
const SPARE = 8; // rows above and below those in sight
const LIST_STEPS = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 };

let lists = 0; // for names of elements that no other list has

export class NeuronList {
  /** @param choice the state that it shows and changes (neuron-choice.js) */
  constructor(choice) {
    this.choice = choice;
    this.name = `nk-neurons-${lists++}`;
    this.at = 0; // the place in the order that the keys move
    this.inside = element("div", { role: "presentation" });
    this.root = element("div", { class: "nk-list", role: "listbox", tabindex: 0, "aria-label": "Neurons" }, [this.inside]);
    this.root.addEventListener("scroll", () => this.paint());
    this.root.addEventListener("click", ({ target }) => {
      const row = target.closest("[role=option]");
      if (row) this.go(Number(row.dataset.place));
    });
    this.root.addEventListener("keydown", (event) => {
      const ends = { Home: 0, End: choice.rows.length - 1 };
      if (event.key === "Enter") this.choice.open(this.choice.rows[this.at], { look: true });
      else if (event.key in LIST_STEPS || event.key in ends) this.go(ends[event.key] ?? this.at + LIST_STEPS[event.key]);
      else return;
      consume(event);
    });
  }

  /** Open the neuron at a place in the order. */
  go(place) {
    const { rows } = this.choice;
    if (rows.length) this.choice.open(rows[clamp(place, 0, rows.length - 1)]);
  }

  /** Show the chosen neurons in their order, from the first on. */
  show() {
    this.inside.style.height = `${this.choice.rows.length * ROW}px`;
    this.root.scrollTop = 0;
    this.at = Math.max(this.choice.rows.indexOf(this.choice.row), 0);
    this.paint();
  }

  /** Bring the open neuron into sight, if it is in the list. */
  choose() {
    const place = this.choice.rows.indexOf(this.choice.row);
    this.at = Math.max(place, 0);
    const { scrollTop, clientHeight } = this.root;
    const top = this.at * ROW;
    if (clientHeight && (top < scrollTop || top + ROW > scrollTop + clientHeight)) {
      this.root.scrollTop = Math.max(0, top - clientHeight / 2);
    }
    this.paint();
  }

  paint() {
    const { rows, overview, metric, row: open } = this.choice;
    const first = Math.max(0, Math.floor(this.root.scrollTop / ROW) - SPARE);
    const last = Math.min(rows.length, first + Math.ceil(this.root.clientHeight / ROW) + 2 * SPARE);
    const shown = [];
    for (let place = first; place < last; place++) {
      const row = rows[place];
      const attributes = {
        role: "option",
        id: `${this.name}-${place}`,
        class: "nk-row",
        style: `top: ${place * ROW}px`,
        "data-place": place,
        "aria-selected": row === open,
        "aria-posinset": place + 1,
        "aria-setsize": rows.length,
      };
      shown.push(
        element("div", attributes, [
          element("span", {}, [overview.name(row)]),
          element("span", { class: "nk-value" }, [number(metric.values[row])]),
        ]),
      );
    }
    this.inside.replaceChildren(...shown);
    if (first <= this.at && this.at < last) this.root.setAttribute("aria-activedescendant", `${this.name}-${this.at}`);
    else this.root.removeAttribute("aria-activedescendant");
  }
}
