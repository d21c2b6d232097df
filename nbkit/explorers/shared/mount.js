// Explorers on a page that has no kernel. mount.py writes the places that are filled here.

import { fromScript } from "./data-script.js";
import { element } from "./elements.js";
import { unpack } from "./packing.js";

const PAPER = 640; // px, what a printed page has beside its margins

/** What anywidget's model is to an explorer in JupyterLab.
 * @param {Object<string, any>} state values by name
 * @param {{get: (name: string) => any}} [given] has those that `state` lacks */
export class PageModel {
  constructor(state, given) {
    this.state = { ...state };
    this.given = given;
    this.followers = new Map(); // by event, functions
  }

  get(name) {
    return name in this.state ? this.state[name] : this.given?.get(name);
  }

  set(name, value) {
    if (this.get(name) === value) return;
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
 * @param {Object<string, any> | {get: (name: string) => any}} given its values by name, or what has them. One of them may
 *   be `file`, the address of a script that brings more.
 * @returns {Promise<{model: PageModel, remove: () => void}>} what is shown, to be followed and set */
export async function mountExplorer(render, el, given) {
  try {
    const isModel = typeof given.get === "function";
    const file = isModel ? given.get("file") : given.file;
    const values = file ? await valuesFrom(file) : {};
    const model = isModel ? new PageModel(values, given) : new PageModel({ ...given, ...values });
    const remove = await render({ model, el });
    const fit = () => fitPaper(el);
    addEventListener("beforeprint", fit);
    return { model, remove: () => (removeEventListener("beforeprint", fit), remove?.(), el.replaceChildren()) };
  } catch (error) {
    const said = `The explorer cannot be shown: ${error.message}.`;
    el.append(element("p", { class: "nbkit-explorer nk-error", role: "alert" }, [said]));
    throw error;
  }
}

/** Make an explorer so small that its plots, which are not drawn anew for paper, are not cut there. */
function fitPaper(el) {
  const widths = Array.from(el.querySelectorAll("svg, canvas"), (plot) => plot.clientWidth);
  el.style.setProperty("--nk-on-paper", PAPER / Math.max(PAPER, ...widths));
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
    mountExplorer(render, el, JSON.parse(el.querySelector("script").textContent)).catch(console.error);
  }
}
