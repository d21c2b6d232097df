// The Pareto explorer: the autoencoders of a sweep as marks on two measures that the reader chooses.
// Served together with its imports as one module (bundle.py); pareto.py says what the data are.

import { AddressPart } from "../shared/address-part.js";
import { element } from "../shared/elements.js";
import { csvText, handOver } from "../shared/hand-over.js";
import { ParetoPlot, sample } from "./pareto-plot.js";
import { fixed, short } from "../shared/axis.js";

const HINT =
  "Large marks are means over seeds with 95% intervals, small ones the seeds; lines join autoencoders that differ in " +
  "sparsity alone.";
const INVITATION = "Point at a mark to read it, or focus the plot and use the arrow keys.";

/** What is chosen and pointed at; tells the plot and the table when it changes. */
class ParetoExplorer {
  constructor(model) {
    this.model = model;
    Object.assign(this, JSON.parse(model.get("data"))); // axes, kinds, levels, points
    this.marked = null;
    this.about = element("p", { class: "nk-about", "aria-live": "polite" });
    this.rows = element("tbody");
    this.head = element("tr");
    this.selects = { x: this.makeSelect("x", "Across"), y: this.makeSelect("y", "Up") };
    this.boxes = element("fieldset", {}, [element("legend", {}, ["Activation"]), ...this.makeBoxes()]);
    this.plot = new ParetoPlot(this);
    this.root = element("div", { class: "nbkit-explorer nk-pareto" }, [
      element("div", { class: "nk-tools" }, [this.selects.y, this.selects.x, this.boxes]),
      this.makeLegend(),
      element("p", { class: "nk-hint" }, [HINT]),
      this.plot.root,
      this.about,
      element("details", {}, [
        element("summary", {}, ["The same as a table"]),
        element("table", {}, [element("thead", {}, [this.head]), this.rows]),
      ]),
    ]);
    this.first = this.chosen;
    this.show();
  }

  /** What the reader can choose, as texts. */
  get chosen() {
    const [x, y, activations] = ["x", "y", "activations"].map((name) => this.model.get(name));
    return { x, y, activations: activations.join(",") };
  }

  /** Let the address say and change what is chosen. */
  follow(address) {
    this.address = address;
    this.root.append(handOver(address, () => ["sweep.csv", this.asCsv()]));
  }

  /** What an address says: that which is not as it was at first. */
  get differing() {
    const { chosen, first } = this;
    return Object.fromEntries(Object.entries(chosen).filter(([name, text]) => text !== first[name]));
  }

  /** Choose what an address asks for, where there is such a thing. */
  take(asked) {
    const { x, y, activations } = { ...this.first, ...asked };
    for (const [which, name] of [["x", x], ["y", y]]) {
      if (this.axes.some((axis) => axis.name === name)) this.set(which, name);
    }
    const names = activations.split(",");
    this.set("activations", this.kinds.map(({ name }) => name).filter((name) => names.includes(name)));
  }

  /** Every autoencoder of the sweep with all measures. */
  asCsv() {
    const rows = this.points.flatMap((point) =>
      point.seeds[0].map((_, seed) => [
        this.kinds[point.kind].name,
        point.sparsity,
        this.levels[point.level],
        seed,
        ...point.seeds.map((values) => values[seed]),
      ]),
    );
    const { axes } = this;
    return csvText([["activation", "sparsity", "ne", "seed", ...axes.map(({ name }) => name)], ...rows]);
  }

  /** The place of the measure of an axis. */
  measure(which) {
    const name = this.model.get(which);
    return this.axes.findIndex((axis) => axis.name === name);
  }

  get shown() {
    const chosen = this.model.get("activations");
    return this.points.filter((point) => chosen.includes(this.kinds[point.kind].name));
  }

  /** Follow the model. */
  show() {
    for (const [which, label] of Object.entries(this.selects)) {
      label.lastChild.value = this.model.get(which);
    }
    const chosen = this.model.get("activations");
    for (const box of this.boxes.querySelectorAll("input")) box.checked = chosen.includes(box.value);
    if (!this.shown.includes(this.marked)) this.marked = null;
    this.plot.draw(true);
    this.fillTable();
    this.tell();
    this.address?.write();
  }

  /** Point at a point of the grid; it is read out below the plot. */
  mark(point) {
    this.marked = point;
    this.plot.paint();
    this.tell();
  }

  tell() {
    const point = this.marked;
    this.about.textContent = point
      ? `${this.name(point)}: ${[this.measure("x"), this.measure("y")].map((at) => this.value(point, at)).join("; ")}`
      : INVITATION;
  }

  /** A point of the grid in words. */
  name(point) {
    const kind = this.kinds[point.kind];
    return `${kind.title}, ${this.sparsity(point)}, ${this.weight(point.level)}`;
  }

  /** What makes a point sparse. */
  sparsity(point) {
    return `${this.kinds[point.kind].by} ${short(point.sparsity)}`;
  }

  /** A weight of the neuron-embedding loss. */
  weight(level) {
    return level ? `λ₂ ${short(this.levels[level])}` : "standard";
  }

  /** A measure of a point with its title and interval. */
  value(point, at) {
    const { title } = this.axes[at];
    return `${title} ${this.number(point, at)}`;
  }

  number(point, at) {
    const [mean, low, high] = point.means[at].map((value) => value !== null && fixed(value, this.axes[at].digits));
    if (!mean) return "–";
    return low ? `${mean} (${low} to ${high})` : mean;
  }

  makeSelect(which, text) {
    const options = this.axes.map(({ name, title }) => element("option", { value: name }, [title]));
    const select = element("select", {}, options);
    select.addEventListener("change", () => this.set(which, select.value));
    return element("label", {}, [element("span", {}, [text]), select]);
  }

  makeBoxes() {
    return this.kinds.map(({ name, title }, kind) => {
      const box = element("input", { type: "checkbox", value: name });
      box.addEventListener("change", () => {
        const chosen = [...this.boxes.querySelectorAll("input:checked")].map((each) => each.value);
        this.set("activations", chosen);
      });
      return element("label", { class: "nk-box" }, [box, sample(kind, 1), title]);
    });
  }

  makeLegend() {
    const items = this.levels.map((_, level) => element("span", {}, [sample(0, level, "--quiet"), this.weight(level)]));
    return element("p", { class: "nk-key-list" }, ["Weight of the neuron-embedding loss: ", ...items]);
  }

  fillTable() {
    const at = [this.measure("x"), this.measure("y")];
    const heads = ["Autoencoder", ...at.map((place) => this.axes[place].title)];
    this.head.replaceChildren(...heads.map((text) => element("th", { scope: "col" }, [text])));
    this.rows.replaceChildren(
      ...this.shown.map((point) =>
        element("tr", {}, [
          element("th", { scope: "row" }, [this.name(point)]),
          ...at.map((place) => element("td", {}, [this.number(point, place)])),
        ]),
      ),
    );
  }

  set(name, value) {
    this.model.set(name, value);
    this.model.save_changes();
  }
}

function render({ model, el }) {
  const explorer = new ParetoExplorer(model);
  const show = () => explorer.show();
  const resized = new ResizeObserver(() => explorer.plot.draw(false));
  el.append(explorer.root);
  resized.observe(explorer.plot.root);
  model.on("change:x change:y change:activations", show);
  const address = new AddressPart(el, "pareto", () => explorer.differing, (asked) => explorer.take(asked));
  explorer.follow(address);
  return () => {
    resized.disconnect();
    address.close();
    model.off("change:x change:y change:activations", show);
  };
}

export default { render };
