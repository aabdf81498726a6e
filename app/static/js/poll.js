// Live parts of a page: an element with `data-poll-s="10" hx-trigger="poll" hx-get="…"` and an id gets
// the event `poll` every so many seconds, while the page is seen. What comes back without
// data-poll-s is polled no more. While the server does not answer, what is shown stays, the element
// `[data-poll-status]` says so, and we ask again after 2, 4, 8 … at most 30 s.
(() => {
  const TICK_MS = 250;
  const TIMEOUT_MS = 10000;
  const BACK_OFF_MAX_MS = 30000;

  // By id: the element itself may be another one after each swap.
  const states = new Map();

  const stateOf = (element) => {
    if (!states.has(element.id)) {
      states.set(element.id, { due: performance.now() + everyMs(element), busy: false, failures: 0 });
    }
    return states.get(element.id);
  };

  const everyMs = (element) => Number(element.dataset.pollS) * 1000;

  const showStatus = (failing) => {
    for (const notice of document.querySelectorAll("[data-poll-status]")) {
      const words = failing ? notice.dataset.pollStatus : "";
      if (notice.textContent !== words) notice.textContent = words;
      notice.toggleAttribute("data-failing", failing);
    }
  };

  const settle = (element, state, failed) => {
    state.busy = false;
    state.failures = failed ? state.failures + 1 : 0;
    const wait = failed
      ? Math.min(2000 * 2 ** (state.failures - 1), BACK_OFF_MAX_MS)
      : everyMs(element);
    state.due = performance.now() + wait;
    showStatus([...states.values()].some((other) => other.failures > 0));
  };

  // One answer, wholly read within the time limit; a network that fails is a 503 of our own, so that
  // htmx leaves what is shown alone (noSwap) and the console stays quiet.
  const ask = async (action, request) => {
    const timer = setTimeout(() => request.abort("timeout"), TIMEOUT_MS);
    try {
      const response = await fetch(action, request);
      const empty = response.status === 204 || response.status === 304;
      const body = empty ? null : await response.text();
      return new Response(body, { status: response.status, headers: response.headers });
    } catch {
      return new Response("", { status: 503 });
    } finally {
      clearTimeout(timer);
    }
  };

  document.addEventListener("htmx:config:request", (event) => {
    const { ctx } = event.detail;
    const element = ctx.sourceElement;
    if (!element.matches("[data-poll-s]")) return;
    ctx.fetch = async (action, request) => {
      const state = stateOf(element);
      state.busy = true;
      const response = await ask(action, request);
      const failed = response.status >= 400 && !response.headers.has("HX-Redirect");
      settle(element, state, failed);
      return response;
    };
  });

  // A 4xx that does not lead elsewhere (a limit, say) must not replace the tiles either.
  document.addEventListener("htmx:before:swap", (event) => {
    const { ctx } = event.detail;
    if (ctx.sourceElement?.matches?.("[data-poll-s]") && ctx.response?.status >= 400) event.preventDefault();
  });

  const tick = () => {
    if (document.visibilityState !== "visible") return;
    const elements = document.querySelectorAll("[data-poll-s]");
    for (const id of states.keys()) {
      if (![...elements].some((element) => element.id === id)) states.delete(id);
    }
    for (const element of elements) {
      const state = stateOf(element);
      if (state.busy || performance.now() < state.due) continue;
      state.due = performance.now() + everyMs(element);
      element.dispatchEvent(new CustomEvent("poll"));
    }
  };

  // Seen again, or the network is back: what is shown may be old.
  const askNow = () => {
    if (document.visibilityState !== "visible") return;
    for (const state of states.values()) state.due = 0;
    tick();
  };
  document.addEventListener("visibilitychange", askNow);
  window.addEventListener("online", askNow);
  window.addEventListener("pageshow", (event) => event.persisted && askNow());

  document.querySelectorAll("[data-poll-s]").forEach(stateOf);
  setInterval(tick, TICK_MS);
})();
