// What a reader keeps (notes.js) in the explorer: a star, a label and a note on the open neuron, and all of them in and
// out of the browser.

import { button, element } from "../shared/elements.js";
import { saveFile } from "../shared/hand-over.js";
import { count } from "../shared/snippets.js";
import { LONGEST_TEXT } from "./notes.js";

const NOT_LASTING = "This browser keeps nothing for this page: export before you leave.";

let editors = 0; // for names of elements that no other editor has

/** The star, the label and the note of the open neuron. */
export class NoteEditor {
  /** @param explorer knows which neuron is open (atlas.js) */
  constructor(explorer) {
    this.explorer = explorer;
    this.star = button({ class: "nk-button nk-favorite" }, [], () => this.keep({ favorite: !this.kept.favorite }));
    this.label = element("input", { type: "text", maxlength: LONGEST_TEXT.label, dir: "auto", placeholder: "what it answers to, in your words" });
    this.note = element("textarea", { rows: 3, maxlength: LONGEST_TEXT.note, dir: "auto" });
    for (const field of [this.label, this.note]) field.addEventListener("change", () => this.save());
    this.fields = element("div", { class: "nk-note", id: `nk-note-${editors++}` }, [
      element("label", {}, ["Label", this.label]),
      element("label", {}, ["Note", this.note]),
      element("p", { class: "nk-about" }, ["Kept in this browser only; “Export” makes a file of all."]),
    ]);
    this.fields.hidden = true;
    this.unfold = button({ class: "nk-button", "aria-controls": this.fields.id }, ["Note"], () => {
      this.fields.hidden = !this.fields.hidden;
      this.show();
      if (!this.fields.hidden) this.label.focus();
    });
    this.show();
  }

  get kept() {
    return this.explorer.notes.of(this.explorer.row);
  }

  keep(changes) {
    if (this.explorer.row === null) return; // none is open: its data could not be read
    this.explorer.notes.keep(this.explorer.row, changes);
  }

  /** Keep what was typed, if it is something else than what is kept. */
  save() {
    const { kept } = this;
    const typed = { label: this.label.value.trim(), note: this.note.value.trim() };
    const changes = Object.entries(typed).filter(([name, text]) => text !== kept[name]);
    if (changes.length) this.keep(Object.fromEntries(changes));
  }

  /** Show what is kept of the open neuron. */
  show() {
    const { favorite, label, note } = this.kept;
    this.star.textContent = favorite ? "★" : "☆";
    this.star.title = favorite ? "A favorite: press to remove it" : "Make it a favorite (f)";
    this.star.setAttribute("aria-label", "Favorite");
    this.star.setAttribute("aria-pressed", favorite);
    this.unfold.setAttribute("aria-expanded", !this.fields.hidden);
    this.unfold.textContent = label ? `Note: ${label}` : note ? "Note …" : "Note";
    this.label.value = label;
    this.note.value = note;
  }
}

/** How many are kept, and their way out and in. */
export class NotesShelf {
  constructor(explorer) {
    this.explorer = explorer;
    this.summary = element("summary");
    this.only = element("input", { type: "checkbox" });
    this.only.addEventListener("change", () => {
      explorer.notes.only = this.only.checked;
      explorer.choice.select();
    });
    this.said = element("p", { class: "nk-about", role: "status" });
    this.file = element("input", { type: "file", accept: ".json,application/json", class: "nk-hidden", tabindex: -1, "aria-label": "File of notes" });
    this.file.addEventListener("change", () => this.import());
    this.root = element("details", { class: "nk-shelf" }, [
      this.summary,
      element("div", { class: "nk-tools" }, [
        element("label", {}, [this.only, " List these only"]),
        button({ class: "nk-button" }, ["Export"], () => this.export()),
        button({ class: "nk-button" }, ["Import"], () => this.file.click()),
        this.file,
      ]),
      this.said,
    ]);
    this.show();
  }

  countOf(n) {
    return count(n, this.explorer.overview.words.unit);
  }

  show() {
    const { kept, lasting } = this.explorer.notes;
    this.summary.textContent = kept.size ? `Favorites and notes: ${this.countOf(kept.size)}` : "Favorites and notes";
    this.said.textContent = lasting ? "" : NOT_LASTING;
  }

  export() {
    const { notes, overview } = this.explorer;
    saveFile(`notes-${overview.id}.json`, notes.export());
    this.said.textContent = `${this.countOf(notes.kept.size)} exported.`;
  }

  async import() {
    const [file] = this.file.files;
    if (!file) return;
    try {
      const { taken, replaced } = this.explorer.notes.import(await file.text());
      const instead = replaced ? `, ${replaced} of them instead of what was kept` : "";
      this.said.textContent = `${this.countOf(taken)} imported${instead}.`;
    } catch (error) {
      this.said.textContent = error.message;
    }
    this.file.value = ""; // the same file may be chosen again
  }
}
