// All units of a view in the order of a metric: a list of which each is a thumbnail, a number and a value.

import { button, element, rove } from "../shared/elements.js";
import { ranking } from "../shared/ranking.js";
import { emptyCanvas, paint, signedPixels } from "./pixel-maps.js";
import { number } from "../shared/snippets.js";

const NUMBER = "number"; // the order that needs no metric

/** A metric's value for the eye. */
export function metricText(value, flag) {
  if (Number.isNaN(value)) return "–";
  return flag ? (value ? "yes" : "no") : number(value);
}

export class LatentList {
  /** @param explorer the state that it shows and changes (latent.js) */
  constructor(explorer) {
    this.explorer = explorer;
    this.rows = new Map(); // of each view that was shown, its rows
    this.by = NUMBER; // the label of the metric by which they are sorted
    this.descending = false;
    this.choice = element("select");
    this.choice.addEventListener("change", () => this.sortBy(this.choice.value, this.choice.value !== NUMBER));
    this.turn = button({ class: "nk-button" }, [], () => this.sortBy(this.by, !this.descending));
    this.list = element("div", { class: "nk-list", role: "listbox" });
    this.waiting = new Map(); // by row, what draws its map
    this.inSight = new IntersectionObserver((entries) => this.drawMaps(entries), { root: this.list, rootMargin: "200px" });
    this.list.addEventListener("focusin", ({ target }) => explorer.open(explorer.viewNumber, this.unitOf(target)));
    const row = (by) => by * this.columns();
    rove(this.list, {
      ArrowRight: 1,
      ArrowLeft: -1,
      get ArrowDown() {
        return row(1);
      },
      get ArrowUp() {
        return row(-1);
      },
      PageDown: 20,
      PageUp: -20,
    });
    this.root = element("div", { class: "nk-browse" }, [
      element("div", { class: "nk-tools" }, [element("label", {}, ["Sort by ", this.choice]), this.turn]),
      this.list,
    ]);
  }

  unitOf(row) {
    return Number(row.closest("[data-unit]").dataset.unit);
  }

  /** How many rows of the list stand side by side. */
  columns() {
    const rows = [...this.list.children];
    const below = rows.findIndex((row) => row.offsetTop > rows[0].offsetTop);
    return below < 0 ? rows.length : below;
  }

  /** The metric of a view by which it is sorted; undefined: by number. */
  metric(view) {
    return view.metrics.find(({ label }) => label === this.by);
  }

  /** The units of a view in the order that is chosen. */
  orderOf(view) {
    const values = this.metric(view)?.values ?? Float64Array.from({ length: view.n }, (_, j) => j);
    return ranking(values, this.descending);
  }

  /** The unit of a view that comes first, one with examples if there is any. */
  first(view) {
    const order = this.orderOf(view);
    return order.find((j) => view.examples(j).length) ?? order[0];
  }

  /** List the units of the present view; the metric stays if the view has it. */
  showView() {
    const { view } = this.explorer;
    const names = [NUMBER, ...view.metrics.map((metric) => metric.label)];
    this.choice.replaceChildren(...names.map((name) => element("option", { value: name }, [name])));
    if (!this.rows.has(view)) this.rows.set(view, Array.from({ length: view.n }, (_, j) => this.makeRow(view, j)));
    this.list.setAttribute("aria-label", `All ${view.unit}s`);
    this.list.replaceChildren();
    this.choice.value = this.metric(view)?.label ?? NUMBER;
    this.sort();
  }

  /** Sort by a metric, by its label; by number if no view has it, or if this one does not. */
  sortBy(label, descending) {
    const known = this.explorer.data.views.some(({ metrics }) => metrics.some((metric) => metric.label === label));
    this.by = known ? label : NUMBER;
    this.descending = descending;
    this.choice.value = this.metric(this.explorer.view)?.label ?? NUMBER;
    this.sort();
  }

  makeRow(view, j) {
    const name = element("span", { class: "nk-hidden" }, [`${view.unit} `]);
    const canvas = emptyCanvas("signed");
    const row = element("div", { role: "option", class: "nk-row", "data-unit": j, "aria-selected": false, tabindex: -1 }, [
      canvas,
      element("span", {}, [name, element("b", {}, [String(j)])]),
      element("span", { class: "nk-value" }),
    ]);
    this.waiting.set(row, () => paint(canvas, signedPixels(view.map(j))));
    this.inSight.observe(row);
    return row;
  }

  /** Draw the maps of rows that come into sight: all of them take a second. */
  drawMaps(entries) {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      this.waiting.get(target)();
      this.waiting.delete(target);
      this.inSight.unobserve(target);
    }
  }

  close() {
    this.inSight.disconnect();
  }

  sort() {
    const { view } = this.explorer;
    const metric = this.metric(view);
    this.order = this.orderOf(view);
    this.turn.textContent = this.descending ? "Largest first" : "Smallest first";
    this.turn.setAttribute("aria-label", `${this.turn.textContent}: turn the order around`);
    const rows = this.rows.get(view);
    for (const [j, row] of rows.entries()) {
      row.lastChild.textContent = metric ? metricText(metric.values[j], metric.flag) : "";
    }
    this.list.append(...this.order.map((j) => rows[j]));
    this.keepInSight();
    this.explorer.sorted();
  }

  /** Where a unit stands, in words. */
  placeText(unit) {
    const by = `${this.choice.value}, ${this.descending ? "largest" : "smallest"} first`;
    return `${this.order.indexOf(unit) + 1} of ${this.order.length} by ${by}`;
  }

  /** The unit so many places further down the list; from one end to the other. */
  neighbor(unit, by) {
    const n = this.order.length;
    return this.order[(this.order.indexOf(unit) + by + n) % n];
  }

  /** Show which unit is open. */
  choose(unit) {
    const rows = this.rows.get(this.explorer.view);
    for (const [j, row] of rows.entries()) {
      row.setAttribute("aria-selected", j === unit);
      row.tabIndex = j === unit ? 0 : -1;
    }
    this.keepInSight();
  }

  /** Scroll to the open unit, where it is out of sight. */
  keepInSight() {
    const row = this.list.querySelector("[aria-selected=true]");
    if (!row) return;
    const { scrollTop, clientHeight } = this.list;
    if (row.offsetTop >= scrollTop && row.offsetTop + row.offsetHeight <= scrollTop + clientHeight) return;
    this.list.scrollTop = row.offsetTop - (clientHeight - row.offsetHeight) / 2;
  }
}
