// The latent explorer: a model's units in a list, one of them up close, its feature clusters, and a digit to try.
// Served together with its imports as one module (bundle.py); latent.py says what the data are.

import { AddressPart } from "../shared/address-part.js";
import { Answers } from "./answers.js";
import { barList } from "../shared/bars.js";
import { curvePlot, curveText } from "./curve.js";
import { button, clamp, element } from "../shared/elements.js";
import { csvText, handOver } from "../shared/hand-over.js";
import { LatentClusters } from "./latent-clusters.js";
import { averageImage, makeData, product } from "./latent-data.js";
import { LatentList, metricText } from "./latent-list.js";
import { unpack } from "../shared/packing.js";
import { PixelMap, signLegend, signed } from "./pixel-maps.js";

/** Which unit of which view is open; tells its parts when that changes. */
class LatentState {
  constructor(model, data) {
    this.model = model;
    this.data = data;
    this.list = new LatentList(this);
    this.answers = new Answers(this);
    this.clusters = new LatentClusters(this);
    this.maps = [
      new PixelMap("Activation map", "signed"),
      new PixelMap("Average example", "gray"),
      new PixelMap("Importance map", "signed"),
    ];
    this.title = element("p", { class: "nk-title", tabindex: -1 });
    this.status = element("p", { class: "nk-status", role: "status" });
    this.effects = element("div");
    this.curve = element("div");
    this.curveText = element("p", { class: "nk-about" });
    this.tiles = element("dl", { class: "nk-tiles" });
    this.one = this.makeUnit();
    this.root = element("div", { class: "nbkit-explorer nk-panel nk-latent" }, [
      this.makeTools(),
      element("div", { class: "nk-body" }, [this.list.root, this.one]),
      this.answers.root,
      this.clusters.root,
    ]);
    this.follow();
    this.first = this.asked;
    const [first] = data.picks.flat();
    if (first !== undefined) this.answers.load(first);
  }

  /** What is open and how units are sorted, as texts. */
  get asked() {
    const { by, descending } = this.list;
    return { view: String(this.viewNumber), unit: String(this.unit), sort: by, order: descending ? "down" : "up" };
  }

  /** What an address says: that which is not as it was at first. A unit is named with its view. */
  get differing() {
    const { asked, first } = this;
    const moved = asked.view !== first.view || asked.unit !== first.unit;
    const sorted = asked.sort !== first.sort || asked.order !== first.order;
    const { view, unit, sort, order } = asked;
    return { ...(moved ? { view, unit } : {}), ...(sorted ? { sort, order } : {}) };
  }

  /** Open and sort by what an address asks for, where there is such a thing. */
  take(asked) {
    const { view, unit, sort, order } = { ...this.first, ...asked };
    const there = this.data.views[view];
    if (there && Number(unit) >= 0 && Number(unit) < there.n) this.open(Number(view), Math.floor(unit));
    this.list.sortBy(sort, order === "down");
  }

  /** The metrics of all units of the view. */
  get file() {
    const { name, unit, n, metrics } = this.view;
    const rows = Array.from({ length: n }, (_, j) => [j, ...metrics.map(({ values }) => values[j])]);
    const csv = csvText([[unit, ...metrics.map(({ label }) => label)], ...rows]);
    return [`${name.replace(/\W+/g, "-")}.csv`, csv];
  }

  /** "latent 17" */
  get unitName() {
    return `${this.view.unit} ${this.unit}`;
  }

  makeTools() {
    const names = this.data.views.map((view, v) => element("option", { value: v }, [view.name]));
    this.viewChoice = element("select", {}, names);
    this.viewChoice.addEventListener("change", () => {
      const v = Number(this.viewChoice.value);
      this.open(v, this.list.first(this.data.views[v]));
    });
    this.numberText = element("span", { class: "nk-cap" });
    this.numberField = element("input", { type: "number", min: 0, step: 1 });
    this.numberField.addEventListener("change", () => {
      const asked = Math.round(this.numberField.valueAsNumber);
      this.open(this.viewNumber, Number.isNaN(asked) ? this.unit : clamp(asked, 0, this.view.n - 1));
      this.numberField.value = this.unit;
    });
    const go = (text, unit) => button({ class: "nk-button" }, [text], () => this.open(this.viewNumber, unit()));
    return element("div", { class: "nk-tools" }, [
      element("label", {}, ["Model ", this.viewChoice]),
      element("label", {}, [this.numberText, " ", this.numberField]),
      go("Previous", () => this.list.neighbor(this.unit, -1)),
      go("Next", () => this.list.neighbor(this.unit, 1)),
      go("Random", () => Math.floor(Math.random() * this.view.n)),
      this.status,
    ]);
  }

