// Where require.js finds the modules of the widgets on a built page. Loaded between require.js and embed-amd.js
// (see nb_ipywidgets_js in _config.yml); the files it points to are put into offline/ by nbkit/book/frontend.py.
(function () {
  const offline = new URL("offline/", document.currentScript.src).href; // any page depth, http: and file:
  window.requirejs.config({
    waitSeconds: 0,
    paths: {
      anywidget: offline + "anywidget",
      // Both are bundled in embed-amd.js; the paths only tell it where its icon fonts lie.
      "@jupyter-widgets/html-manager": offline + "fonts/x",
      "@jupyter-widgets/html-manager/dist/libembed-amd": offline + "fonts/x",
    },
  });

  // ipywidgets typesets maths with the interface of MathJax 2, the pages load MathJax 3. This handler runs before the
  // one with which embed-amd.js renders the widgets.
  window.addEventListener("load", function () {
    const mathjax = window.MathJax;
    if (!mathjax || mathjax.Hub) return;
    mathjax.Hub = {
      Queue: function (task) {
        if (!task || task[0] !== "Typeset" || !task[2]) return;
        mathjax.startup.promise = mathjax.startup.promise
          .then(() => mathjax.typesetPromise([task[2]]))
          .catch(console.error);
      },
    };
  });
})();
