// Dataset examples as text: each token a span whose background is the neuron's activation.
// Tokens are data. They reach the page as text nodes and attribute values only.

import { element } from "./elements.js";
import { inputWords } from "./input-words.js";
import { pieces } from "./pieces.js";
import { strength } from "./sign.js";
import { charactersIn } from "./visible.js";

const STACK = /\p{Mn}{3}/u; // marks that may reach out of their line
const LEFTWARD = charactersIn("Arabic Hebrew Syriac Thaana Nko Samaritan Mandaic Adlam", "g");
const BYTE = /[\udc80-\udcff]/u; // in a raw text

/** @typedef {{vocabulary: string[], raw?: Object<number, string>, tokens: number[][], activations: number[][],
 *    keys: number[], largest: number, sign?: import("./sign.js").Sign, shade?: "activation" | "importance" | "share",
 *    quadrants?: ArrayLike<number> | null, importance?: Map<number, ArrayLike<number>>,
 *    called?: import("./input-words.js").InputWords, pictures?: import("./pictures.js").Pictures}} Data
 *  The examples as dendrogram.py sends them: which activations count (those above zero if it does not say) and the largest
 *  strength; the raw texts (pieces.js) of the tokens of which the vocabulary shows something else; what colors the tokens
 *  (activation if it does not say; its `share` of the key token's where that alone is known), by example the importance of
 *  each token up to the key token, where that is known, and of a gated neuron its quadrant (quadrants.js); what sentences
 *  call the inputs (text if it does not say); and where examples are images, what draws them. */

/** A figure for the eye: three significant digits, but counts are whole. */
export function number(value) {
  return (Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(3)))).replaceAll("-", "−");
}

/** With a capital letter. */
export function capital(text) {
  return text[0].toUpperCase() + text.slice(1);
}

/** "1 example", "2 examples". */
export function count(n, noun) {
  return `${n} ${noun}${n === 1 ? "" : "s"}`;
}

/** A share as a percentage, with a decimal where it is small. */
export function percent(share) {
  return `${share < 0.1 ? Number((100 * share).toFixed(1)) : Math.round(100 * share)}%`;
}

/** "3 clusters at distance 0.50": what a cut makes. */
export function cutText(n, threshold) {
  return `${count(n, "cluster")} at distance ${threshold.toFixed(2)}`;
}

/** The text of the token at place `i` of an example, by itself. */
export function tokenText(data, example, i) {
  return data.vocabulary[data.tokens[example][i]];
}

/** An example as it is read: the pieces (pieces.js) that its tokens spell. */
export function examplePieces(data, example) {
  const texts = Array.from(data.tokens[example], (token) => data.raw?.[token] ?? data.vocabulary[token]);
  return pieces(texts, data.keys[example]);
}

/** Whether a piece of an example holds its key token. */
export function holdsKey(data, example, { first, last }) {
  return first <= data.keys[example] && data.keys[example] <= last;
}

/** The text of the piece that holds an example's key token. */
export function keyText(data, example) {
  return examplePieces(data, example).find((piece) => holdsKey(data, example, piece)).text;
}

/** The value of a piece's tokens that counts most, or the key token's; undefined if it is not known of any. */
export function pieceValue(data, example, piece, values, sign) {
  if (holdsKey(data, example, piece) && data.keys[example] in values) return values[data.keys[example]];
  const known = Array.from(values.slice(piece.first, piece.last + 1));
  return known.length ? known.reduce((most, value) => (strength(value, sign) > strength(most, sign) ? value : most)) : undefined;
}

/** How much the strongest activation of some examples counts. */
export function largestStrength({ activations, sign }) {
  return Math.max(...activations.flat().map((value) => strength(value, sign)), Number.MIN_VALUE);
}

/** What colors the tokens of an example: the values by token (missing where they are not known), which of them count, and
 * the full color's. */
