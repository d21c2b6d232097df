// What the explorer shows as the end of an address, and back. Pure functions, no page needed.

import { addressNumber } from "../shared/axis.js";

/** @typedef {{layer: number, index: number, threshold: number, cluster: number | null, shade: string, kind: string | null}} Place
 *  An open neuron, where its tree is cut, which cluster (from 1) stands out, what colors the tokens, and by which kind of
 *  embedding features are similar (null: the usual one). */

const usually = () => 0.5;

const OF_PLACE = ["t", "c", "color", "by"];
const UNIT =
  /^\s*(?:layer|site|L|S)?\s*(\d{1,4})\s*(?:\([^)]*\))?(?:[\s,.:/]|(?=[N#]))\s*(?:neuron|latent|unit|N|#)?\s*(\d{1,6})\s*$/i;

/** A unit in an address: the number of its site, of neurons their layer, and its own. */
export function unitInAddress({ layer, index }) {
  return `L${layer}N${index}`;
}

/** "#L7N123&t=0.42&c=3&color=importance&by=pre_mlp&silhouette=0.4..&find=in%20love"; what is as usual is left out.
 * @param {Place} place
 * @param {Object<string, string>} asked how neurons are listed (neuron-choice.js), what was searched (finder.js),
 *    the neuron beside it (beside.js) and whether it stands alone (card-view.js)
 * @param {(layer: number) => number} cutIn where the trees of a site are cut */
export function addressOf({ layer, index, threshold, cluster, shade, kind }, asked = {}, cutIn = usually) {
  const parts = [unitInAddress({ layer, index })];
  if (threshold !== cutIn(layer)) parts.push(`t=${addressNumber(threshold)}`);
  if (cluster) parts.push(`c=${cluster}`);
  if (shade !== "activation") parts.push(`color=${shade}`);
  if (kind) parts.push(`by=${kind}`);
  for (const [name, text] of Object.entries(asked)) parts.push(`${name}=${encodeURIComponent(text)}`);
  return `#${parts.join("&")}`;
}

/** What an address asks for beside its place, as texts. */
export function askedIn(address) {
  const given = [...new URLSearchParams(address.replace(/^#/, ""))];
  return Object.fromEntries(given.filter(([name, text]) => text && !OF_PLACE.includes(name)));
}

/** The place that an address names, whose trees are cut where `cutIn` says; null if it names none.
 * @returns {Place | null} */
export function placeIn(address, cutIn = usually) {
  const [name, ...rest] = address.replace(/^#/, "").split("&");
  const neuron = neuronIn(name);
  if (!neuron) return null;
  const given = new Map(rest.map((part) => part.split("=")));
  const cut = cutIn(neuron.layer);
  const threshold = Number(given.get("t") ?? cut);
  const cluster = Number(given.get("c") ?? 0);
  return {
    ...neuron,
    threshold: threshold > 0 && threshold <= 1 ? threshold : cut,
    cluster: Number.isInteger(cluster) && cluster > 0 ? cluster : null,
    shade: given.get("color") === "importance" ? "importance" : "activation",
    kind: /^\w+$/.test(given.get("by") ?? "") ? given.get("by") : null,
  };
}

/** The unit that a text names in any usual way: "L7 N123", "l7n123", "7 123", "7/123", "Layer 7, neuron 123", "S0 #521",
 * "0 #521", "S0 (blocks.12.hook_resid_post), latent 521".
 * @returns {{layer: number, index: number} | null} */
export function neuronIn(text) {
  const found = UNIT.exec(text);
  return found && { layer: Number(found[1]), index: Number(found[2]) };
}
