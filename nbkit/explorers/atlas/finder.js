// One field that finds a neuron by its number and features by a word or a phrase.

import { button, consume, element } from "../shared/elements.js";
import { neuronIn } from "./atlas-links.js";
import { searchPhrase } from "./phrase-search.js";
import { count } from "../shared/snippets.js";

const FIRST_HITS = 20;

export class Finder {
  /** @param explorer the state that it shows and changes (atlas.js) */
  constructor(explorer) {
    this.explorer = explorer;
    this.sought = ""; // the words whose features are shown
    this.field = element("input", { type: "search", placeholder: "L7 N123, or a word", spellcheck: false, dir: "auto" });
    const find = () => this.find(this.field.value);
    this.form = element("div", { class: "nk-find", role: "search" }, [
      element("label", {}, ["Find ", this.field]),
      button({ class: "nk-button" }, ["Find"], find),
    ]);
    this.field.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      consume(event); // a form would do the same, but JupyterLab keeps it from being sent
      find();
    });
    this.status = element("p", { role: "status" });
    this.results = element("div");
    this.close = button({ class: "nk-button", hidden: "" }, ["Close results"], () => {
      this.seek("");
      this.field.focus();
    });
    const head = element("div", { class: "nk-tools" }, [this.status, this.close]);
    this.root = element("section", { class: "nk-found", "aria-label": "What was found" }, [head, this.results]);
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
    this.explorer.write(false);
  }

  async search(text) {
    this.sought = text;
    this.results.replaceChildren();
    this.close.hidden = true;
    this.status.textContent = text ? "Searching …" : "";
    if (!text) return;
    try {
      const { store, overview } = this.explorer;
      const load = (number) => store.get(`phrases-${String(number).padStart(5, "0")}`);
      const [found, features] = await Promise.all([searchPhrase(overview.phrases, load, text), this.explorer.features()]);
      if (this.sought === text) this.show(found, features);
    } catch (error) {
      if (this.sought === text) this.status.textContent = error.message;
    }
  }

  openNamed({ layer, index }) {
    const row = this.explorer.overview.row(layer, index);
    if (row === undefined) {
      this.status.textContent = this.explorer.missing(layer, index);
    } else {
      this.status.textContent = "";
      this.explorer.open(row, { look: true });
    }
  }

  show({ phrase, hits, longer, parts }, features) {
    this.close.hidden = false;
    const those = hits.length
      ? count(hits.length, "feature") + (parts.length ? ` by parts of it, ${parts.join(", ")}` : "")
      : "no feature has it at its key token";
    const rest = `”: ${those}${longer.length ? "; longer phrases below" : ""}`;
    this.status.replaceChildren("“", element("bdi", {}, [phrase]), rest);
    this.list = element("ol", { class: "nk-hits" });
    this.rest = element("div");
    this.deal(hits, features, FIRST_HITS);
    const more = longer.map(([text, n]) =>
      element("li", {}, [
        button({ class: "nk-link" }, [element("bdi", {}, [text])], () => this.find(text)),
        element("span", { class: "nk-times" }, [` ${count(n, "feature")}`]),
      ]),
    );
    this.results.replaceChildren(this.list, this.rest, element("ul", { class: "nk-longer" }, more));
  }

  deal(hits, features, until) {
    for (const { feature, count: times } of hits.slice(this.list.children.length, until)) {
      const about = ` in ${times} of ${count(features.size[feature], "example")}, most often `;
      this.list.append(
        element("li", {}, [
          this.explorer.featureLink(feature, features),
          element("span", { class: "nk-times" }, [about]),
          element("code", { class: "nk-word", dir: "auto" }, [features.word(feature)]),
        ]),
      );
    }
    this.rest.replaceChildren();
    const hidden = hits.length - this.list.children.length;
    if (hidden <= 0) return;
    const more = button({ class: "nk-button" }, [`Show ${count(hidden, "more feature")}`], () => {
      const from = this.list.children.length;
      this.deal(hits, features, until + 100);
      this.list.children[from].querySelector("button").focus();
    });
    this.rest.append(more);
  }
}
