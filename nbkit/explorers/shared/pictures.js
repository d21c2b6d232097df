// Examples that are images: the whole one on a canvas, the patch at the key position outlined on it and enlarged beside it.
// An image is drawn when it is seen, or after all that is seen, so that it can be printed; its room is there before.

import { element } from "./elements.js";
import { keyText, tokenElements } from "./snippets.js";

const LONGEST_SIDE = 64; // pixels of the screen that a small image is enlarged to, about
const LARGEST_SIDE = 96; // and a large one made smaller to
const MOST_ENLARGED = 0.5; // of the image's area; what is larger is seen well enough

/** How many pixels of the screen one of an image takes: a whole number of them, unless it is large. */
export function pictureScale(height, width) {
  const longest = Math.max(height, width);
  return longest > LONGEST_SIDE ? Math.min(1, LARGEST_SIDE / longest) : Math.round(LONGEST_SIDE / longest);
}

/** The pixels of the screen from top to bottom of an image. */
export function pictureHeight({ height, width }) {
  return Math.round(height * pictureScale(height, width));
}

/** The pixels of an image, gray or red, green and blue, as a canvas takes them. */
export function rgbaOf(pixels, channels) {
  const found = new Uint8ClampedArray((pixels.length / channels) * 4).fill(255);
  for (let i = 0; 4 * i < found.length; i++) {
    for (let color = 0; color < 3; color++) found[4 * i + color] = pixels[channels * i + (channels === 3 ? color : 0)];
  }
  return found;
}

/** "rows 3 to 7, columns 10 to 14": what a box spans, its ends included. */
export function boxText({ top, left, bottom, right }) {
  return `rows ${top} to ${bottom - 1}, columns ${left} to ${right - 1}`;
}

/** How the images of a site's examples are drawn. */
export class Pictures {
  /** @param images the images of the atlas (images.js): their `height`, `width` and `channels`, whether they are
   *    `labeled`, those that are `known`, and what loads another by its number, `load(context)`
   * @param {ArrayLike<number>} [boxes] of what a unit sees at each position top, left, bottom and right; none: the whole */
  constructor(images, boxes) {
    Object.assign(this, { images, boxes });
  }

  /** What the unit sees of an example's image; null if that is the whole. */
  box(data, example) {
    if (!this.boxes) return null;
    const at = 4 * data.positions[example];
    const [top, left, bottom, right] = Array.from({ length: 4 }, (_, side) => this.boxes[at + side]);
    const { height, width } = this.images;
    return bottom - top < height || right - left < width ? { top, left, bottom, right } : null;
  }

  /** "image 123, label 7, patch at rows 3 to 7, columns 10 to 14". */
  described(data, example) {
    const box = this.box(data, example);
    const label = this.images.labeled ? `, label ${keyText(data, example)}` : "";
    return `image ${data.contexts[example]}${label}${box ? `, patch at ${boxText(box)}` : ""}`;
  }

  /** An example as an element, with its label below in the color of its activation. */
  element(data, example) {
    const { height, width } = this.images;
    const box = this.box(data, example);
    const whole = canvasFor(width, height, pictureScale(height, width));
    const frame = element("span", { class: "nk-frame", role: "img", "aria-label": this.described(data, example) }, [whole]);
    const canvases = [[whole, 0, 0]];
    const parts = [frame];
    if (box) {
      frame.append(outline(box, this.images));
      const [tall, wide] = [box.bottom - box.top, box.right - box.left];
      if (tall * wide <= MOST_ENLARGED * height * width) {
        const patch = canvasFor(wide, tall, pictureScale(height, width) * Math.min(height / tall, width / wide));
        patch.classList.add("nk-patch");
        patch.setAttribute("aria-hidden", "true");
        canvases.push([patch, box.left, box.top]);
        parts.push(patch);
      }
    }
    const number = this.images.labeled ? [] : [` ${data.contexts[example]}`];
    parts.push(element("span", { class: "nk-caption", "aria-hidden": "true" }, [...tokenElements(data, example), ...number]));
    this.fill(frame, data.contexts[example], canvases);
    return element("span", { class: "nk-picture" }, parts);
  }

  /** Draw an image, at once if it is known, or else when it is seen or may be printed. */
  fill(frame, context, canvases) {
    const { images } = this;
    const draw = (pixels) => {
      const data = new ImageData(rgbaOf(pixels, images.channels), images.width, images.height);
      for (const [canvas, left, top] of canvases) canvas.getContext("2d").putImageData(data, -left, -top);
    };
    const known = images.known.get(context);
    if (known) draw(known);
    else whenSeen(frame, () => images.load(context).then(draw, (error) => (frame.title = error.message)));
  }
}

function canvasFor(width, height, scale) {
  const made = element("canvas", { width, height, class: scale < 1 ? "nk-reduced" : "" });
  made.style.setProperty("--width", width * scale);
  made.style.setProperty("--height", height * scale);
  return made;
}

/** The frame around a patch, at its place on the image whatever its size. */
function outline({ top, left, bottom, right }, { height, width }) {
  const made = element("span", { class: "nk-outline" });
  const share = (pixels, all) => `${Number(((100 * pixels) / all).toFixed(4))}%`;
  Object.assign(made.style, {
    top: share(top, height),
    left: share(left, width),
    height: share(bottom - top, height),
    width: share(right - left, width),
  });
  return made;
}

const waiting = new WeakMap(); // by element, what draws it
const unseen = new Set(); // weak references to these elements
let drawing = false; // whether one that is out of sight will be drawn
let watcher;

/** Act when an element is nearly seen, or is out of sight on the page and the browser has nothing else to do. */
function whenSeen(target, act) {
  watcher ??= makeWatcher();
  waiting.set(target, act);
  unseen.add(new WeakRef(target));
  watcher.observe(target);
  drawUnseen();
}

function makeWatcher() {
  addEventListener("beforeprint", () => Array.from(onThePage(), drawWaiting));
  const seen = (entries) => {
    for (const { target, isIntersecting } of entries) if (isIntersecting) drawWaiting(target);
    drawUnseen(); // what was unfolded may be longer than what is seen of it
  };
  return new IntersectionObserver(seen, { rootMargin: "200px" });
}

/** The elements that wait and are not folded away. */
function* onThePage() {
  for (const reference of unseen) {
    const target = reference.deref();
    if (!waiting.has(target)) unseen.delete(reference);
    else if (target.isConnected && target.checkVisibility()) yield target;
  }
}

/** Draw them, one after another. */
function drawUnseen() {
  if (drawing) return;
  drawing = true;
  whenIdle(async () => {
    const { value: target } = onThePage().next();
    if (target) await drawWaiting(target);
    drawing = false;
    if (target) drawUnseen();
  });
}

function drawWaiting(target) {
  const act = waiting.get(target);
  waiting.delete(target);
  watcher.unobserve(target);
  return act?.();
}

/** Safari has no idle time. */
function whenIdle(act) {
  if (window.requestIdleCallback) requestIdleCallback(act);
  else setTimeout(act, 50);
}
