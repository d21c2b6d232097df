// The cumulative activation curve as SVG, and what it says in words.

import { svg } from "../shared/elements.js";
import { percent } from "../shared/snippets.js";
import { halfway } from "./latent-data.js";

const BOX = { width: 240, height: 170, left: 42, right: 222, top: 10, bottom: 132 };
const TICKS = [0, 0.25, 0.5, 0.75, 1];

/** "Half of the activation comes from the strongest 12% of the inputs that activate it." */
export function curveText(curve) {
  if (!curve.at(-1)) return "No test image activates it.";
  return `Half of its activation comes from the strongest ${percent(halfway(curve))} of the inputs that activate it.`;
}

/** The share of the total activation against the share of the active inputs, the strongest first. */
export function curvePlot(curve) {
  const x = (share) => BOX.left + share * (BOX.right - BOX.left);
  const y = (share) => BOX.bottom - share * (BOX.bottom - BOX.top);
  const parts = TICKS.flatMap((tick) => [
    svg("line", { class: "nk-grid", x1: BOX.left, x2: BOX.right, y1: y(tick), y2: y(tick) }),
    svg("text", { x: BOX.left - 6, y: y(tick) + 4, "text-anchor": "end" }, [`${100 * tick}%`]),
    svg("text", { x: x(tick), y: BOX.bottom + 16, "text-anchor": "middle" }, [`${100 * tick}%`]),
  ]);
  const name = { x: x(0.5), y: BOX.bottom + 33, "text-anchor": "middle" };
  parts.push(svg("text", name, ["active inputs, the strongest first"]));
  const points = curve.map((share, i) => `${x(i / (curve.length - 1))},${y(share)}`).join(" ");
  parts.push(svg("line", { class: "nk-even", x1: x(0), x2: x(1), y1: y(0), y2: y(1) }));
  if (curve.at(-1)) parts.push(svg("polyline", { class: "nk-curve", points }));
  const label = `Cumulative activation curve. ${curveText(curve)}`;
  return svg("svg", { viewBox: `0 0 ${BOX.width} ${BOX.height}`, role: "img", "aria-label": label }, parts);
}
