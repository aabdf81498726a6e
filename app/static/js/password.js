// Shows a password while its button is pressed down (data-password-toggle), and ticks the rules it
// meets while it is typed (data-password-rules). Both work on what a swap brings in later, too.
(() => {
  const rules = {
    // Code points, as the server counts.
    length: (text, item) => {
      const count = [...text].length;
      return count >= Number(item.dataset.min) && count <= Number(item.dataset.max);
    },
    lower: (text) => /[a-z]/.test(text),
    upper: (text) => /[A-Z]/.test(text),
    digit: (text) => /[0-9]/.test(text),
  };

  const tick = (input) => {
    for (const list of document.querySelectorAll("[data-password-rules]")) {
      if (list.dataset.passwordRules !== input.id) continue;
      for (const item of list.querySelectorAll("[data-rule]")) {
        const met = rules[item.dataset.rule](input.value, item);
        item.toggleAttribute("data-met", met);
        const state = item.querySelector("[data-rule-state]");
        state.textContent = met ? state.dataset.met : "";
      }
    }
  };

  const showButtons = () => {
    for (const button of document.querySelectorAll("[data-password-toggle][hidden]")) {
      button.hidden = false;
    }
    for (const list of document.querySelectorAll("[data-password-rules]")) {
      const input = document.getElementById(list.dataset.passwordRules);
      if (input) tick(input);
    }
  };

  document.addEventListener("input", (event) => tick(event.target));

  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-password-toggle]");
    if (!button) return;
    const input = document.getElementById(button.dataset.passwordToggle);
    const show = input.type === "password";
    input.type = show ? "text" : "password";
    button.setAttribute("aria-pressed", String(show));
    button.firstChild.textContent = show ? button.dataset.hide : button.dataset.show;
  });

  // A password that was made visible is sent, and remembered by the browser, as a password.
  document.addEventListener("submit", (event) => {
    for (const input of event.target.querySelectorAll(".password__input")) input.type = "password";
  });

  document.addEventListener("htmx:after:swap", showButtons);
  showButtons();
})();
