// Formulas as SVG, by the MathJax whose folder is given. Reads a JSON list of [TeX, whether it stands alone] and writes
// {style, formulas}. Run by maths.py under Node.js.

const folder = process.argv[2];
const load = ["input/tex-full", "output/svg", "a11y/assistive-mml"]; // the last: MathML for those who hear a page

require(`${folder}/node-main.js`)
  .init({
    loader: { load, paths: { mathjax: folder } },
    tex: { packages: { "[-]": ["noundefined"] } }, // a name that TeX doesn't know is an error
    svg: { fontCache: "none" },
  })
  .then(async (MathJax) => {
    const { adaptor } = MathJax.startup;
    const asked = JSON.parse(require("fs").readFileSync(0, "utf-8"));
    const formulas = [];
    for (const [tex, display] of asked) formulas.push(adaptor.outerHTML(await MathJax.tex2svgPromise(tex, { display })));
    const style = adaptor.textContent(MathJax.svgStylesheet());
    process.stdout.write(JSON.stringify({ style, formulas }));
  })
  .catch((error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
