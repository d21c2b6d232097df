// Explorers on a page that has no kernel. mount.py writes the places that are filled here.

import { fromScript } from "./data-script.js";
import { element } from "./elements.js";
import { unpack } from "./packing.js";

/** What anywidget's model is to an explorer in JupyterLab. */
export class PageModel {
  constructor(state) {
    this.state = { ...state };
    this.followers = new Map(); // by event, functions
  }

  get(name) {
    return this.state[name];
  }

  set(name, value) {
    if (this.state[name] === value) return;
    this.state[name] = value;
    for (const follow of [...(this.followers.get(`change:${name}`) ?? [])]) follow();
  }

  /** @param {string} events one or several, apart by spaces */
  on(events, follow) {
    for (const event of events.split(" ")) this.followers.set(event, (this.followers.get(event) ?? new Set()).add(follow));
  }

  off(events, follow) {
    for (const event of events.split(" ")) this.followers.get(event)?.delete(follow);
  }

  // there is nobody to tell
  save_changes() {}
  send() {}
}

/** Show an explorer in an element.
 * @param {(given: {model: PageModel, el: Element}) => any} render of the explorer
 * @param {Object<string, any>} state the values of the explorer by name
 * @param {string} [file] the address of a script that brings more of them
 * @returns {Promise<PageModel>} what is shown, to be followed and set */
export async function mountExplorer(render, el, state, file) {
  try {
    const model = new PageModel({ ...state, ...(file && (await valuesFrom(file))) });
    await render({ model, el });
    return model;
  } catch (error) {
    el.append(element("p", { class: "nbkit-explorer nk-error", role: "alert" }, [`The explorer cannot be shown: ${error.message}.`]));
    throw error;
  }
}

/** Long texts and bytes by name. */
async function valuesFrom(file) {
  const { layout, packed } = await fromScript(file);
  const { json, ...bytes } = await unpack(layout, packed);
  return { ...JSON.parse(new TextDecoder().decode(json)), ...bytes };
}

/** Fill all places of the page that wait for an explorer of this name. */
export function mountAll(name, render) {
  for (const el of document.querySelectorAll(`[data-explorer="${name}"]`)) {
    const { textContent: state } = el.querySelector("script");
    mountExplorer(render, el, JSON.parse(state), el.dataset.file).catch(console.error);
  }
}
