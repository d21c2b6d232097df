// The address of the page follows what the explorer shows, and the explorer an address. Only on a page without a kernel:
// JupyterLab's address is its own.

import { addressOf, askedIn, placeIn } from "./atlas-links.js";
import { frameText } from "./card-view.js";

const REST = 200; // ms without another change until the address follows

export class Address {
  /** @param explorer what is shown (atlas.js)
   * @param parts those that say what the reader has `asked` of them, and `take` what an address asks */
  constructor(explorer, parts) {
    Object.assign(this, { explorer, parts });
    this.written = location.hash;
    this.cutIn = (layer) => explorer.overview.cutIn(layer);
  }

  /** The open neuron and how it is shown. */
  get place() {
    const { model, place, threshold } = this.explorer;
    return { layer: model.get("layer"), index: model.get("neuron"), threshold, ...place };
  }

  get text() {
    return addressOf(this.place, Object.assign({}, ...this.parts.map((part) => part.asked)), this.cutIn);
  }

  /** Follow soon: a change of the address takes longer than a cut, and browsers limit their number. */
  writeSoon() {
    clearTimeout(this.pending);
    this.pending = setTimeout(() => this.write(false), REST);
  }

  /** Follow now, with a new entry in the history or not. */
  write(entry) {
    clearTimeout(this.pending);
    if (!this.explorer.linked) return;
    const { text } = this;
    if (text === location.hash) return;
    this.written = text;
    if (entry && this.explorer.row !== null) location.hash = text;
    else history.replaceState(history.state, "", text);
  }

  /** Go where the address leads: the reader came by a link, or went back. */
  read(first) {
    const { explorer } = this;
    if (location.hash === this.written) return;
    const begin = location.hash === ""; // where the reader began
    const place = begin ? first : placeIn(location.hash, this.cutIn);
    const row = place && explorer.overview.row(place.layer, place.index);
    if (place && row === undefined) explorer.refuse(place);
    if (row === undefined || row === null) return;
    if (explorer.trail.at(-1)?.row === row) explorer.trail.pop();
    this.written = location.hash;
    this.take();
    explorer.show(row, { ...place });
    explorer.showPane(begin ? "list" : "detail");
  }

  /** Let all parts take what the address asks for. */
  take() {
    const asked = askedIn(location.hash);
    for (const part of this.parts) part.take(asked);
  }

  /** What leads here: a link, or in JupyterLab the code. */
  get link() {
    if (this.explorer.linked) return new URL(this.text, location.href).href;
    const { layer, index, threshold } = this.place;
    return `nbkit.explore(atlas, layer=${layer}, neuron=${index}, threshold=${threshold})`;
  }

  /** A frame with the open neuron, for another page. */
  get frame() {
    const { overview, row } = this.explorer;
    return frameText(new URL(addressOf(this.place, { view: "card" }, this.cutIn), location.href).href, overview.name(row));
  }
}
