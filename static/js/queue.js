// The queue: clocks go on, all rows can be chosen, and who filters sees that it works. The page does without.
const table = document.querySelector(".v-queue[data-clock]");
const words = Object.fromEntries((table?.dataset.clock ?? "").split("|").map((one) => one.split(/=(.*)/s).slice(0, 2)));
const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);

function tick(element) {
  const rest = new Date(element.dateTime) - Date.now();
  const minutes = Math.floor(Math.abs(rest) / 60000);
  const hours = Math.floor(minutes / 60);
  const days = Math.floor(minutes / 1440);
  const left = fill(words[hours < 1 ? "minutes" : days < 1 ? "hours" : "days"], { m: minutes % 60, h: hours % 24, d: days });
  const text = fill(words[rest <= 0 ? "late" : "in"], { left });
  if (element.textContent !== text) element.textContent = text;
  element.classList.toggle("is-late", rest <= 0);
  element.classList.toggle("is-soon", rest > 0 && rest <= 90 * 60000);
}

const clocks = table ? [...table.querySelectorAll("[data-due]")] : [];
if (clocks.length) setInterval(() => clocks.forEach(tick), 15000);

const all = document.querySelector("[data-all]");
const boxes = () => [...document.querySelectorAll("[name=chosen]")];
if (all) {
  all.hidden = false;
  all.addEventListener("change", () => boxes().forEach((box) => (box.checked = all.checked)));
  document.addEventListener("change", () => (all.checked = boxes().every((box) => box.checked)));
}

document.querySelectorAll("form[data-busy]").forEach((form) =>
  form.addEventListener("submit", () => table?.setAttribute("aria-busy", "true")));
