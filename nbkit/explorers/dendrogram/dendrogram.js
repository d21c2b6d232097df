// The live dendrogram: a tree with a threshold handle, and the examples regrouped into cards at every cut.
// Served together with its imports as one module (bundle.py); dendrogram.py says what the data are.

import { AddressPart } from "../shared/address-part.js";
import { addressNumber } from "../shared/axis.js";
import { ClusterView } from "../shared/cluster-view.js";
import { element } from "../shared/elements.js";
import { clustersAsJson } from "../shared/examples-export.js";
import { handOver } from "../shared/hand-over.js";
import { inputWords } from "../shared/input-words.js";
import { Pictures } from "../shared/pictures.js";
import { largestStrength } from "../shared/snippets.js";

/** How examples that are images are called and drawn. */
function asPictures({ images, boxes }) {
  const bytes = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const known = new Map(Object.entries(images.known).map(([context, text]) => [Number(context), bytes(text)]));
  return { called: inputWords("images", images.labeled), pictures: new Pictures({ ...images, known }, boxes) };
}

function render({ model, el }) {
  const data = JSON.parse(model.get("data"));
  data.largest = largestStrength(data);
  if (data.images) Object.assign(data, asPictures(data));
  const first = model.get("threshold");
  let address;
  const cutAt = (threshold) => {
    model.set("threshold", threshold);
    model.save_changes();
  };
  const host = {
    get threshold() {
      return model.get("threshold");
    },
    cutAt,
    cardsOf: `, ${data.title}`, // another explorer of the page may have cards of one number
    chose: () => address?.write(),
  };
  const view = new ClusterView(data, host, [element("p", { class: "nk-title" }, [data.title])]);
  const regroup = () => {
    view.regroup();
    address?.write();
  };
  const shown = () => ({
    ...(host.threshold === first ? {} : { t: addressNumber(host.threshold) }),
    ...(view.chosen === null ? {} : { c: view.clusters.indexOf(view.chosen) + 1 }),
  });
  const take = ({ t = first, c }) => {
    if (t > 0 && t <= 1) cutAt(Number(t));
    view.choose(view.clusters[c - 1] ?? null);
  };
  const resized = new ResizeObserver(() => view.draw());
  const root = element("div", { class: "nbkit-explorer nk-dendrogram" }, view.parts);
  el.append(root);
  resized.observe(view.treeView.root);
  model.on("change:threshold", regroup);
  address = new AddressPart(el, "dendrogram", shown, take);
  root.append(handOver(address, () => [`${data.title.replace(/\W+/g, "-")}.json`, clustersAsJson(view)]));
  return () => {
    resized.disconnect();
    address.close();
    model.off("change:threshold", regroup);
  };
}

export default { render };
