// A range of values as a filter, an address and a histogram have it. Pure functions, no page needed.

import { addressNumber, steps } from "../shared/axis.js";

const BINS = 40;
const NUMERAL = "-?\\d+(?:\\.\\d+)?(?:e[+-]?\\d+)?";
const RANGE = new RegExp(`^(${NUMERAL})?\\.\\.(${NUMERAL})?$`);
const ALONE_NUMERAL = new RegExp(`^${NUMERAL}$`);

export const ANY = [-Infinity, Infinity];

/** @typedef {[number, number]} Range  the lowest and the highest value; infinite where there is no limit */

/** The range that a text names: "0.3..", "..0.5", "2..3", "7", ".." for any.
 * @returns {Range | null} null if it names none */
export function rangeIn(text) {
  if (ALONE_NUMERAL.test(text)) return [Number(text), Number(text)];
  const found = RANGE.exec(text);
  if (!found) return null;
  const range = [Number(found[1] ?? -Infinity), Number(found[2] ?? Infinity)];
  return range[0] <= range[1] ? range : null;
}

/** The text of a range, as `rangeIn` reads it. */
export function rangeText([low, high]) {
  if (low === high) return String(low);
  const end = (value) => (Number.isFinite(value) ? addressNumber(value) : "");
  return `${end(low)}..${end(high)}`;
}

/** A scale for the values of a metric: `place` takes a value to 0 … 1, and between the `edges`, round values in order,
 * lie the bars of its histogram. A `whole` number fills the room from itself to the next one; long tails are shortened.
 * @returns {{edges: number[], whole: boolean, place: (value: number) => number}} */
export function makeScale(values, whole) {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (low > high) [low, high] = [0, 1];
  const long = whole ? high - low > BINS : low > 0 && high / low > 30;
  const to = long ? (value) => Math.log(whole ? value - low + 1 : value) : (value) => value;
  const edges = whole ? wholeEdges(low, high, to) : long ? longEdges(low, high) : evenEdges(low, high);
  const [start, end] = [to(edges[0]), to(edges.at(-1))];
  return { edges, whole, place: (value) => Math.min(1, Math.max(0, (to(value) - start) / (end - start))) };
}

function wholeEdges(low, high, to) {
  const width = (to(high + 1) - to(low)) / BINS;
  const edges = [low];
  for (let value = low + 1; value <= high; value++) if (to(value) - to(edges.at(-1)) >= width * 0.999) edges.push(value);
  return [...edges, high + 1];
}

function evenEdges(low, high) {
  const reach = high > low ? high - low : Math.abs(high) || 1;
  const inside = steps(low, low + reach, BINS);
  const step = inside[1] - inside[0];
  const from = inside[0] > low ? inside[0] - step : inside[0];
  const edges = [];
  for (let i = 0; !edges.length || edges.at(-1) < high; i++) edges.push(Number((from + i * step).toPrecision(9)));
  return edges.length > 1 ? edges : [edges[0], edges[0] + step];
}

function longEdges(low, high) {
  const edges = [];
  for (let power = Math.floor(Math.log10(low)); 10 ** power <= high; power++) {
    for (const factor of [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8]) edges.push(Number((factor * 10 ** power).toPrecision(6)));
  }
  const first = edges.findLastIndex((edge) => edge <= low);
  const last = edges.findIndex((edge) => edge >= high);
  return edges.slice(first, last < 0 ? undefined : last + 1).concat(last < 0 ? [10 * edges.at(-10)] : []);
}

/** Of each value the bar that it belongs to; 255 for an undefined one. */
export function binsOf(values, { edges }) {
  const found = new Uint8Array(values.length).fill(255);
  const known = Float32Array.from(edges); // as the values are kept
  for (let i = 0; i < values.length; i++) {
    if (Number.isNaN(values[i])) continue;
    let [low, high] = [0, edges.length - 1];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (known[middle] <= values[i]) low = middle;
      else high = middle;
    }
    found[i] = low;
  }
  return found;
}

/** Which rows pass all of some filters, and for each filter how the rows that pass the others are spread over its bars.
 * @param {{values: ArrayLike<number>, bins: Uint8Array, range: Range, n: number}[]} filters
 * @param passes whether a row is let in at all
 * @returns {{passing: Uint8Array, counts: Uint32Array[]}} */
export function sift(filters, n, passes) {
  const passing = new Uint8Array(n);
  const counts = filters.map((filter) => new Uint32Array(filter.n));
  const limits = filters.map(({ range }) => range.map(Math.fround)); // as the values are kept
  const active = filters.map(({ range }) => range[0] > -Infinity || range[1] < Infinity);
  for (let row = 0; row < n; row++) {
    if (!passes(row)) continue;
    let [failed, missed] = [0, -1];
    for (let f = 0; f < filters.length && failed < 2; f++) {
      const { values } = filters[f];
      if (active[f] && !(values[row] >= limits[f][0] && values[row] <= limits[f][1])) [failed, missed] = [failed + 1, f];
    }
    if (failed > 1) continue;
    if (!failed) passing[row] = 1;
    for (let f = 0; f < filters.length; f++) {
      if ((failed && f !== missed) || filters[f].bins[row] === 255) continue;
      counts[f][filters[f].bins[row]]++;
    }
  }
  return { passing, counts };
}
