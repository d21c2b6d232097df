// One unit alone, for a frame on another page: the explorer takes the place of all else on its page.

import { element } from "../shared/elements.js";

export class CardView {
  /** @param root the explorer's element
   * @param overview says what the atlas is of (atlas-data.js) */
  constructor(root, { model, corpus }) {
    this.root = root;
    this.alone = false;
    this.mark = document.createComment("where the explorer stands");
    const link = element("a", { target: "_blank" }, ["Open in the explorer"]);
    const follow = () => (link.href = location.href.replace("&view=card", ""));
    for (const event of ["focus", "pointerenter"]) link.addEventListener(event, follow);
    follow();
    root.append(element("p", { class: "nk-about nk-source" }, [`${model}, ${corpus} · `, link]));
  }

  /** Let the unit stand alone if the address asks for it, and no longer if it does not. */
  take({ view }) {
    this.alone = view === "card";
    this.settle();
  }

  /** Stand where the address asks; to be called again when the explorer has come onto its page. */
  settle() {
    const { alone, root, mark } = this;
    if (!root.isConnected || alone === mark.isConnected) return;
    root.classList.toggle("nk-alone", alone);
    document.body.classList.toggle("nk-one-unit", alone);
    if (alone) {
      root.replaceWith(mark);
      document.body.append(root);
    } else mark.replaceWith(root);
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
