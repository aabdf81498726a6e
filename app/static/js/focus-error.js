// A page that came back with an error summary (data-focus-first-error) puts the focus on the first
// field in error, so that it can be typed right again at once. Links of the summary focus theirs.
(() => {
  const focusable = "input:not([type=hidden]), select, textarea, button, a[href]";

  const focusOn = (id) => {
    const place = document.getElementById(id);
    const field = place?.matches(focusable) ? place : place?.querySelector(focusable);
    if (!field) return false;
    field.focus({ preventScroll: true });
    // The label and its support text are part of what has to be read.
    (field.closest(".field") ?? field).scrollIntoView({ block: "center" });
    return true;
  };

  const focusFirst = (root) => {
    const summary = root.querySelector?.("[data-focus-first-error]");
    if (!summary) return;
    const first = summary.querySelector("a[href^='#']");
    if (first && focusOn(first.hash.slice(1))) return;
    summary.tabIndex = -1;
    summary.focus();
  };

  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("[data-focus-first-error] a[href^='#']");
    if (link && focusOn(link.hash.slice(1))) event.preventDefault();
  });

  focusFirst(document);
})();
