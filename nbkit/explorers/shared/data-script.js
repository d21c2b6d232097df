// Data in files that are scripts: a page that was opened as a file may load scripts, but not read files. Such a file
// calls `nbkitShard` (data_script.py).

import { fromText } from "./packing.js";

/** An address below the folder of a book's pages, or any other, in full. */
function fullAddress(address) {
  const root = new URL(document.documentElement.dataset.content_root ?? "", document.baseURI); // of a book, set by Sphinx
  return new URL(address, root).href;
}

/** What the script at an address brings: the layout of its arrays, and these packed (see packing.js).
 * @throws Error whose message is the rest of a sentence for the reader */
export async function fromScript(address) {
  const script = document.createElement("script");
  script.src = fullAddress(address);
  // on the element itself, so that it doesn't matter who on the page set the function that is called
  window.nbkitShard = (_, ...data) => Object.assign(document.currentScript, { brought: data });
  await new Promise((resolve, reject) => {
    script.onload = resolve;
    script.onerror = () => reject(new Error("its file is missing"));
    document.head.append(script);
  }).finally(() => script.remove());
  if (!script.brought) throw new Error("its file is damaged");
  return fromText(...script.brought);
}
