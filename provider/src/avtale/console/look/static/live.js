// Keeps the page true: takes the part that changed from the server, and turns the clock without leaving the page.
// Without it everything still works; the page is then as old as its last loading.
const part = document.getElementById("part");
const clock = document.getElementById("clock");
const address = part?.dataset.live || clock?.dataset.live;

const keys = () => new Set([...part.querySelectorAll("[data-key]")].map((row) => row.dataset.key));

const renew = (html) => {
  const focused = part.contains(document.activeElement) ? document.activeElement.id : "";
  const open = new Set([...part.querySelectorAll("details[open]")].map((details) => details.id));
  const typed = new Map([...part.querySelectorAll("input[type=text][id]")].map((field) => [field.id, field.value]));
  const known = keys();
  part.innerHTML = html;
  for (const [id, text] of typed) {
    const field = document.getElementById(id);
    if (field) field.value = text;
  }
  for (const details of part.querySelectorAll("details")) details.open = open.has(details.id);
  for (const row of part.querySelectorAll("[data-key]")) {
    if (!known.has(row.dataset.key)) row.classList.add("fresh");
  }
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
};

const isTyping = () => part.contains(document.activeElement) && document.activeElement.matches("input, select");

if (address) {
  const source = new EventSource(address);
  let waiting = null;
  let loaded = false;
  source.addEventListener("clock", (event) => {
    if (clock) clock.textContent = event.data;
  });
  source.addEventListener("part", (event) => {
    if (!part || !event.data) return;
    // The first is what was drawn with the page; it only matters when something changed in between.
    if (!loaded && part.innerHTML.trim() === event.data.trim()) return;
    loaded = true;
    if (isTyping()) waiting = event.data;
    else renew(event.data);
  });
  part?.addEventListener("focusout", () => setTimeout(() => {
    if (waiting !== null && !isTyping()) {
      renew(waiting);
      waiting = null;
    }
  }));
}

const turn = document.getElementById("turn");
turn?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const pressed = event.submitter;
  const said = document.getElementById("turn-said");
  const buttons = turn.querySelectorAll("button");
  const body = new URLSearchParams(new FormData(turn, pressed));
  for (const button of buttons) button.disabled = true;
  said.textContent = "The clock is turning …";
  try {
    const answer = await fetch(turn.action, { method: "POST", body, headers: { Accept: "application/json" } });
    said.textContent = (await answer.json()).said;
  } catch {
    said.textContent = "The clock could not be turned; load the page again.";
  }
  for (const button of buttons) button.disabled = false;
  pressed.focus();
});
