// A slider that writes into the amount beside it, and follows what is typed there. Without it, typing still works.
for (const slider of document.querySelectorAll("input[type=range][data-sets]")) {
  const amount = document.getElementById(slider.dataset.sets);
  const low = Number(slider.dataset.low);
  const high = Number(slider.dataset.high);
  const follow = () => {
    const typed = Number(amount.value.replace(/\s/g, "").replace(",", "."));
    if (Number.isFinite(typed)) slider.value = String(typed);
  };
  slider.hidden = false;
  slider.addEventListener("input", () => {
    amount.value = String(Math.min(Math.max(Number(slider.value), low), high));
  });
  amount.addEventListener("input", follow);
  follow();
}
