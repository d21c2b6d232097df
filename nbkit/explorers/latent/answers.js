// A digit on the pad, what the MLP takes it for, and which units of the present view answer to it.

import { barList } from "../shared/bars.js";
import { DigitPad } from "./digit-pad.js";
import { button, element } from "../shared/elements.js";
import { hiddenLayer, probabilities, unitActivations } from "./forward.js";
import { placeOfLargest } from "./latent-data.js";
import { ranking } from "../shared/ranking.js";
import { number } from "../shared/snippets.js";

const STRONGEST = 12;

export class Answers {
  /** @param explorer the state that it shows and changes (latent.js) */
  constructor(explorer) {
    this.explorer = explorer;
    this.next = explorer.data.picks.map(() => 0); // of each digit, the image that is picked next
    this.pad = new DigitPad((pixels) => this.answer(pixels));
    this.verdict = element("p", { role: "status" });
    this.classes = element("div");
    this.who = element("p", { role: "status" });
    this.units = element("div");
    this.root = element("section", { class: "nk-try", "aria-label": "Draw or pick a digit" }, [
      element("p", { class: "nk-title" }, ["Draw or pick a digit, and see what answers"]),
      element("div", { class: "nk-trial" }, [
        element("div", {}, [this.pad.root, this.makePicks()]),
        element("div", {}, [this.verdict, this.classes]),
        element("div", {}, [this.who, this.units]),
      ]),
    ]);
  }

  makePicks() {
    const picks = this.explorer.data.picks.map((images, digit) => {
      const label = `Pick a test image of a ${digit}`;
      const pick = button({ class: "nk-button", "aria-label": label }, [String(digit)], () => this.pick(digit));
      pick.disabled = !images.length;
      return pick;
    });
    return element("div", { class: "nk-picks", role: "group", "aria-label": "Test images" }, [
      element("span", {}, ["Pick a"]),
      ...picks,
    ]);
  }

  /** Put the next of the images of a digit on the pad. */
  pick(digit) {
    const images = this.explorer.data.picks[digit];
    this.load(images[this.next[digit]++ % images.length]);
  }

  /** Put an image on the pad; `look` brings the pad into sight. */
  load(i, look = false) {
    const { data } = this.explorer;
    this.pad.show(data.image(i), `Test image ${data.numbers[i]}, labeled ${data.labels[i]}`);
    if (look) this.pad.root.scrollIntoView({ block: "nearest" });
  }

  answer(pixels) {
    const { mlp } = this.explorer.data;
    this.hidden = hiddenLayer(mlp, pixels);
    const shares = probabilities(mlp, this.hidden);
    const best = placeOfLargest(shares);
    this.verdict.textContent = `The MLP reads a ${best} (${percent(shares[best])}).`;
    const rows = [...shares].map((share, digit) => [String(digit), share, percent(share)]);
    this.classes.replaceChildren(barList(rows, { name: "Probability of each digit", largest: 1 }));
    this.showUnits();
  }

  /** List the units of the present view that answer most. */
  showUnits() {
    if (!this.hidden) return;
    const { view } = this.explorer;
    this.activations = unitActivations(view, this.hidden);
    const strongest = ranking(this.activations, true)
      .slice(0, STRONGEST)
      .filter((j) => this.activations[j] > 0);
    const rows = strongest.map((j) => [this.makeLink(j), this.activations[j], number(this.activations[j])]);
    const largest = strongest.length ? this.activations[strongest[0]] : 1;
    this.units.replaceChildren(barList(rows, { name: `The strongest ${view.unit}s`, largest }));
    this.choose();
  }

  makeLink(j) {
    const { explorer } = this;
    const name = `${explorer.view.unit} ${j}`;
    return button({ class: "nk-link", "data-unit": j }, [name], () => explorer.open(explorer.viewNumber, j, true));
  }

  /** Tell how the unit that is open answers. */
  choose() {
    if (!this.activations) return;
    const { view, unit } = this.explorer;
    const active = this.activations.filter((value) => value > 0).length;
    const own = this.activations[unit];
    const does = own > 0 ? `answers with ${number(own)}` : "does not answer";
    this.who.textContent = `${active} of the ${view.n} ${view.unit}s answer; ${view.unit} ${unit} ${does}.`;
    for (const link of this.units.querySelectorAll("[data-unit]")) {
      if (Number(link.dataset.unit) === unit) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  }
}
