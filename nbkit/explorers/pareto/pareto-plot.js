// The plot of the Pareto explorer as SVG. A mark's outline tells the activation, what is inside it the weight of the
// neuron-embedding loss; colors repeat the activation.

import { element, rove, svg } from "../shared/elements.js";
import { apart, makeAxis, short } from "../shared/axis.js";

const INSET = { left: 56, right: 14, top: 26, bottom: 44 };
const RADIUS = 7;
const OUTLINES = [ // by kind, as are the hues of explorer.css
  (r) => `M${-r} 0A${r} ${r} 0 1 1 ${r} 0A${r} ${r} 0 1 1 ${-r} 0Z`,
  (r) => `M${-r} ${-r}H${r}V${r}H${-r}Z`,
  (r) => `M0 ${-1.25 * r}L${1.2 * r} ${0.85 * r}H${-1.2 * r}Z`,
];
const INSIDE = [null, "", "M-4 0H4", "M-4 0H4M0 -4V4", "M-3 -3L3 3M-3 3L3 -3"]; // by level; the standard one is hollow
const CHARACTER = 6.3; // pixels, on average

/** A mark: `kind` and `level` by place. */
function glyph(kind, level, radius) {
  const parts = [svg("path", { d: OUTLINES[kind](radius), class: level ? "nk-full" : "nk-hollow" })];
  const inside = INSIDE[Math.min(level, INSIDE.length - 1)];
  if (inside) parts.push(svg("path", { d: inside, class: "nk-inside" }));
  return parts;
}

/** The color of an activation. */
function hue(kind) {
  return `--color: var(--hue-${kind})`;
}

/** A mark for the legend, in the color of its activation or in another. */
export function sample(kind, level, color) {
  const style = color ? `--color: var(${color})` : hue(kind);
  const box = { width: 22, height: 18, viewBox: "-11 -9 22 18" };
  return svg("svg", { ...box, style, "aria-hidden": "true" }, glyph(kind, level, 6));
}

export class ParetoPlot {
  /** @param explorer the state that it shows and changes (pareto.js) */
  constructor(explorer) {
    this.explorer = explorer;
    this.root = element("div", { class: "nk-plot" });
  }

  /** Draw in the width that there is; `again` even if that has not changed. */
  draw(again) {
    const width = this.root.clientWidth;
    if (!width || (width === this.width && !again)) return;
    const focused = this.root.contains(this.root.getRootNode().activeElement ?? null);
    this.width = width;
    this.height = Math.round(Math.min(Math.max(width * 0.6, 300), 460));
    const { explorer } = this;
    const at = { x: explorer.measure("x"), y: explorer.measure("y") };
    const drawn = explorer.shown.filter((point) => [at.x, at.y].every((place) => point.means[place][0] !== null));
    this.drawn = drawn;
    if (!drawn.length) {
      this.root.replaceChildren(element("p", { class: "nk-hint" }, ["Nothing to show: choose an activation."]));
      return;
    }
    this.axis = {
      x: this.makeScale(at.x, INSET.left, width - INSET.right, width < 480 ? 4 : 6),
      y: this.makeScale(at.y, this.height - INSET.bottom, INSET.top, 5),
    };
    this.marks = this.makeMarks(at);
    const label = `${explorer.axes[at.y].title} against ${explorer.axes[at.x].title}`;
    this.root.replaceChildren(
      svg("svg", { width, height: this.height, role: "group", "aria-label": label }, [
        this.makeGrid(at),
        this.makeLines(at),
        this.makeSeeds(at),
        this.makeIntervals(at),
        this.makeLabels(at),
        this.marks,
      ]),
    );
    if (focused) this.marks.querySelector("[tabindex='0']").focus();
    this.paint();
  }

  makeScale(place, start, end, wanted) {
    const values = this.drawn.flatMap((point) => [...point.seeds[place], ...point.means[place]]);
    const { log } = this.explorer.axes[place];
    return makeAxis(
      values.filter((value) => value !== null && (!log || value > 0)),
      log,
      start,
      end,
      wanted,
    );
  }

  /** Where the mean of a point lies. */
  center(point, at) {
    return [this.axis.x.place(point.means[at.x][0]), this.axis.y.place(point.means[at.y][0])];
  }

  makeGrid(at) {
    const [left, right, top, bottom] = [INSET.left, this.width - INSET.right, INSET.top, this.height - INSET.bottom];
    const parts = [];
    for (const tick of this.axis.x.ticks) {
      const x = this.axis.x.place(tick);
      parts.push(svg("line", { x1: x, x2: x, y1: top, y2: bottom }));
      parts.push(svg("text", { x, y: bottom + 16, "text-anchor": "middle" }, [short(tick)]));
    }
    for (const tick of this.axis.y.ticks) {
      const y = this.axis.y.place(tick);
      parts.push(svg("line", { x1: left, x2: right, y1: y, y2: y }));
      parts.push(svg("text", { x: left - 8, y: y + 4, "text-anchor": "end" }, [short(tick)]));
    }
    const { axes } = this.explorer;
    const under = { x: (left + right) / 2, y: bottom + 36, "text-anchor": "middle" };
    parts.push(svg("text", under, [axes[at.x].title]), svg("text", { x: 0, y: 12 }, [axes[at.y].title]));
    return svg("g", { class: "nk-axis", "aria-hidden": "true" }, parts);
  }

