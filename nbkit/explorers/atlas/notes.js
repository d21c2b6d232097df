// What a reader keeps of an atlas: favorites, labels and notes. They stay in this browser, and travel as JSON.

import { jsonText } from "../shared/hand-over.js";

const NOTES_FORMAT = "nbkit-notes";
const NOTES_VERSION = 1;
export const LONGEST_TEXT = { label: 120, note: 20_000 };
const NOTHING_KEPT = { favorite: false, label: "", note: "" };

/** @typedef {{favorite: boolean, label: string, note: string}} Kept  what is kept of a neuron */

/** The notes as a file. */
export function notesAsJson(overview, kept) {
  const neurons = [...kept]
    .sort((a, b) => a[0] - b[0])
    .map(([row, { favorite, label, note }]) => ({ layer: overview.layer(row), neuron: overview.index(row), favorite, label, note }));
  const atlas = { id: overview.id, model: overview.model, corpus: overview.corpus };
  return jsonText({ format: NOTES_FORMAT, version: NOTES_VERSION, atlas, neurons });
}

/** The notes in a file's text, by row.
 * @returns {Map<number, Kept>}
 * @throws Error whose message is a sentence: what is wrong, and where */
export function notesIn(text, overview) {
  let file;
  try {
    file = JSON.parse(text);
  } catch {
    throw new Error("This file is not JSON: choose one that “Export” has made.");
  }
  if (file?.format !== NOTES_FORMAT) throw new Error("This file holds no notes: choose one that “Export” has made.");
  if (file.version !== NOTES_VERSION) throw new Error(`These notes are of version ${file.version}, this page reads ${NOTES_VERSION}.`);
  if (file.atlas?.id !== overview.id) {
    const of = typeof file.atlas?.model === "string" ? `${file.atlas.model} on ${file.atlas.corpus}` : "something else";
    throw new Error(`These notes are on another atlas, of ${of}: its ${overview.words.units} have other examples.`);
  }
  if (!Array.isArray(file.neurons)) throw new Error(`This file has no list of ${overview.words.units}: it is not as it was exported.`);
  return new Map(file.neurons.map((each, i) => [rowOf(each, i, overview), keptOf(each, i)]));
}

function rowOf(each, i, overview) {
  const whole = Number.isInteger(each?.layer) && Number.isInteger(each.neuron);
  const row = whole ? overview.row(each.layer, each.neuron) : undefined;
  if (row === undefined) throw new Error(`Entry ${i + 1} names no ${overview.words.unit} of this atlas: nothing was imported.`);
  return row;
}

function keptOf({ favorite = false, label = "", note = "" }, i) {
  const fits = (text, name) => typeof text === "string" && text.length <= LONGEST_TEXT[name];
  if (typeof favorite === "boolean" && fits(label, "label") && fits(note, "note")) return { favorite, label, note };
  const limits = `a label has at most ${LONGEST_TEXT.label} characters, a note ${LONGEST_TEXT.note.toLocaleString("en")}`;
  throw new Error(`Entry ${i + 1} is not as it was exported (${limits}): nothing was imported.`);
}

export class Notes {
  /** @param overview of the atlas
   * @param changed is told when something else is kept */
  constructor(overview, changed) {
    Object.assign(this, { overview, changed });
    this.only = false; // whether nothing else is listed
    this.lasting = true; // whether the browser keeps them
    this.kept = this.read();
  }

  get key() {
    return `nbkit-notes-${this.overview.id}`;
  }

  read() {
    let text;
    try {
      text = localStorage.getItem(this.key);
    } catch {
      this.lasting = false; // the browser closes it to this page
      return new Map();
    }
    try {
      return text === null ? new Map() : notesIn(text, this.overview);
    } catch {
      return new Map(); // something else wrote it
    }
  }

  write() {
    try {
      localStorage.setItem(this.key, this.export());
    } catch {
      this.lasting = false;
    }
    this.changed();
  }

  has(row) {
    return this.kept.has(row);
  }

  /** @returns {Kept} */
  of(row) {
    return this.kept.get(row) ?? NOTHING_KEPT;
  }

  /** Keep something else of a neuron. */
  keep(row, changes) {
    const kept = { ...this.of(row), ...changes };
    for (const [name, length] of Object.entries(LONGEST_TEXT)) kept[name] = kept[name].slice(0, length);
    if (this.lasting) this.kept = this.read(); // another page of the browser may have changed them
    if (kept.favorite || kept.label || kept.note) this.kept.set(row, kept);
    else this.kept.delete(row);
    this.write();
  }

  /** Take over the notes of a file; what it says of a neuron replaces what was kept.
   * @returns {{taken: number, replaced: number}} */
  import(text) {
    const found = notesIn(text, this.overview);
    if (this.lasting) this.kept = this.read();
    const replaced = [...found.keys()].filter((row) => this.kept.has(row)).length;
    for (const [row, kept] of found) this.kept.set(row, kept);
    this.write();
    return { taken: found.size, replaced };
  }

  export() {
    return notesAsJson(this.overview, this.kept);
  }
}