  makeUnit() {
    const part = (title, ...content) => element("div", {}, [element("p", { class: "nk-part" }, [title]), ...content]);
    return element("section", { class: "nk-unit", "aria-label": "One unit up close" }, [
      this.title,
      element("div", { class: "nk-maps" }, this.maps.map((map) => map.root)),
      signLegend(),
      element("div", { class: "nk-plots" }, [
        part("Effect on the logit of each digit", this.effects),
        part("Cumulative activation", this.curve, this.curveText),
      ]),
      this.tiles,
    ]);
  }

  /** Open a unit; `look` brings it into sight. */
  open(viewNumber, unit, look = false) {
    this.model.set("view", viewNumber);
    this.model.set("unit", unit);
    this.model.save_changes();
    this.follow();
    if (!look) return;
    this.title.focus({ preventScroll: true });
    this.one.scrollIntoView({ block: "nearest" });
  }

  /** Show what the model says is open. */
  follow() {
    const viewNumber = this.model.get("view");
    const view = this.data.views[viewNumber];
    const unit = Math.min(this.model.get("unit"), view.n - 1); // a smaller view can come before its unit
    if (view === this.view && unit === this.unit) return;
    const other = view !== this.view;
    Object.assign(this, { viewNumber, view, unit });
    if (other) this.showView();
    this.showUnit();
  }

  showView() {
    this.viewChoice.value = this.viewNumber;
    this.numberText.textContent = `${this.view.unit[0].toUpperCase()}${this.view.unit.slice(1)}`;
    this.numberField.max = this.view.n - 1;
    this.list.showView();
    this.answers.showUnits();
  }

  showUnit() {
    const { data, view, unit } = this;
    const examples = view.examples(unit);
    const [map, average] = [view.map(unit), averageImage(data, examples)];
    [map, average, product(map, average)].forEach((values, i) => this.maps[i].show(values));
    this.title.textContent = `${view.name}, ${this.unitName}`;
    this.numberField.value = unit;
    this.showEffects([...view.logits(unit)]);
    const curve = view.curve(unit);
    this.curve.replaceChildren(curvePlot(curve));
    this.curveText.textContent = curveText(curve);
    this.tiles.replaceChildren(
      ...view.metrics.map(({ label, flag, values }) =>
        element("div", {}, [element("dt", {}, [label]), element("dd", {}, [metricText(values[unit], flag)])]),
      ),
    );
    this.list.choose(unit);
    this.sorted();
    this.clusters.showUnit();
    this.answers.choose();
    this.address?.write();
  }

  showEffects(effects) {
    const largest = Math.max(...effects.map(Math.abs));
    const rows = effects.map((effect, digit) => [String(digit), effect, signed(effect)]);
    this.effects.replaceChildren(barList(rows, { name: "Logit effects", largest, both: true }));
  }

  /** Say where the unit stands in the list. */
  sorted() {
    if (this.unit === undefined) return;
    this.status.textContent = `${this.unitName}: ${this.list.placeText(this.unit)}`;
    this.address?.write();
  }
}

async function render({ model, el }) {
  const about = JSON.parse(model.get("about"));
  const state = new LatentState(model, makeData(about, await unpack(about.layout, model.get("packed"))));
  const follow = () => state.follow();
  el.append(state.root);
  state.list.choose(state.unit);
  state.address = new AddressPart(el, "latent", () => state.differing, (asked) => state.take(asked));
  state.root.append(handOver(state.address, () => state.file));
  model.on("change:view", follow);
  model.on("change:unit", follow);
  return () => {
    state.list.close();
    state.address.close();
    model.off("change:view", follow);
    model.off("change:unit", follow);
  };
}

export default { render };
