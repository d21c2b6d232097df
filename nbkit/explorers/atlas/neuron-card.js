// A unit at a glance, for any page of a book: its largest clusters, each with its central example as text or image.

import { element } from "../shared/elements.js";
import { PageModel } from "../shared/mount.js";
import { count, directionOf, exampleElements, keyText } from "../shared/snippets.js";
import { signWords } from "../shared/sign.js";
import { wordChip } from "../shared/word.js";
import { shardName } from "./atlas-data.js";
import { Images } from "./images.js";
import { medoidsOf } from "./medoid-data.js";
import { Overview } from "./overview.js";
import { Store } from "./shards.js";
import { Sites } from "./sites.js";

const CLUSTERS = 4;
const stores = new Map(); // by site
const drawn = new Map(); // by site, how inputs that are no text are called and drawn

/** What a card shows of a unit.
 * @param {{site: string, sites: Site[], per_medoid_shard: number, sign: Sign, inputs: string, embedding: string}} atlas where
 *    its files lie, how they are numbered (sites.js), which activations it is of (sign.js), of which inputs
 *    (input-words.js), and what is clustered
 * @param {{layer: number, index: number}} unit
 * @returns {Promise<Element[]>} */
export async function neuronCard({ site, sites, per_medoid_shard: each, sign, inputs, embedding }, { layer, index }) {
  if (!stores.has(site)) stores.set(site, new Store(new PageModel({ site })));
  const store = stores.get(site);
  const known = new Sites(sites);
  const row = known.row(layer, index);
  const [shard, { json: words }] = await Promise.all([store.get(shardName("medoids", row, each)), store.get("vocabulary")]);
  if (!drawn.has(site)) drawn.set(site, inputs === "text" ? {} : await drawnFrom(store));
  const { called, images } = drawn.get(site);
  const data = medoidsOf(shard, row % each, { ...words, called, pictures: images?.at(known.places[row]) });
  const n = data.sizes.reduce((sum, size) => sum + size, 0);
  const about = n ? `${count(n, "example")}${signWords(sign).where} in ${count(data.sizes.length, "cluster")}${embedding === "centered" ? " of centered vectors" : ""}` : "no clusters on this corpus";
  const shown = data.sizes.slice(0, CLUSTERS).map((size, cluster) => clusterRow(data, cluster, size));
  const hidden = data.sizes.length - shown.length;
  return [
    element("p", { class: "nk-title" }, [known.title(row), element("span", { class: "nk-about" }, [` ${about}`])]),
    element("ol", {}, shown),
    ...(hidden > 0 ? [element("p", { class: "nk-about" }, [`and ${count(hidden, "smaller cluster")}`])] : []),
  ];
}

async function drawnFrom(store) {
  const overview = new Overview(await store.get("overview"));
  return { called: overview.called, images: overview.images ? new Images(store, overview) : null };
}

function clusterRow(data, cluster, size) {
  const head = element("div", { class: "nk-card-head" }, [
    element("span", { class: "nk-badge" }, [String(cluster + 1)]),
    ...(data.pictures ? [] : [wordChip(keyText(data, cluster))]), // an image has it below
    element("span", { class: "nk-about" }, [count(size, "example")]),
  ]);
  head.style.setProperty("--color", size > 1 ? `var(--hue-${cluster})` : "var(--alone)");
  const text = element("p", { class: "nk-snippet", dir: directionOf(data, cluster) }, exampleElements(data, cluster));
  return element("li", {}, [head, text]);
}
