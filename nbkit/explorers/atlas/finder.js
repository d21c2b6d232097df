// One field that finds a unit by its number and features by a word or a phrase; these stand in the list
// (neuron-list.js), what else could be meant below the field.

import { button, consume, element } from "../shared/elements.js";
import { shardName } from "./atlas-data.js";
import { neuronIn } from "./atlas-links.js";
import { searchPhrase } from "./phrase-search.js";
import { count } from "../shared/snippets.js";

export class Finder {
  /** @param explorer the state that it shows and changes (atlas.js) */
  constructor(explorer) {
    this.explorer = explorer;
    this.sought = ""; // the words whose features are shown
    const { words, called, phrases } = explorer.overview;
    const or = called.sought && phrases.length ? ` or ${called.sought}` : "";
    const hint = words.example + (or && `,${or}`);
    this.field = element("input", { type: "search", placeholder: hint, spellcheck: false, dir: "auto", "aria-label": `Find a ${words.unit}${or}` });
    const find = () => this.find(this.field.value);
    this.form = element("div", { class: "nk-find", role: "search" }, [this.field, button({ class: "nk-button" }, ["Find"], find)]);
    this.field.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      consume(event); // a form would do the same, but JupyterLab keeps it from being sent
      find();
    });
    this.field.addEventListener("search", () => this.field.value || this.seek("")); // the browser's own cross
    this.status = element("p", { role: "status" });
    this.longer = element("ul", { class: "nk-longer", "aria-label": "Longer phrases" });
    this.close = button({ class: "nk-button", hidden: "" }, ["Close results"], () => {
      this.seek("");
      this.field.focus();
    });
    const head = element("div", { class: "nk-found-head" }, [this.status, this.close]);
    this.root = element("section", { class: "nk-found", "aria-label": "What was found" }, [head, this.longer]);
  }

  /** What was searched, as the address has it. */
  get asked() {
    return this.sought ? { find: this.sought } : {};
  }

  /** Search what an address asks for. */
  take({ find = "" }) {
    if (find === this.sought) return;
    this.field.value = find;
    this.search(find);
  }

  find(text) {
    const named = neuronIn(text);
    this.seek(named ? "" : text.trim());
    this.field.value = text;
    if (named) this.openNamed(named);
  }

  /** The reader seeks other words, or none. */
  seek(text) {
    this.search(text);
    this.explorer.address.write(false);
  }

  async search(text) {
    this.sought = text;
    this.field.value = text;
    this.longer.replaceChildren();
    this.close.hidden = true;
    this.status.textContent = text ? "Searching …" : "";
    if (this.explorer.choice.found) this.explorer.choice.show(null);
    if (!text) return;
    try {
      const { store, overview } = this.explorer;
      const load = (number) => store.get(shardName("phrases", number));
      const [found, features] = await Promise.all([searchPhrase(overview.phrases, load, text), this.explorer.features()]);
      if (this.sought === text) this.show(found, features);
    } catch (error) {
      if (this.sought === text) this.status.textContent = error.message;
    }
  }

  openNamed({ layer, index }) {
    const row = this.explorer.overview.row(layer, index);
    if (row === undefined) {
      this.status.textContent = this.explorer.overview.missing(layer, index);
    } else {
      this.status.textContent = "";
      this.explorer.open(row, { look: "focus" });
    }
  }

  show({ phrase, hits, longer, parts }, features) {
    this.close.hidden = false;
    const those = hits.length
      ? count(hits.length, "feature") + (parts.length ? ` by parts of it, ${parts.join(", ")}` : "")
      : `no feature has it ${this.explorer.overview.called.found}`;
    this.status.replaceChildren("“", element("bdi", {}, [phrase]), `”: ${those}${longer.length ? "; longer phrases:" : ""}`);
    const more = longer.map(([text, n]) =>
      element("li", {}, [
        button({ class: "nk-link" }, [element("bdi", {}, [text])], () => this.find(text)),
        element("span", { class: "nk-times" }, [` ${n}`, element("span", { class: "nk-hidden" }, [n === 1 ? " feature" : " features"])]),
      ]),
    );
    this.longer.replaceChildren(...more);
    const placed = hits.map(({ feature, count: times }) => {
      const row = features.row(feature);
      return { row, place: feature - features.starts[row], size: features.size[feature], count: times };
    });
    this.explorer.choice.show({ phrase, hits: placed });
  }
}
