// <form data-submit-once>: a second submit while the first is under way is dropped.
// The server refuses repeats anyway; this spares the user the page that says so.
(() => {
  const unlock = (form) => {
    delete form.dataset.submitted;
    for (const button of form.querySelectorAll("[data-locked]")) {
      button.removeAttribute("data-locked");
      button.removeAttribute("aria-disabled");
    }
  };

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.matches("form[data-submit-once]") || event.defaultPrevented) return;
    if (form.dataset.submitted) {
      event.preventDefault();
      return;
    }
    form.dataset.submitted = "true";
    // aria-disabled, not disabled: a disabled button would not send its name and value.
    for (const button of form.querySelectorAll("button[type=submit]")) {
      button.setAttribute("data-locked", "");
      button.setAttribute("aria-disabled", "true");
    }
    // A request that never comes back must not lock the form for good.
    setTimeout(() => unlock(form), 15000);
  });

  // Back from the next page: the browser restores this one as it was left, locked.
  window.addEventListener("pageshow", () => {
    document.querySelectorAll("form[data-submit-once]").forEach(unlock);
  });
})();
