// The live dendrogram: a tree with a threshold handle, and the examples regrouped into cards at every cut.
// Served together with its imports as one module (bundle.py); dendrogram.py says what the data are.

import { ClusterView } from "../shared/cluster-view.js";
import { element } from "../shared/elements.js";

/** What the view asks of the widget's model. */
function hostOf(model) {
  return {
    get threshold() {
      return model.get("threshold");
    },
    cutAt(threshold) {
      model.set("threshold", threshold);
      model.save_changes();
    },
  };
}

function render({ model, el }) {
  const data = JSON.parse(model.get("data"));
  data.largest = Math.max(...data.activations.flat(), Number.MIN_VALUE);
  const view = new ClusterView(data, hostOf(model), [element("p", { class: "nk-title" }, [data.title])]);
  const regroup = () => view.regroup();
  const resized = new ResizeObserver(() => view.draw());
  el.append(element("div", { class: "nbkit-explorer nk-dendrogram" }, view.parts));
  resized.observe(view.treeView.root);
  model.on("change:threshold", regroup);
  return () => {
    resized.disconnect();
    model.off("change:threshold", regroup);
  };
}

export default { render };
