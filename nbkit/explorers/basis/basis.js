// The basis explorer: one unit's distances while the dictionary behind them gets better.
// Served together with its imports as one module (bundle.py); basis.py says what the data are.

import { AddressPart } from "../shared/address-part.js";
import { fixed } from "../shared/axis.js";
import { element, folded } from "../shared/elements.js";
import { csvText, handOver } from "../shared/hand-over.js";
import { unpack } from "../shared/packing.js";
import { DistanceMatrix, meanDistances } from "./distance-matrix.js";

const HINT =
  "A row and a column for each example, ordered by true behavior, each behavior outlined; the nearer two examples, the " +
  "darker. Best is: dark inside the outlines, nothing outside.";
const TITLES = ["pair AUC", "ARI at 0.5", "clusters at 0.5"];

/** Passes over the data in words. */
export function passes(epochs) {
  return epochs === 0 ? "not at all" : epochs === 1 ? "1 pass" : `${epochs} passes`;
}

/** What is chosen; tells the matrix and the numbers when it changes. */
class BasisExplorer {
  /** @param distances of all rows, one after the other */
  constructor(model, about, distances) {
    this.model = model;
    Object.assign(this, about); // name, sizes, spaces, stages, numbers
    this.distances = distances;
    const n = this.sizes.reduce((sum, size) => sum + size, 0);
    this.nPairs = (n * (n - 1)) / 2;
    this.matrix = new DistanceMatrix(this.sizes);
    this.slider = element("input", { type: "range", min: 0, max: this.stages.length - 1, step: 1 });
    this.slider.addEventListener("input", () => this.set("stage", Number(this.slider.value)));
    this.trained = element("output");
    this.dictionary = element("p", { class: "nk-hint" });
    this.radios = this.spaces.map(({ name }) => element("input", { type: "radio", value: name }));
    this.spaceSet = element("fieldset", {}, [
      element("legend", {}, ["Space"]),
      ...this.radios.map((radio, i) => element("label", {}, [radio, this.spaces[i].name])),
    ]);
    this.values = [...TITLES, "mean distance, one behavior", "mean distance, two behaviors"].map((title) => {
      const value = element("dd");
      return { value, tile: element("div", {}, [element("dt", {}, [title]), value]) };
    });
    this.said = element("p", { class: "nk-hidden", "aria-live": "polite" });
    const label = element("label", { class: "nk-slide" }, [
      element("span", {}, ["How long the dictionary was trained"]),
      this.slider,
      this.trained,
    ]);
    this.root = element("div", { class: "nbkit-explorer nk-basis" }, [
      element("div", { class: "nk-sides" }, [
        this.matrix.root,
        element("div", { class: "nk-knobs" }, [
          label,
          this.dictionary,
          this.spaceSet,
          element("dl", {}, this.values.map(({ tile }) => tile)),
          element("p", { class: "nk-hint" }, [HINT]),
        ]),
      ]),
      this.said,
      folded("All numbers as a table", [this.makeTable()]),
    ]);
    this.first = this.chosen;
    this.show();
  }

  /** Radios of one explorer are one group, whatever else is on the page. */
  group(name) {
    for (const radio of this.radios) {
      radio.setAttribute("name", name);
      radio.addEventListener("change", () => this.set("space", radio.value));
    }
  }

  /** What the reader can choose, as texts. */
  get chosen() {
    return { stage: String(this.model.get("stage")), space: this.model.get("space") };
  }

  /** What an address says: that which is not as it was at first. */
  get differing() {
    const { chosen, first } = this;
    return Object.fromEntries(Object.entries(chosen).filter(([name, text]) => text !== first[name]));
  }

  /** Choose what an address asks for, where there is such a thing. */
  take(asked) {
    const { stage, space } = { ...this.first, ...asked };
    if (Number(stage) in this.stages) this.set("stage", Number(stage));
    if (this.spaces.some(({ name }) => name === space)) this.set("space", space);
  }

  /** Let the address say and change what is chosen. */
  follow(address) {
    this.address = address;
    this.root.append(handOver(address, () => ["dictionary.csv", csvText(this.rows)]));
  }

  /** Follow the model. */
  show() {
    const stage = this.model.get("stage");
    const space = this.spaces.find(({ name }) => name === this.model.get("space"));
    const row = space.rows[space.learned ? stage : 0];
    const [epochs, unexplained] = this.stages[stage];
    const pairs = this.distances.subarray(row * this.nPairs, (row + 1) * this.nPairs);
    const mean = meanDistances(pairs, this.sizes);
    const numbers = this.asTexts(row);
    this.slider.value = stage;
    this.trained.textContent = passes(epochs);
    this.slider.setAttribute("aria-valuetext", passes(epochs));
    for (const radio of this.radios) radio.checked = radio.value === space.name;
    const quality = `It leaves ${fixed(100 * unexplained, 1)}% of the variance unexplained.`;
    this.dictionary.textContent = space.learned ? quality : `${quality} This space has no use for it.`;
    const shown = [...numbers, fixed(mean.within, 2), fixed(mean.between, 2)];
    this.values.forEach(({ value }, i) => (value.textContent = shown[i]));
    const said = TITLES.map((title, i) => `${title} ${numbers[i]}`).join(", ");
    this.said.textContent = `${space.name}, ${passes(epochs)}: ${said}`;
    const means = `${shown.at(-2)} on average within a behavior, ${shown.at(-1)} between two`;
    this.matrix.show(pairs, `Distances of ${this.matrix.n} examples of ${this.name}, ${space.name}: ${means}`);
    this.address?.write();
  }

  /** The numbers of a row. */
  asTexts(row) {
    const [auc, ari, clusters] = this.numbers[row];
    return [fixed(auc, 3), fixed(ari, 3), `${clusters}, true are ${this.sizes.length}`];
  }

  /** Every space at every stage, below the titles. */
  get rows() {
    const titles = ["space", "passes", "unexplained variance", "pair AUC", "ARI at 0.5", "clusters at 0.5"];
    const rows = this.spaces.flatMap(({ name, learned, rows: places }) =>
      places.map((row, stage) => [name, ...(learned ? this.stages[stage] : [null, null]), ...this.numbers[row]]),
    );
    return [titles, ...rows];
  }

  makeTable() {
    const [titles, ...rows] = this.rows;
    const digits = [0, 3, 3, 3, 0];
    const cell = (value, i) => element("td", {}, [value === null ? "–" : fixed(value, digits[i])]);
    const head = element("tr", {}, titles.map((title) => element("th", { scope: "col" }, [title])));
    const body = rows.map(([name, ...values]) =>
      element("tr", {}, [element("th", { scope: "row" }, [name]), ...values.map(cell)]),
    );
    const table = element("table", {}, [element("thead", {}, [head]), element("tbody", {}, body)]);
    return element("div", { class: "nk-scroll", role: "group", tabindex: 0, "aria-label": "All numbers" }, [table]);
  }

  set(name, value) {
    this.model.set(name, value);
    this.model.save_changes();
  }
}

let made = 0;

async function render({ model, el }) {
  const { layout, ...about } = JSON.parse(model.get("about"));
  const { distances } = await unpack(layout, model.get("packed"));
  const explorer = new BasisExplorer(model, about, distances);
  const show = () => explorer.show();
  explorer.group(`nk-basis-${made++}`);
  el.append(explorer.root);
  model.on("change:stage change:space", show);
  const address = new AddressPart(el, "basis", () => explorer.differing, (asked) => explorer.take(asked));
  explorer.follow(address);
  return () => {
    address.close();
    model.off("change:stage change:space", show);
  };
}

export default { render };
