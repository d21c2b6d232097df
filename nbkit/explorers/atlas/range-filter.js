// One filter: a range slider over the histogram of a metric. A thumb moves by hand or keys, a stroke across the bars
// chooses what it covers.

import { button, clamp, consume, element, svg } from "../shared/elements.js";
import { number } from "../shared/snippets.js";
import { ANY, binsOf, makeScale } from "./ranges.js";

const THUMB_STEPS = { ArrowUp: 1, ArrowRight: 1, ArrowDown: -1, ArrowLeft: -1, PageUp: 5, PageDown: -5 };
const THUMB_REACH = 14; // pixels from which a thumb is taken
const STROKE = 5; // pixels from which a press is a stroke
const RANGE_ENDS = ["at least", "at most"];

export class RangeFilter {
  /** @param metric its name, label and the values of all neurons
   * @param usual the range without which the filter is off in an address
   * @param changed is told when the reader has chosen another range */
  constructor({ name, label, values }, usual, changed) {
    Object.assign(this, { name, label, values, usual, changed });
    this.scale = makeScale(values, name === "layer" || name.startsWith("n_"));
    this.bins = binsOf(values, this.scale);
    this.n = this.scale.edges.length - 1;
    this.range = usual;
    this.said = element("span", { class: "nk-value" });
    this.clear = button({ class: "nk-clear", "aria-label": `${label}: any` }, ["×"], () => {
      this.set(ANY);
      this.thumbs[0].focus();
    });
    this.bars = [svg("path", { class: "nk-outside" }), svg("path", { class: "nk-inside" })];
    this.thumbs = RANGE_ENDS.map((end, i) => this.makeThumb(end, i));
    this.plot = svg("svg", { viewBox: "0 0 100 100", preserveAspectRatio: "none", "aria-hidden": "true" }, this.bars);
    this.track = element("div", { class: "nk-range" }, [this.plot, ...this.thumbs]);
    this.root = element("div", { class: "nk-filter", role: "group", "aria-label": label }, [
      element("div", { class: "nk-filter-head" }, [element("span", { class: "nk-filter-name", title: label }, [label]), this.said, this.clear]),
      this.track,
    ]);
    this.track.addEventListener("pointerdown", (event) => this.press(event));
    this.show();
  }

  makeThumb(end, i) {
    const { edges } = this.scale;
    const limits = { "aria-valuemin": edges[0], "aria-valuemax": this.top(edges.at(-1)) };
    const thumb = element("span", { class: "nk-thumb", role: "slider", tabindex: 0, "aria-label": `${this.label}, ${end}`, ...limits });
    thumb.addEventListener("keydown", (event) => {
      const at = this.edgeOf(i);
      const ends = { Home: 0, End: this.n };
      if (!(event.key in THUMB_STEPS) && !(event.key in ends)) return;
      this.move(i, ends[event.key] ?? at + THUMB_STEPS[event.key]);
      consume(event);
    });
    return thumb;
  }

  /** The highest value below an edge that is not the next bar's. */
  top(edge) {
    return this.scale.whole ? edge - 1 : edge;
  }

  /** The edge at which a thumb stands, or the nearest one. */
  edgeOf(i) {
    if (!Number.isFinite(this.range[i])) return i ? this.n : 0;
    const value = i && this.scale.whole ? this.range[i] + 1 : this.range[i];
    return this.edgeAt(this.scale.place(value));
  }

  edgeAt(place) {
    const away = this.scale.edges.map((edge) => Math.abs(this.scale.place(edge) - place));
    return away.indexOf(Math.min(...away));
  }

  /** Move a thumb to an edge; at least one bar stays between them. */
  move(i, edge) {
    const [from, to] = [this.edgeOf(0), this.edgeOf(1)];
    if (i) this.choose(from, clamp(edge, from + 1, this.n));
    else this.choose(clamp(edge, 0, to - 1), to);
  }

