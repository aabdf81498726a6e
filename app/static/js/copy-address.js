// <button type="button" data-copy-fields="site_postal:postal site_city:city" hidden>: copies each
// right-hand field into the left-hand one. Without JavaScript the button stays hidden, and the same
// form carries a checkbox or a submit button of the server's.
(() => {
  const reveal = () => {
    for (const button of document.querySelectorAll("[data-copy-fields][hidden]")) button.hidden = false;
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-copy-fields]");
    if (!button) return;
    if (button.type === "submit") event.preventDefault();
    for (const pair of button.dataset.copyFields.trim().split(/\s+/)) {
      const [to, from] = pair.split(":").map((id) => document.getElementById(id));
      if (!to || !from) continue;
      to.value = from.value;
      to.dispatchEvent(new Event("input", { bubbles: true }));
      // what was wrong is checked again, as if it had been typed
      if (to.getAttribute("aria-invalid") === "true") to.dispatchEvent(new Event("change", { bubbles: true }));
    }
    const done = button.dataset.copied;
    const status = document.getElementById(button.dataset.copyStatus ?? "");
    if (status && done) status.textContent = done;
  });

  document.addEventListener("htmx:after:swap", reveal);
  reveal();
})();
