// What a reader takes along: a copied text, a file, a link to what is shown.

import { button, element } from "./elements.js";

/** Copy a text; whether that went well. Where the clipboard is closed to pages, the old way. */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = document.createElement("textarea");
    field.value = text;
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    return done;
  }
}

/** Let the reader keep a text as a file; its kind follows from the name. */
export function saveFile(name, text) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: name.endsWith(".csv") ? "text/csv" : "application/json" }));
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}

const SINGLE_DIGITS = [6, 7, 8, 9]; // that tell any two numbers of single precision apart, at the latest the last

/** A number of single precision by the fewest digits that name it; anything else as it is. */
function plain(value) {
  if (typeof value !== "number" || Number.isInteger(value) || Math.fround(value) !== value) return value;
  const digits = SINGLE_DIGITS.find((n) => Math.fround(value.toPrecision(n)) === value);
  return Number(value.toPrecision(digits));
}

/** Anything as a file of JSON; what is not a number becomes null. */
export function jsonText(content) {
  return `${JSON.stringify(content, (_, value) => plain(value), 1)}\n`;
}

/** Rows of values as CSV; nothing stands for what is undefined. */
export function csvText(rows) {
  const cell = (value) => {
    const text = value == null || Number.isNaN(value) ? "" : String(plain(value));
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return rows.map((row) => `${row.map(cell).join(",")}\r\n`).join("");
}

/** Buttons that copy a link to what is shown, where there is an address, and download it.
 * @param {import("./address-part.js").AddressPart} address
 * @param {() => [name: string, text: string]} file */
export function handOver(address, file) {
  const said = element("span", { "aria-live": "polite" });
  const copy = async () => {
    said.textContent = (await copyText(address.link)) ? "Copied." : "The browser does not let a page copy here.";
  };
  const [name] = file();
  return element("div", { class: "nk-hand-over" }, [
    said,
    ...(address.linked ? [button({}, ["Copy link"], copy)] : []),
    button({}, [`Download ${name.split(".").at(-1).toUpperCase()}`], () => saveFile(...file())),
  ]);
}
