// A pad of 28 x 28 pixels to draw a digit on, by pointer or keyboard.

import { button, clamp, consume, element } from "../shared/elements.js";
import { SIDE } from "./latent-data.js";
import { drawnCanvas, grayPixels, paint, pixelName } from "./pixel-maps.js";

const PEN = 1.75; // pixels from the middle of the pen to where its ink ends
const KEYS =
  "Drawing pad. The arrow keys move the pen, with Shift they draw, Space sets a dot, Delete clears the pad.";
const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** Set a dot of ink at (x, y), in pixels from the upper left corner. */
export function stamp(pixels, x, y) {
  for (let row = Math.max(0, Math.floor(y - PEN)); row < Math.min(SIDE, y + PEN); row++) {
    for (let column = Math.max(0, Math.floor(x - PEN)); column < Math.min(SIDE, x + PEN); column++) {
      const ink = clamp(PEN - Math.hypot(column + 0.5 - x, row + 0.5 - y), 0, 1);
      pixels[row * SIDE + column] = Math.max(pixels[row * SIDE + column], ink);
    }
  }
}

/** Draw a line of dots, half a pixel apart. */
export function stroke(pixels, [x0, y0], [x1, y1]) {
  const steps = Math.max(1, Math.ceil(2 * Math.hypot(x1 - x0, y1 - y0)));
  for (let k = 0; k <= steps; k++) stamp(pixels, x0 + ((x1 - x0) * k) / steps, y0 + ((y1 - y0) * k) / steps);
}

/** The image moved by whole pixels so that its center of mass is in the middle, as MNIST's are. */
export function centered(pixels) {
  let [mass, x, y] = [0, 0, 0];
  pixels.forEach((value, p) => {
    mass += value;
    x += value * ((p % SIDE) + 0.5);
    y += value * (Math.floor(p / SIDE) + 0.5);
  });
  const [right, down] = mass ? [Math.round(SIDE / 2 - x / mass), Math.round(SIDE / 2 - y / mass)] : [0, 0];
  return pixels.map((_, p) => {
    const [column, row] = [(p % SIDE) - right, Math.floor(p / SIDE) - down];
    return column >= 0 && column < SIDE && row >= 0 && row < SIDE ? pixels[row * SIDE + column] : 0;
  });
}

export class DigitPad {
  /** @param changed called with the pixels, in [0, 1], whenever they change */
  constructor(changed) {
    this.changed = changed;
    this.pixels = new Float32Array(SIDE * SIDE);
    this.pen = [SIDE / 2 + 0.5, SIDE / 2 + 0.5]; // where the keyboard draws: the middle of a pixel
    this.canvas = drawnCanvas(grayPixels(this.pixels), "gray", KEYS);
    this.canvas.setAttribute("role", "application");
    this.canvas.tabIndex = 0;
    this.mark = element("span", { class: "nk-pen", "aria-hidden": "true" });
    this.about = element("p", { class: "nk-about", "aria-live": "polite" });
    this.root = element("div", { class: "nk-pad" }, [
      element("div", { class: "nk-sheet" }, [this.canvas, this.mark]),
      this.about,
      element("div", { class: "nk-tools" }, [
        button({ class: "nk-button" }, ["Clear"], () => this.show(new Float32Array(SIDE * SIDE), "Empty pad")),
        button({ class: "nk-button" }, ["Center"], () => this.show(centered(this.pixels), "Moved to the middle")),
      ]),
    ]);
    this.listen();
    this.placePen();
  }

  /** Show an image and say what it is. */
  show(pixels, what) {
    this.pixels = Float32Array.from(pixels);
    this.inked(what);
  }

  inked(what) {
    this.about.textContent = what;
    paint(this.canvas, grayPixels(this.pixels));
    this.changed(this.pixels);
  }

  listen() {
    const { canvas } = this;
    const at = (event) => {
      const box = canvas.getBoundingClientRect();
      return [((event.clientX - box.left) / box.width) * SIDE, ((event.clientY - box.top) / box.height) * SIDE];
    };
    let last;
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      last = at(event);
      stamp(this.pixels, ...last);
      this.inked("Drawn by you");
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!canvas.hasPointerCapture(event.pointerId)) return;
      stroke(this.pixels, last, at(event));
      last = at(event);
      this.inked("Drawn by you");
    });
    canvas.addEventListener("keydown", (event) => this.press(event));
  }

  press(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key in MOVES) {
      const before = this.pen;
      this.pen = before.map((place, axis) => clamp(place + MOVES[event.key][axis], 0.5, SIDE - 0.5));
      this.placePen();
      if (event.shiftKey) {
        stroke(this.pixels, before, this.pen);
        this.inked("Drawn by you");
      } else {
        this.about.textContent = `Pen at ${pixelName(Math.floor(this.pen[1]) * SIDE + Math.floor(this.pen[0]))}`;
      }
    } else if (event.key === " ") {
      stamp(this.pixels, ...this.pen);
      this.inked("Drawn by you");
    } else if (event.key === "Delete" || event.key === "Backspace") {
      this.show(new Float32Array(SIDE * SIDE), "Empty pad");
    } else return;
    consume(event);
  }

  placePen() {
    this.mark.style.left = `${(100 * this.pen[0]) / SIDE}%`;
    this.mark.style.top = `${(100 * this.pen[1]) / SIDE}%`;
  }
}
