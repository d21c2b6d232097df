// How much a similarity says: compared with random pairs, and by how far such neighbors behave alike (likeness.py).
// Pure functions, no page needed.

import { fixed } from "../shared/axis.js";

/** The largest of the known shares of random pairs that are less similar; 0 if half of them are not; undefined if there
 * are no such pairs.
 * @param {{shares: number[], cosines: (number | null)[][][][]}} random by kind, layer and scope
 * @param {{kind: number, layer: number, scope: number, cosine: number}} of places of the kind, layer and scope */
export function lessSimilar({ shares, cosines }, { kind, layer, scope, cosine }) {
  const limits = cosines[kind][layer][scope];
  if (limits[0] === null) return undefined;
  return shares.filter((_, i) => limits[i] < cosine).at(-1) ?? 0;
}

/** A cosine beside chance, in words. */
export function besideChance(cosine, share) {
  const text = fixed(cosine, 2);
  if (share === undefined) return `${text}; there are no random pairs to compare with`;
  if (share === 0) return `${text}, no closer than half of random pairs`;
  return `${text}, closer than ${Number((100 * share).toFixed(4))}% of random pairs`;
}

/** What neighbors of a kind have in common beyond chance: for each of some columns its share with neighbors and with
 * random features, and the interval of the difference; undefined where it is not known. */
export function agreementOf(rows, kind, columns) {
  return columns.map(({ scope, measure }) =>
    rows.find((row) => row.kind === kind && row.scope === scope && row.measure === measure),
  );
}
