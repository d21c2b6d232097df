// One unit alone, for a frame on another page: the explorer takes the place of all else on its page.

import { element } from "../shared/elements.js";

export class CardView {
  /** @param root the explorer's element
   * @param overview says what the atlas is of (atlas-data.js) */
  constructor(root, { model, corpus }) {
    this.root = root;
    this.mark = document.createComment("where the explorer stands");
    const link = element("a", { href: "", target: "_blank" }, ["Open in the explorer"]);
    const follow = () => (link.href = location.href.replace("&view=card", ""));
    for (const event of ["focus", "pointerenter"]) link.addEventListener(event, follow);
    root.append(element("p", { class: "nk-about nk-source" }, [`${model}, ${corpus} · `, link]));
  }

  /** Whether the unit stands alone, as the address asks. */
  take({ view }) {
    const alone = view === "card";
    if (alone === this.alone) return;
    this.alone = alone;
    this.root.classList.toggle("nk-alone", alone);
    document.body.classList.toggle("nk-one-unit", alone);
    if (alone) {
      this.root.replaceWith(this.mark);
      document.body.append(this.root);
    } else if (this.mark.isConnected) this.mark.replaceWith(this.root);
  }

  get asked() {
    return this.alone ? { view: "card" } : {};
  }
}

/** The text that puts a unit into another page. */
export function frameText(address, name) {
  const frame = element("iframe", { src: address, title: name, width: 640, height: 480, loading: "lazy", style: "border: 0" });
  return frame.outerHTML;
}
