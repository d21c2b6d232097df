// Images and maps of 28 x 28 pixels on canvases, with their numbers in text.

import { consume, clamp, element } from "../shared/elements.js";
import { SIDE, placeOfLargest } from "./latent-data.js";
import { number } from "../shared/snippets.js";

// Of the same contrast to light and to dark pages, so that nothing is drawn again when the page changes.
const POSITIVE = [201, 84, 22];
const NEGATIVE = [30, 115, 200];

/** A value with its sign. */
export function signed(value) {
  return `${value > 0 ? "+" : value < 0 ? "−" : ""}${number(Math.abs(value))}`;
}

/** Gray values in [0, 1] as RGBA: black, as opaque as the value; the style sheet turns it white on dark pages. */
export function grayPixels(values) {
  const pixels = new Uint8ClampedArray(4 * values.length);
  values.forEach((value, i) => (pixels[4 * i + 3] = 255 * value));
  return pixels;
}

/** Signed values as RGBA: the color is the sign, the opacity the magnitude relative to the largest. */
export function signedPixels(values) {
  const pixels = new Uint8ClampedArray(4 * values.length);
  const largest = values.reduce((max, value) => Math.max(max, Math.abs(value)), Number.MIN_VALUE);
  values.forEach((value, i) => {
    [pixels[4 * i], pixels[4 * i + 1], pixels[4 * i + 2]] = value < 0 ? NEGATIVE : POSITIVE;
    pixels[4 * i + 3] = (255 * Math.abs(value)) / largest;
  });
  return pixels;
}

/** Show pixels on a canvas of `emptyCanvas`. */
export function paint(canvas, pixels) {
  canvas.getContext("2d").putImageData(new ImageData(pixels, SIDE, SIDE), 0, 0);
}

/** A canvas to paint pixels on; without a label it is decoration beside a text. */
export function emptyCanvas(kind, label) {
  const named = label ? { role: "img", "aria-label": label } : { "aria-hidden": "true" };
  return element("canvas", { width: SIDE, height: SIDE, class: `nk-pixels nk-${kind}`, ...named });
}

/** A canvas with these pixels. */
export function drawnCanvas(pixels, kind, label) {
  const canvas = emptyCanvas(kind, label);
  paint(canvas, pixels);
  return canvas;
}

/** The name of a pixel. */
export function pixelName(p) {
  return `row ${Math.floor(p / SIDE) + 1}, column ${(p % SIDE) + 1}`;
}

/** The smallest and the largest value. */
export function rangeText(values) {
  return `${signed(Math.min(...values))} to ${signed(Math.max(...values))}`;
}

/** What the colors of signed maps and bars mean. */
export function signLegend() {
  const swatch = (kind) => element("span", { class: `nk-swatch nk-${kind}`, "aria-hidden": "true" });
  return element("p", { class: "nk-about" }, [swatch("minus"), "negative ", swatch("plus"), "positive"]);
}

/** What a map shows, in words: its extremes and where they are. */
export function extremes(values) {
  const high = placeOfLargest(values);
  const low = placeOfLargest(values.map((value) => -value));
  return `${signed(values[low])} at ${pixelName(low)} to ${signed(values[high])} at ${pixelName(high)}`;
}

/** A large map whose pixels can be read with the pointer or the arrow keys. */
export class PixelMap {
  /** @param kind "gray" for images, "signed" for maps */
  constructor(title, kind) {
    this.title = title;
    this.kind = kind;
    this.at = 0; // the pixel that the arrow keys read
    this.canvas = drawnCanvas(new Uint8ClampedArray(4 * SIDE * SIDE), kind, title);
    this.canvas.tabIndex = 0;
    this.text = element("span", { class: "nk-reading", "aria-live": "polite" });
    this.canvas.addEventListener("pointermove", (event) => this.point(event));
    this.canvas.addEventListener("pointerleave", () => this.rest());
    this.canvas.addEventListener("blur", () => this.rest());
    this.canvas.addEventListener("keydown", (event) => this.step(event));
    this.root = element("figure", { class: "nk-map" }, [
      this.canvas,
      element("figcaption", {}, [element("b", {}, [title]), this.text]),
    ]);
  }

  show(values) {
    this.values = values;
    paint(this.canvas, this.kind === "gray" ? grayPixels(values) : signedPixels(values));
    this.canvas.setAttribute("aria-label", `${this.title}, ${extremes(values)}; arrow keys read its pixels`);
    this.rest();
  }

  rest() {
    this.text.textContent = rangeText(this.values);
  }

  read(p) {
    this.at = p;
    this.text.textContent = `${pixelName(p)}: ${signed(this.values[p])}`;
  }

  point(event) {
    const box = this.canvas.getBoundingClientRect();
    const place = (at, length) => clamp(Math.floor((at / length) * SIDE), 0, SIDE - 1);
    this.read(place(event.clientY - box.top, box.height) * SIDE + place(event.clientX - box.left, box.width));
  }

  step(event) {
    const moves = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
    const by = moves[event.key];
    if (!by) return;
    const row = clamp(Math.floor(this.at / SIDE) + by[0], 0, SIDE - 1);
    this.read(row * SIDE + clamp((this.at % SIDE) + by[1], 0, SIDE - 1));
    consume(event);
  }
}