function shades(data, example) {
  if (data.shade === "importance") return { name: "importance", values: data.importance.get(example) ?? [], full: 1 };
  const name = data.shade === "share" ? "activation as a share of the key token's" : "activation";
  return { name, values: data.activations[example], full: data.largest, sign: data.sign };
}

/** What sentences call the inputs that examples are taken from. */
export function wordsFor(data) {
  return data.called ?? inputWords();
}

/** One example as elements: an image, or its tokens. */
export function exampleElements(data, example) {
  return data.pictures ? [data.pictures.element(data, example)] : tokenElements(data, example);
}

/** The tokens of one example as elements, those that share a character as one, the key token outlined. */
export function tokenElements(data, example) {
  const { name, values, full, sign } = shades(data, example);
  const { outlined, apart } = wordsFor(data);
  return examplePieces(data, example).map((piece) => {
    const key = outlined !== null && holdsKey(data, example, piece);
    const stacked = STACK.test(piece.text) ? " nk-stack" : "";
    const kind = `nk-token${key ? " nk-key" : ""}${name === "importance" ? " nk-important" : ""}${apart ? " nk-apart" : ""}${stacked}`;
    const made = element(key ? "b" : "span", { class: kind }, piece.parts.map(partNode));
    const value = pieceValue(data, example, piece, values, sign);
    const n = piece.last - piece.first + 1;
    if (value !== undefined) {
      made.title = `${name} ${number(value)}${n > 1 ? ` (${count(n, "token")})` : ""}`;
      const share = Math.min(1, Math.max(0, strength(value, sign) / full)); // what has no strength has no color
      made.style.setProperty("--share", `${Math.round(share * 100)}%`);
      made.classList.toggle("nk-cold", value < 0 && share > 0);
    }
    return made;
  });
}

/** The direction in which an example is read: that of most of its letters. */
export function directionOf(data, example) {
  const text = examplePieces(data, example)
    .map((piece) => piece.text)
    .join("");
  const from = (letters) => text.match(letters)?.length ?? 0;
  const toTheLeft = from(LEFTWARD);
  return toTheLeft > from(/\p{L}/gu) - toTheLeft ? "rtl" : "ltr";
}

function partNode({ text, sign }) {
  return sign ? element("span", { class: "nk-sign", dir: "ltr", title: sign }, [text]) : text;
}

/** The most frequent key tokens of some examples as [text, count], the most frequent first. A token that holds a part
 * of a character only is shown, and counted, with the character that it has a part in. */
export function frequentKeys(data, examples, limit) {
  const counts = new Map();
  for (const example of examples) {
    const token = data.tokens[example][data.keys[example]];
    const text = BYTE.test(data.raw?.[token] ?? "") ? keyText(data, example) : data.vocabulary[token];
    const name = `${token} ${text}`;
    counts.set(name, [text, (counts.get(name)?.[1] ?? 0) + 1]);
  }
  return [...counts.values()].sort((a, b) => b[1] - a[1]).slice(0, limit);
}

/** What stands at the two ends of the scale of colors, and the scale's class. */
function scaleOf({ shade, sign = "positive", largest }) {
  if (shade === "importance") return ["importance 0", "1", " nk-important"];
  return {
    positive: ["activation 0", number(largest), ""],
    negative: ["activation 0", number(-largest), " nk-cold"],
    both: [`activation ${number(-largest)}`, number(largest), " nk-two-sided"],
  }[sign];
}

/** What the colors and the outline mean, as elements. */
export function legend(data) {
  const { outlined } = wordsFor(data);
  const [from, to, kind] = scaleOf(data);
  return [
    from,
    element("span", { class: `nk-scale${kind}`, "aria-hidden": "true" }),
    to,
    ...(outlined ? [element("b", { class: "nk-token nk-key" }, [outlined])] : []),
    ...(data.pictures?.boxes ? [element("span", { class: "nk-legend-outline", "aria-hidden": "true" }), "what the unit sees"] : []),
  ];
}
