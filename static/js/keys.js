// Keyboard map. An element says its own key with data-key; the key focuses a field, chooses a radio or presses a link.
// Nothing here is needed: every key has something on the page that a finger or a mouse can press.
const rows = () => [...document.querySelectorAll(".v-queue tbody > tr")];
const chosen = () => rows().find((row) => row.ariaSelected === "true");
const typing = (target) => target.closest("textarea, select, input:not([type=radio], [type=checkbox], [type=range])");

function move(step) {
  const all = rows();
  const next = all[Math.min(all.length - 1, Math.max(0, all.indexOf(chosen()) + step))];
  if (!next) return document.querySelector(step > 0 ? "a[rel=next]" : "a[rel=prev]")?.click();
  all.forEach((row) => row.removeAttribute("aria-selected"));
  next.ariaSelected = "true";
  next.querySelector("a").focus();
}

function press(element) {
  if (element.matches("dialog")) element.showModal();
  else if (element.matches("input:not([type=radio])")) element.focus();
  else element.click(), (document.getElementById(element.dataset.then) ?? element).focus();    // what the choice needs next
}

const choose = () => chosen()?.querySelector("input[type=checkbox]")?.click();
const moves = { j: () => move(1), k: () => move(-1), x: choose };

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey && event.key === "Enter" && event.target.matches("textarea, select")) return event.target.form?.requestSubmit();
  if (event.metaKey || event.ctrlKey || event.altKey) return;
  if (typing(event.target)) return event.key === "Escape" ? event.target.blur() : undefined;
  const key = event.key.toLowerCase();
  const element = document.querySelector(`[data-key="${CSS.escape(key)}"]`);
  if (!element && !moves[key]) return;
  event.preventDefault();
  element ? press(element) : moves[key]();
});
