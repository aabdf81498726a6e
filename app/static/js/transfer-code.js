// <form data-code-from-fragment="NAME">: the QR code of a certificate carries its code behind the #,
// which no server and no log sees. It goes into the field, and out of the address; signing in first
// does not lose it. Without JavaScript the code is typed.
(() => {
  const KEPT = "transfer-code";

  for (const form of document.querySelectorAll("form[data-code-from-fragment]")) {
    const field = form.elements[form.dataset.codeFromFragment];
    const carried = location.hash.slice(1);
    if (/^[0-9A-Z-]{20,30}$/.test(carried)) {
      sessionStorage.setItem(KEPT, carried);
      history.replaceState(null, "", location.pathname + location.search);
    }
    if (!field.value) field.value = sessionStorage.getItem(KEPT) ?? "";
    form.addEventListener("submit", () => sessionStorage.removeItem(KEPT));
  }
})();
