// Where an atlas's units are, and how they are numbered and named. Pure functions, no page needed.

import { offsets } from "./atlas-data.js";
import { unitInAddress } from "./atlas-links.js";
import { capital } from "../shared/snippets.js";

/** @typedef {{number: number, size: number, label: string, title: string, unit: string, mark: string}} Site
 *  As shards.py has it: "L12" and "layer 12", or "S0" and "S0 (blocks.12.hook_resid_post)"; the `mark` stands before a
 *  unit's index. */

/** Rows are the units of one site after another's; a site has as many as it has. */
export class Sites {
  /** @param {Site[]} sites */
  constructor(sites) {
    this.sites = sites;
    this.starts = offsets(sites.map(({ size }) => size));
    this.n = this.starts.at(-1);
    this.places = new Uint16Array(this.n); // of each row the place of its site
    sites.forEach((_, place) => this.places.fill(place, this.starts[place], this.starts[place + 1]));
    this.words = wordsOf(sites);
  }

  /** @returns {Site} */
  site(row) {
    return this.sites[this.places[row]];
  }

  /** The number of its site: of neurons their layer. */
  layer(row) {
    return this.site(row).number;
  }

  index(row) {
    return row - this.starts[this.places[row]];
  }

  /** "L12 N521" or "S0 #521". */
  name(row) {
    return named(this.site(row), this.index(row));
  }

  /** "Layer 12, neuron 521" or "S0 (blocks.12.hook_resid_post), latent 521". */
  title(row) {
    const { title, unit } = this.site(row);
    return `${capital(title)}, ${unit} ${this.index(row)}`;
  }

  /** "L12N521", whatever the unit. */
  inAddress(row) {
    return unitInAddress({ layer: this.layer(row), index: this.index(row) });
  }

  /** The row of a unit; undefined if the atlas does not hold it. */
  row(layer, index) {
    const place = this.sites.findIndex(({ number }) => number === layer);
    return place >= 0 && index >= 0 && index < this.sites[place].size ? this.starts[place] + index : undefined;
  }

  /** A sentence on a unit that the atlas does not hold. */
  missing(layer, index) {
    const { sites, words } = this;
    const known = sites.find(({ number }) => number === layer);
    const asked = known ?? { ...sites[0], label: sites[0].label[0] + layer };
    const alike = sites.every(({ size }) => size === sites[0].size);
    const ofSite = known ? `, of ${known.title} ${known.unit}s 0 to ${known.size - 1}` : "";
    const units = alike ? `, ${words.units} 0 to ${sites[0].size - 1}` : ofSite;
    const [first, last] = [sites[0], sites.at(-1)];
    const all = sites.length > 1 && last.number - first.number === sites.length - 1;
    const which = (all ? [first, last] : sites).map((site) => this.short(site)).join(all ? " to " : ", ");
    return `There is no ${named(asked, index)} in this atlas: it holds ${words.sites} ${which}${units}.`;
  }

  /** What a site is called where it is known of what the atlas is. */
  short({ number, label }) {
    return this.words.unit === "neuron" ? String(number) : label;
  }
}

function named({ label, mark }, index) {
  return `${label} ${mark}${index}`;
}

const OF_NEURONS = {
  site: "layer",
  sites: "layers",
  scopes: ["in the same layer", "in other layers"],
  reads: "pre-MLP vector",
};
const OF_OTHERS = {
  site: "site",
  sites: "sites",
  scopes: ["at the same site", "at other sites"],
  reads: "the vector that it reads",
};
/** What sentences call the units, one and many, and their sites; the `scopes` of similar features, the vector that a unit
 * `reads`, and an `example` of a name. */
function wordsOf(sites) {
  const kinds = new Set(sites.map(({ unit }) => unit));
  const unit = kinds.size === 1 ? sites[0].unit : "unit";
  const example = kinds.has("neuron") ? "L7 N123" : "S0 #123";
  return { unit, units: `${unit}s`, ...(unit === "neuron" ? OF_NEURONS : OF_OTHERS), example };
}
