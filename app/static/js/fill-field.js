// <input type="radio" data-fills="reserve_pct:80">: choosing it puts that value into the field of that
// id, to be seen and changed there. Without JavaScript the value stands beside the choice.
(() => {
  document.addEventListener("change", (event) => {
    const told = event.target.dataset?.fills;
    if (!told) return;
    const [id, value] = told.split(":");
    const field = document.getElementById(id);
    if (!field) return;
    field.value = value;
    field.dispatchEvent(new Event("input", { bubbles: true }));
  });
})();