  /** A line through the points that differ in sparsity alone. */
  makeLines(at) {
    const groups = new Map();
    for (const point of this.drawn) {
      const key = `${point.kind} ${point.level}`;
      groups.set(key, [...(groups.get(key) ?? []), point]);
    }
    const lines = [...groups.values()].map((points) => {
      const d = `M${points.map((point) => this.center(point, at).join(" ")).join("L")}`;
      return svg("path", { d, style: hue(points[0].kind), class: points[0].level ? "nk-dashed" : "" });
    });
    return svg("g", { class: "nk-lines", "aria-hidden": "true" }, lines);
  }

  makeSeeds(at) {
    const dots = this.drawn.flatMap((point) =>
      point.seeds[at.x].flatMap((x, seed) => {
        const y = point.seeds[at.y][seed];
        if (x === null || y === null) return [];
        const place = `translate(${this.axis.x.place(x)} ${this.axis.y.place(y)})`;
        return [svg("g", { transform: place, style: hue(point.kind) }, glyph(point.kind, point.level ? 1 : 0, 2))];
      }),
    );
    return svg("g", { class: "nk-seeds", "aria-hidden": "true" }, dots);
  }

  makeIntervals(at) {
    const inside = { x: [INSET.left, this.width - INSET.right], y: [INSET.top, this.height - INSET.bottom] };
    const ends = (point, axis) => {
      const [, low, high] = point.means[at[axis]];
      if (low === null) return null;
      const { log } = this.explorer.axes[at[axis]];
      return [log && low <= 0 ? Math.min(...point.seeds[at[axis]]) : low, high].map((value) =>
        Math.min(Math.max(this.axis[axis].place(value), inside[axis][0]), inside[axis][1]),
      );
    };
    const lines = this.drawn.flatMap((point) => {
      const [x, y] = this.center(point, at);
      const [across, up] = [ends(point, "x"), ends(point, "y")];
      const style = hue(point.kind);
      return [
        ...(across ? [svg("line", { x1: across[0], x2: across[1], y1: y, y2: y, style })] : []),
        ...(up ? [svg("line", { x1: x, x2: x, y1: up[0], y2: up[1], style })] : []),
      ];
    });
    return svg("g", { class: "nk-intervals", "aria-hidden": "true" }, lines);
  }

  /** The sparsity beside each mark, where there is room. */
  makeLabels(at) {
    const marks = this.drawn.map((point) => {
      const [x, y] = this.center(point, at);
      return { x: x - RADIUS, y: y - RADIUS, width: 2 * RADIUS, height: 2 * RADIUS };
    });
    const texts = this.drawn.map((point) => this.explorer.sparsity(point));
    const boxes = this.drawn.map((point, i) => {
      const [x, y] = this.center(point, at);
      const width = texts[i].length * CHARACTER;
      const right = x + RADIUS + 4 + width < this.width;
      return { x: right ? x + RADIUS + 4 : x - RADIUS - 4 - width, y: y - 7, width, height: 14 };
    });
    const free = apart(boxes);
    const shown = boxes.flatMap((box, i) => {
      const clear = marks.every((mark) => apart([mark, box])[1]);
      return free[i] && clear && box.x > INSET.left ? [svg("text", { x: box.x, y: box.y + 11 }, [texts[i]])] : [];
    });
    return svg("g", { class: "nk-labels", "aria-hidden": "true" }, shown);
  }

  makeMarks(at) {
    const { explorer } = this;
    const list = svg("g", { class: "nk-marks", role: "listbox", "aria-label": "Autoencoders, means over seeds" });
    const start = Math.max(this.drawn.indexOf(explorer.marked), 0);
    for (const [i, point] of this.drawn.entries()) {
      const [x, y] = this.center(point, at);
      const said = `${explorer.name(point)}: ${explorer.value(point, at.x)}; ${explorer.value(point, at.y)}`;
      const mark = svg(
        "g",
        {
          transform: `translate(${x} ${y})`,
          style: hue(point.kind),
          role: "option",
          tabindex: i === start ? 0 : -1,
          "aria-label": said,
          "aria-selected": false,
        },
        [svg("circle", { r: RADIUS + 4, class: "nk-reach" }), ...glyph(point.kind, point.level, RADIUS)],
      );
      for (const event of ["pointerenter", "focus"]) mark.addEventListener(event, () => explorer.mark(point));
      list.append(mark);
    }
    rove(list, { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 });
    return list;
  }

  /** Let the marked point stand out. */
  paint() {
    const marks = this.drawn.length ? this.marks.children : [];
    for (const [i, mark] of [...marks].entries()) {
      const on = this.drawn[i] === this.explorer.marked;
      mark.setAttribute("aria-selected", on);
      mark.classList.toggle("nk-marked", on);
    }
  }
}
