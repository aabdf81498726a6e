// A slider's value as a word beside it, as it moves: `[data-shows]` names the output.
(() => {
  document.addEventListener("input", ({ target }) => {
    const shows = target.dataset?.shows;
    if (shows) document.getElementById(shows).textContent = `${target.value} %`;
  });
})();
