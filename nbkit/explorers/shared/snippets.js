// Dataset examples as text: each token a span whose background is the neuron's activation.
// Tokens are data. They reach the page as text nodes and attribute values only.

import { element } from "./elements.js";

/** @typedef {{vocabulary: string[], tokens: number[][], activations: number[][], keys: number[], largest: number,
 *    shade?: "activation" | "importance", importance?: Map<number, ArrayLike<number>>}} Data
 *  The examples as dendrogram.py sends them, and their largest activation; what colors the tokens (activation if it does
 *  not say), and by example the importance of each token up to the key token, where that is known. */

/** A figure for the eye: three significant digits, but counts are whole. */
export function number(value) {
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(3)));
}

/** "1 example", "2 examples". */
export function count(n, noun) {
  return `${n} ${noun}${n === 1 ? "" : "s"}`;
}

/** The text of the token at place `i` of an example. */
export function tokenText(data, example, i) {
  return data.vocabulary[data.tokens[example][i]];
}

/** What colors the tokens of an example: the values by token (missing where they are not known) and the full color's. */
function shades(data, example) {
  if (data.shade === "importance") return { name: "importance", values: data.importance.get(example) ?? [], full: 1 };
  return { name: "activation", values: data.activations[example], full: data.largest };
}

/** The tokens of one example as elements, the key token outlined. */
export function tokenElements(data, example) {
  const { name, values, full } = shades(data, example);
  return Array.from(data.tokens[example], (_, i) => {
    const key = i === data.keys[example];
    const kind = `nk-token${key ? " nk-key" : ""}${name === "importance" ? " nk-important" : ""}`;
    const made = element(key ? "b" : "span", { class: kind }, [tokenText(data, example, i)]);
    if (i in values) {
      made.title = `${name} ${number(values[i])}`;
      made.style.setProperty("--share", `${Math.round(Math.min(1, Math.max(0, values[i] / full)) * 100)}%`);
    }
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

/** What the colors and the outline mean, as elements. */
export function legend(data) {
  const important = data.shade === "importance";
  return [
    `${important ? "importance" : "activation"} 0`,
    element("span", { class: `nk-scale${important ? " nk-important" : ""}`, "aria-hidden": "true" }),
    important ? "1" : number(data.largest),
    element("b", { class: "nk-token nk-key" }, ["key token"]),
  ];
}
