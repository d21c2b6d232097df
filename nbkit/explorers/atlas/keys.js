// The keys of the whole atlas explorer.

import { consume } from "../shared/elements.js";

/** "/" goes to the search field, j and k to the next and the previous of the list, f makes the open neuron a favorite. A
 * field keeps its keys.
 * @param explorer what is shown (atlas.js) */
export function followKey(explorer, event) {
  if (event.target.closest("input, select, textarea") || event.ctrlKey || event.metaKey || event.altKey) return;
  const acts = {
    "/": () => {
      explorer.showPane("list");
      explorer.finder.field.focus();
    },
    j: () => explorer.choice.step(1),
    k: () => explorer.choice.step(-1),
    f: () => explorer.detail.editor.star.click(),
  };
  if (!(event.key in acts)) return;
  acts[event.key]();
  consume(event);
}
