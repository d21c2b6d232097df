// The data of an atlas, piece by piece when they are needed: on a built page from files, in JupyterLab from the kernel.

import { fromScript } from "../shared/data-script.js";
import { unpack } from "../shared/packing.js";

const KEPT = 60; // shards in memory: some thousand neurons
const PATIENCE = 60_000; // ms until a kernel counts as gone

export class Store {
  /** @param model the widget's model: names the folder of the files, or answers messages */
  constructor(model) {
    this.model = model;
    this.shards = new Map(); // by name, the promise of its arrays
    this.asked = new Map(); // by question, who waits for the kernel's answer
    model.on("msg:custom", this.answer);
  }

  /** Whether a kernel answers. */
  get live() {
    return this.model.get("live") === true;
  }

  close() {
    this.model.off("msg:custom", this.answer);
  }

  /** The arrays of a shard by name, with its text as `json`.
   * @throws Error whose message is a sentence for the reader */
  get(name) {
    const known = this.shards.get(name);
    this.shards.delete(name);
    const found = known ?? this.load(name);
    this.shards.set(name, found); // the last one in the order of use
    for (const old of this.shards.keys()) {
      if (this.shards.size <= KEPT) break;
      if (/\d/.test(old)) this.shards.delete(old);
    }
    found.catch(() => this.shards.get(name) === found && this.shards.delete(name)); // so that it can be tried again
    return found;
  }

  async load(name) {
    try {
      const { layout, packed } = await (this.live ? this.ask({ kind: "shard", name }) : fromScript(`${this.model.get("site")}${name}.js`));
      const arrays = await unpack(layout, packed);
      if (arrays.json) arrays.json = JSON.parse(new TextDecoder().decode(arrays.json));
      return arrays;
    } catch (error) {
      throw new Error(`A part of the atlas, “${name}”, cannot be read: ${error.message}.`);
    }
  }

  /** Ask the kernel for something, once while it has not answered; its answer comes with the same `kind` and `name`. */
  ask(question) {
    const key = keyOf(question);
    if (this.asked.has(key)) return this.asked.get(key).promise;
    const promise = new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.asked.delete(key);
        reject(new Error("the kernel does not answer; run the cell again"));
      }, PATIENCE);
      this.asked.set(key, { resolve, reject, timer });
      this.model.send(question);
    });
    this.asked.get(key).promise = promise;
    return promise;
  }

  answer = (content, buffers) => {
    const key = keyOf(content);
    const waiting = this.asked.get(key);
    if (!waiting) return;
    this.asked.delete(key);
    clearTimeout(waiting.timer);
    if (content.error) waiting.reject(new Error(content.error));
    else waiting.resolve({ ...content, packed: buffers[0] });
  };
}

function keyOf({ kind, name, row, examples }) {
  return JSON.stringify([kind, name ?? [row, examples]]);
}
