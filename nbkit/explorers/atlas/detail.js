// The right side of the explorer, or on a phone the second one: the whole model as a map, and the open neuron.

import { button, element } from "../shared/elements.js";
import { NoteEditor } from "./notes-view.js";

export class Detail {
  /** @param explorer the state that it shows and changes (atlas.js) */
  constructor(explorer) {
    this.explorer = explorer;
    const { unit, site } = explorer.overview.words;
    const step = (text, act, title) => button({ class: "nk-button", title }, [text], act);
    this.toList = button({ class: "nk-button nk-to-list" }, ["‹ List"], () => explorer.showPane("list"));
    this.back = step("Back", () => explorer.goBack(), `To the ${unit} that was open before`);
    this.editor = new NoteEditor(explorer);
    this.head = element("div", { class: "nk-detail-head" }, [
      this.toList,
      step("Previous", () => explorer.choice.step(-1), "Before this one in the list (k)"),
      step("Next", () => explorer.choice.step(1), "After this one in the list (j)"),
      step("Random", () => explorer.choice.openAny(), "Any of the list"),
      this.back,
      element("span", { class: "nk-space" }),
      this.editor.unfold,
      this.editor.star, // at the end: a label that is kept while it is pressed would move it
    ]);
    this.map = element("details", { class: "nk-map" }, [
      element("summary", {}, [`The whole model, ${site} by ${site}`]),
      explorer.glance.root,
    ]);
    this.map.addEventListener("toggle", () => explorer.glance.draw());
    this.error = element("p", { class: "nk-error", role: "alert" });
    this.neuron = element("div", { class: "nk-open" });
    const about = [this.map, this.editor.fields, this.error, this.neuron];
    this.body = element("div", { class: "nk-detail-body", tabindex: -1 }, about);
    this.root = element("section", { class: "nk-detail", "aria-label": `One ${unit}` }, [this.head, this.body]);
  }

  /** Whether it scrolls by itself, beside the list. */
  get apart() {
    return getComputedStyle(this.body).overflowY === "auto";
  }

  /** Bring something into sight, inside this side alone if that scrolls by itself. */
  reveal(target) {
    if (!this.apart) target.scrollIntoView({ block: "start" });
    else this.body.scrollTop += target.getBoundingClientRect().top - this.body.getBoundingClientRect().top - 8;
  }
}
