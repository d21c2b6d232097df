// Values as bars from a common zero, each with its number.

import { element } from "./elements.js";

/** Rows of [label, value, text]; a label is a text or an element. `largest` is the length of a full bar; with `both`
 * ways, zero is in the middle. */
export function barList(rows, { name, largest, both = false }) {
  const list = element("ul", { class: `nk-bars${both ? " nk-both" : ""}`, "aria-label": name });
  for (const [label, value, text] of rows) {
    const bar = element("span", { class: `nk-bar${value < 0 ? " nk-below" : ""}` });
    bar.style.setProperty("--share", Math.min(1, Math.abs(value) / (largest || 1)).toFixed(4));
    list.append(
      element("li", {}, [
        element("span", { class: "nk-label" }, [label]),
        element("span", { class: "nk-track", "aria-hidden": "true" }, [bar]),
        element("span", { class: "nk-value" }, [text]),
      ]),
    );
  }
  return list;
}
