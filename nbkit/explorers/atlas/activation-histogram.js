// How strongly a neuron answers: its contexts by their strongest activation, both axes logarithmic. The style sheet draws
// it in any width.

import { element } from "../shared/elements.js";
import { signWords } from "../shared/sign.js";
import { capital, count, number } from "../shared/snippets.js";

const TICKS = 4; // of contexts, at most

/** The powers of ten up to `most`, few of them. */
export function decades(most) {
  const top = Math.max(1, Math.ceil(Math.log10(most)));
  const step = Math.ceil(top / TICKS);
  return Array.from({ length: Math.floor(top / step) + 1 }, (_, i) => 10 ** (i * step));
}

/** Bars of the bands of activation (atlas-data.js), the weakest first, each as high as the logarithm of its contexts.
 * @param from the strength from which a context is a dataset example
 * @param {string} context what a context is called
 * @param {import("../shared/sign.js").Sign} sign which activations the bands are of, by their strengths */
export function activationHistogram(levels, from, context, sign = "positive") {
  const { extreme, mark } = signWords(sign);
  const told = (value) => mark + number(value);
  const bands = [...levels].sort((a, b) => a.low - b.low);
  const ticks = decades(Math.max(...bands.map((band) => band.count)));
  const height = (n) => (n ? (Math.log10(n) + 0.15) / (Math.log10(ticks.at(-1)) + 0.15) : 0); // one context is seen, too
  const bars = bands.map(({ low, high, count: n }) => {
    const text = `${told(low)} to ${told(high)}: ${n.toLocaleString("en")} ${context}${n === 1 ? "" : "s"}`;
    const bar = element("li", { title: text, class: high > from ? "nk-strong" : "" }, [element("span", { class: "nk-hidden" }, [text])]);
    bar.style.setProperty("--share", height(n).toFixed(4));
    return bar;
  });
  const lines = ticks.map((tick) => {
    const line = element("span", {}, [tick >= 1000 ? `${tick / 1000}k` : String(tick)]);
    line.style.setProperty("--share", height(tick).toFixed(4));
    return line;
  });
  const every = Math.ceil(bands.length / 5);
  const edges = [...bands.map(({ low }) => low), bands.at(-1).high];
  const labels = edges.map((edge, i) => {
    const label = element("span", {}, [i % every ? "" : told(edge)]);
    label.style.setProperty("--at", (i / bands.length).toFixed(4));
    return label;
  });
  const total = bands.reduce((sum, band) => sum + band.count, 0);
  return element("figure", { class: `nk-histogram nk-${sign}` }, [
    element("div", { class: "nk-histogram-plot" }, [
      element("div", { class: "nk-histogram-lines", "aria-hidden": "true" }, lines),
      element("ul", { "aria-label": `${capital(context)}s by their ${extreme}` }, bars),
    ]),
    element("div", { class: "nk-histogram-edges", "aria-hidden": "true" }, labels),
    element("figcaption", { class: "nk-about" }, [
      `${capital(extreme)} of ${count(total, context)}; both axes are logarithmic. Dark: from ${told(from)} on, where dataset examples are.`,
    ]),
  ]);
}
