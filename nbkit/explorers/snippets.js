// Dataset examples as text: each token a span whose background is the neuron's activation.
// Tokens are data. They reach the page as text nodes and attribute values only.

import { element } from "./elements.js";

/** @typedef {{vocabulary: string[], tokens: number[][], activations: number[][], keys: number[], largest: number}} Data
 *  The examples as dendrogram.py sends them, and their largest activation. */

/** An activation for the eye: three significant digits. */
export function number(value) {
  return String(Number(value.toPrecision(3)));
}

/** "1 example", "2 examples". */
export function count(n, noun) {
  return `${n} ${noun}${n === 1 ? "" : "s"}`;
}

/** The text of the token at place `i` of an example. */
export function tokenText(data, example, i) {
  return data.vocabulary[data.tokens[example][i]];
}

/** The tokens of one example as elements, the key token outlined. */
export function tokenElements(data, example) {
  return data.tokens[example].map((_, i) => {
    const value = data.activations[example][i];
    const share = Math.min(1, Math.max(0, value / data.largest));
    const key = i === data.keys[example];
    const text = tokenText(data, example, i);
    const made = element(key ? "b" : "span", { class: `nk-token${key ? " nk-key" : ""}` }, [text]);
    made.title = `activation ${number(value)}`;
    made.style.setProperty("--activation", `${Math.round(share * 100)}%`);
    return made;
  });
}

/** The most frequent key tokens of some examples as [token, count], the most frequent first. */
export function frequentKeys(data, examples, limit) {
  const counts = new Map();
  for (const example of examples) {
    const token = tokenText(data, example, data.keys[example]);
    counts.set(token, (counts.get(token) ?? 0) + 1);
  }
  return [...counts].sort((a, b) => b[1] - a[1]).slice(0, limit);
}

/** What the colors and the outline mean. */
export function legend(data) {
  return element("p", { class: "nk-legend" }, [
    "activation 0",
    element("span", { class: "nk-scale", "aria-hidden": "true" }),
    number(data.largest),
    element("b", { class: "nk-token nk-key" }, ["key token"]),
  ]);
}
