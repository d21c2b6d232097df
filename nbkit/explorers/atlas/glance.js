// The model at a glance: a mark per unit, sites side by side, a metric upwards. Drawn on a canvas, for there are tens
// of thousands; the list beside it (neuron-list.js) holds the same units for keyboard and screen reader.

import { element } from "../shared/elements.js";
import { makeAxis, short } from "../shared/axis.js";
import { count, number } from "../shared/snippets.js";

const INSET = { left: 46, right: 8, top: 10, bottom: 34 };
const PICK_RADIUS = 12; // pixels from which a mark is picked
const HEIGHT = 220;

/** Numbers in [0, 1) that spread evenly and are always the same. */
function spread(row, step) {
  return (row * step) % 1;
}

export class Glance {
  /** @param explorer the state that it shows and changes (atlas.js) */
  constructor(explorer) {
    this.explorer = explorer;
    this.canvas = element("canvas", { role: "img" });
    this.pointed = element("p", { class: "nk-about" });
    this.root = element("div", { class: "nk-glance" }, [this.canvas, this.pointed]);
    this.canvas.addEventListener("pointermove", (event) => this.point(this.nearest(event)));
    this.canvas.addEventListener("pointerleave", () => this.point(null));
    this.canvas.addEventListener("click", (event) => {
      const row = this.nearest(event);
      if (row !== null) this.explorer.open(row, { look: "focus" });
    });
    this.point(null);
  }

  get choice() {
    return this.explorer.choice;
  }

  /** Draw in the width that there is; `again` even if that has not changed. */
  draw(again) {
    const width = this.root.checkVisibility() ? this.root.clientWidth : 0;
    if (!width && again) this.width = undefined; // folded away: to be drawn when it is seen
    if (!width || (width === this.width && !again)) return;
    this.width = width;
    const { overview, metric } = this.choice;
    const rows = this.choice.rows.filter((row) => !Number.isNaN(metric.values[row])); // a word is found in others too
    this.rows = rows;
    const { unit, units, site } = overview.words;
    const label = `${metric.label} of ${count(rows.length, unit)}, ${site} by ${site}`;
    this.canvas.setAttribute("aria-label", `${label}; the list holds the same ${units}`);
    this.place(overview, metric, rows);
    const ratio = window.devicePixelRatio || 1;
    Object.assign(this.canvas, { width: Math.round(width * ratio), height: Math.round(HEIGHT * ratio) });
    Object.assign(this.canvas.style, { width: `${width}px`, height: `${HEIGHT}px` });
    this.paper = this.canvas.getContext("2d");
    this.paper.scale(ratio, ratio);
    this.drawAxes(overview, metric);
    this.paper.fillStyle = this.color("--accent");
    const [side, alpha] = rows.length > 5000 ? [2, 0.35] : [4, 0.6];
    this.paper.globalAlpha = alpha;
    for (let i = 0; i < rows.length; i++) this.paper.fillRect(this.x[i] - side / 2, this.y[i] - side / 2, side, side);
    this.paper.globalAlpha = 1;
    this.drawn = this.paper.getImageData(0, 0, this.canvas.width, this.canvas.height);
    this.choose();
  }

  /** Where each unit's mark lies: beside its site's middle, and whole numbers a little apart. */
  place(overview, metric, rows) {
    const values = metric.values;
    const whole = metric.name.startsWith("n_");
    const shown = rows.length ? Array.from(rows, (row) => values[row]) : [0, 1];
    const [low, high] = shown.reduce(([a, b], v) => [Math.min(a, v), Math.max(b, v)], [Infinity, -Infinity]);
    this.log = low > 0 && high / low > 30;
    this.axis = makeAxis(whole && !this.log ? [low - 0.4, high + 0.4] : [low, high], this.log, HEIGHT - INSET.bottom, INSET.top);
    if (whole) this.axis.ticks = this.axis.ticks.filter(Number.isInteger);
    this.step = (this.width - INSET.left - INSET.right) / overview.sites.length;
    this.x = new Float32Array(rows.length);
    this.y = new Float32Array(rows.length);
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i];
      this.x[i] = INSET.left + (overview.places[row] + 0.1 + 0.8 * spread(row, 0.6180339887)) * this.step;
      const apart = whole ? 0.7 * (spread(row, 0.7548776662) - 0.5) : 0;
      this.y[i] = this.axis.place(Math.max(values[row] + apart, this.log ? low * 0.9 : -Infinity));
    }
  }

  drawAxes(overview, metric) {
    const { paper } = this;
    const floor = HEIGHT - INSET.bottom;
    paper.font = `12px ${getComputedStyle(this.root).fontFamily}`;
    paper.fillStyle = this.color("--quiet");
    paper.strokeStyle = this.color("--rule");
    paper.textAlign = "right";
    for (const tick of this.axis.ticks) {
      const y = Math.round(this.axis.place(tick)) + 0.5;
      paper.beginPath();
      paper.moveTo(INSET.left, y);
      paper.lineTo(this.width - INSET.right, y);
      paper.stroke();
      paper.fillText(short(tick), INSET.left - 6, y + 4);
    }
    paper.textAlign = "center";
    const labels = overview.sites.map((site) => overview.short(site));
    const every = Math.ceil(Math.max(22, paper.measureText(labels.at(-1)).width + 6) / this.step);
    for (const [i, label] of labels.entries()) {
      if (i % every === 0) paper.fillText(label, INSET.left + (i + 0.5) * this.step, floor + 16);
    }
    paper.fillText(overview.words.site, INSET.left + (this.width - INSET.left - INSET.right) / 2, floor + 31);
  }

  /** A color of the style sheet as the canvas takes it. */
  color(name) {
    this.canvas.style.color = `var(${name})`;
    return getComputedStyle(this.canvas).color;
  }

  /** The row of the neuron whose mark the pointer is at; null if none is near. */
  nearest(event) {
    const box = this.canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    let [best, found] = [PICK_RADIUS * PICK_RADIUS, null];
    for (let i = 0; i < this.x.length; i++) {
      const distance = (this.x[i] - x) ** 2 + (this.y[i] - y) ** 2;
      if (distance < best) [best, found] = [distance, i];
    }
    return found === null ? null : this.rows[found];
  }

  point(row) {
    this.canvas.style.cursor = row === null ? "" : "pointer";
    this.pointed.textContent = row === null ? "Point at a mark to read it, click to open it." : this.described(row);
  }

  described(row) {
    const { overview, metric } = this.choice;
    return `${overview.name(row)}: ${metric.label} ${number(metric.values[row])}`;
  }

  /** Let the open neuron's mark stand out. */
  choose() {
    if (!this.drawn) return;
    const { paper, choice } = this;
    paper.putImageData(this.drawn, 0, 0);
    const i = this.rows.indexOf(choice.row);
    if (i < 0) return;
    paper.strokeStyle = this.color("--ink");
    paper.lineWidth = 2;
    paper.beginPath();
    paper.arc(this.x[i], this.y[i], 6, 0, 2 * Math.PI);
    paper.stroke();
  }
}
