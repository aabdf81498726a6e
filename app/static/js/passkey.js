// <form data-passkey="get" data-passkey-options="URL" data-passkey-domain="example.org" hidden>: asks
// the device for a passkey ("create": has it make one), puts its answer into the field
// [data-passkey-credential] and sends the form. Shown only where browser and host can do it; then
// [data-passkey-unknown], which says that they cannot, goes.
(() => {
  const host = (domain) => location.hostname === domain || location.hostname.endsWith(`.${domain}`);

  const toBytes = (text) => {
    const raw = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
    return Uint8Array.from(raw, (sign) => sign.charCodeAt(0));
  };

  const toText = (buffer) => {
    let raw = "";
    for (const byte of new Uint8Array(buffer)) raw += String.fromCharCode(byte);
    return btoa(raw).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  };

  const listed = (list) => (list ?? []).map((one) => ({ ...one, id: toBytes(one.id) }));

  const make = (options) =>
    navigator.credentials.create({
      publicKey: {
        ...options,
        challenge: toBytes(options.challenge),
        user: { ...options.user, id: toBytes(options.user.id) },
        excludeCredentials: listed(options.excludeCredentials),
      },
    });

  const show = (options) =>
    navigator.credentials.get({
      publicKey: {
        ...options,
        challenge: toBytes(options.challenge),
        allowCredentials: listed(options.allowCredentials),
      },
    });

  // As the standard writes an answer as JSON; older browsers cannot do it by themselves.
  const written = ({ id, rawId, type, response }) => {
    const fields = { clientDataJSON: toText(response.clientDataJSON) };
    if (response.attestationObject) {
      fields.attestationObject = toText(response.attestationObject);
      fields.transports = response.getTransports?.() ?? [];
    } else {
      fields.authenticatorData = toText(response.authenticatorData);
      fields.signature = toText(response.signature);
      if (response.userHandle) fields.userHandle = toText(response.userHandle);
    }
    return JSON.stringify({ id, rawId: toText(rawId), type, response: fields });
  };

  const ask = async (form) => {
    const answer = await fetch(form.dataset.passkeyOptions, {
      method: "POST",
      headers: { Accept: "application/json", "X-CSRFToken": form.elements.csrf_token.value },
    });
    const told = await answer.json();
    if (told.location) {
      location.assign(told.location);
      return null;
    }
    if (!answer.ok) throw new Error(String(answer.status));
    const create = form.dataset.passkey === "create";
    return written(await (create ? make(told) : show(told)));
  };

  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (!form.matches("form[data-passkey]")) return;
    event.preventDefault();
    if (form.dataset.busy) return;
    form.dataset.busy = "true";
    const words = form.querySelector("[data-passkey-error]");
    words.textContent = "";
    try {
      const credential = await ask(form);
      if (credential) {
        form.querySelector("[data-passkey-credential]").value = credential;
        form.submit();
      }
    } catch (error) {
      const said = { NotAllowedError: "cancelled", AbortError: "cancelled", InvalidStateError: "known" };
      words.textContent = words.dataset[said[error.name]] ?? words.dataset.failed;
    } finally {
      delete form.dataset.busy;
    }
  });

  if (!window.PublicKeyCredential || !navigator.credentials) return;
  for (const form of document.querySelectorAll("form[data-passkey][hidden]")) {
    if (!host(form.dataset.passkeyDomain)) continue;
    form.hidden = false;
    for (const notice of document.querySelectorAll("[data-passkey-unknown]")) notice.hidden = true;
  }
})();
