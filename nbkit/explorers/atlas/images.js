// The images of an atlas, loaded by their number when they are seen (image_shard.py).

import { shardName } from "./atlas-data.js";
import { Pictures } from "../shared/pictures.js";
import { placeAmong } from "../shared/ranking.js";

const KEPT_IMAGES = 500; // that can be drawn at once

export class Images {
  /** @param store where the shards come from (shards.js)
   * @param overview of the atlas (overview.js) */
  constructor(store, { images, shown, boxes }) {
    Object.assign(this, images, { store, shown, boxes });
    this.known = new Map(); // by number, the pixels
  }

  /** How the examples of the site at a place are drawn. */
  at(place) {
    return new Pictures(this, this.boxes[place]);
  }

  /** The pixels of an image. */
  async load(number) {
    const place = placeAmong(this.shown, number);
    const { pixels } = await this.store.get(shardName("images", place, this.per_shard));
    const size = this.height * this.width * this.channels;
    const first = (place % this.per_shard) * size;
    this.known.set(number, pixels.subarray(first, first + size));
    if (this.known.size > KEPT_IMAGES) this.known.delete(this.known.keys().next().value);
    return this.known.get(number);
  }
}
