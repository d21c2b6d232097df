// The four ways in which a gated neuron becomes active: on which side of zero its gate and its up branch lie
// (nbkit/atlas/quadrants.py). Pure functions, no page needed.

import { percent } from "./snippets.js";

/** By their number, as the atlas has them. */
export const QUADRANTS = ["gate+ up+", "gate+ up-", "gate- up+", "gate- up-"];

/** A quadrant for the eye. */
export function quadrantText(name) {
  return name.replaceAll("-", "−");
}

/** How some examples are spread over the quadrants: those that occur as [number, examples], the most frequent first.
 * @param {ArrayLike<number>} quadrants of all examples */
export function quadrantCounts(quadrants, examples) {
  const counts = QUADRANTS.map((_, number) => [number, 0]);
  for (const example of examples) counts[quadrants[example]][1] += 1;
  return counts.filter(([, n]) => n).sort((a, b) => b[1] - a[1] || a[0] - b[0]);
}

/** "gate+ up+ 96%, gate− up− 4%". */
export function quadrantShares(quadrants, examples) {
  const text = ([number, n]) => `${quadrantText(QUADRANTS[number])} ${percent(n / examples.length)}`;
  return quadrantCounts(quadrants, examples).map(text).join(", ");
}

/** The shares of some examples of a neuron, if any of them lies in another quadrant than most of all its examples do; null
 * if none does, or it is not gated. */
export function unlikeTheRest({ quadrants, n = quadrants?.length }, examples) {
  if (!quadrants) return null;
  const [[usual]] = quadrantCounts(quadrants, Array.from({ length: n }, (_, example) => example));
  return examples.some((example) => quadrants[example] !== usual) ? quadrantShares(quadrants, examples) : null;
}