  /** Choose the bars from one edge to another. */
  choose(from, to) {
    const { edges } = this.scale;
    this.set([from ? edges[from] : -Infinity, to < this.n ? this.top(edges[to]) : Infinity]);
  }

  set(range) {
    if (range[0] === this.range[0] && range[1] === this.range[1]) return;
    this.range = range;
    this.show();
    this.changed();
  }

  press(event) {
    if (event.button) return;
    const box = this.plot.getBoundingClientRect();
    const place = ({ clientX }) => clamp((clientX - box.left) / box.width, 0, 1);
    const pressed = place(event);
    const away = this.thumbs.map((_, i) => Math.abs(this.at(i) - pressed) * box.width);
    const nearest = away[0] === away[1] ? Number(pressed > this.at(0)) : Number(away[1] < away[0]);
    const taken = away[nearest] <= THUMB_REACH;
    let stroke = false;
    const follow = (moved) => {
      const now = place(moved);
      if (taken) return this.move(nearest, this.edgeAt(now));
      stroke ||= Math.abs(now - pressed) * box.width > STROKE;
      if (!stroke) return;
      const [from, to] = [pressed, now].map((at) => this.edgeAt(at)).sort((a, b) => a - b);
      this.choose(Math.min(from, this.n - 1), Math.max(to, from + 1));
    };
    const release = (released) => {
      if (!taken && !stroke && released.type === "pointerup") this.move(nearest, this.edgeAt(pressed));
      for (const [name, act] of listeners) this.track.removeEventListener(name, act);
    };
    const listeners = [["pointermove", follow], ["pointerup", release], ["pointercancel", release]];
    for (const [name, act] of listeners) this.track.addEventListener(name, act);
    this.track.setPointerCapture(event.pointerId);
    this.thumbs[nearest].focus({ preventScroll: true });
    event.preventDefault();
  }

  /** Where a thumb stands, from 0 to 1. */
  at(i) {
    if (!Number.isFinite(this.range[i])) return i;
    return this.scale.place(i && this.scale.whole ? this.range[i] + 1 : this.range[i]);
  }

  show() {
    const [low, high] = this.range;
    this.any = low === -Infinity && high === Infinity;
    const said = low === high ? number(low) : [number(low), number(high)];
    const text = this.any ? "" : low === -Infinity ? `≤ ${said[1]}` : high === Infinity ? `≥ ${said[0]}` : low === high ? said : said.join("–");
    this.said.textContent = text;
    this.clear.hidden = this.any;
    this.root.classList.toggle("nk-active", !this.any);
    for (const [i, thumb] of this.thumbs.entries()) {
      const known = Number.isFinite(this.range[i]);
      const value = known ? this.range[i] : i ? this.top(this.scale.edges.at(-1)) : this.scale.edges[0];
      thumb.style.setProperty("--at", this.at(i).toFixed(4));
      thumb.setAttribute("aria-valuenow", value);
      thumb.setAttribute("aria-valuetext", known ? number(value) : "no limit");
    }
    this.paint();
  }

  /** Show how many neurons that pass all other filters lie in each bar. */
  count(counts) {
    this.counts = counts;
    this.paint();
  }

  paint() {
    if (!this.counts) return;
    const { edges, place } = this.scale;
    const most = Math.max(1, ...this.counts);
    const [from, to] = [this.at(0), this.at(1)];
    const paths = ["", ""];
    this.counts.forEach((n, bin) => {
      if (!n) return;
      const [left, right] = [place(edges[bin]), place(edges[bin + 1])];
      const middle = (left + right) / 2;
      const height = Math.max(4, (100 * n) / most);
      const gap = Math.min(0.35, (right - left) * 10);
      const inside = Number(middle >= from && middle <= to);
      paths[inside] += `M${(100 * left + gap).toFixed(2)} 100V${(100 - height).toFixed(1)}H${(100 * right - gap).toFixed(2)}V100Z`;
    });
    this.bars.forEach((bar, i) => bar.setAttribute("d", paths[i]));
  }
}
