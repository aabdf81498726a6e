// <button data-copy-text="id" data-copied="words" hidden>: copies the text of the element with that
// id, a line for each of its children. Without JavaScript the button stays hidden.
(() => {
  if (!navigator.clipboard) return;
  for (const button of document.querySelectorAll("[data-copy-text][hidden]")) button.hidden = false;

  document.addEventListener("click", async (event) => {
    const button = event.target.closest?.("[data-copy-text]");
    if (!button) return;
    const lines = [...document.getElementById(button.dataset.copyText).children];
    await navigator.clipboard.writeText(lines.map((line) => line.textContent.trim()).join("\n"));
    button.querySelector("span").textContent = button.dataset.copied;
  });
})();
