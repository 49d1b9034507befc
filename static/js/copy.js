// A button copies the field it names. Without this, or where the browser does not allow it, the text can be chosen by hand.
document.querySelectorAll("[data-copy]").forEach((button) => {
  const field = document.getElementById(button.dataset.copy);
  field.addEventListener("focus", () => field.select());
  button.hidden = !navigator.clipboard;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(field.value).catch(() => field.select());
    button.querySelector("span").textContent = button.dataset.copied;
  });
});
