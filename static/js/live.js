// A page that moves by itself is looked at again every two seconds, until it has come to rest. Without this a link does the same.
const moving = () => document.querySelector("[data-live]");

async function look() {
  const answer = await fetch(location.href, { headers: { Accept: "text/html", "X-Vouch-Background": "1" } }).catch(() => null);
  if (answer?.ok && !answer.redirected) {
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-live]");
    if (!fresh) return location.reload();
    moving().replaceChildren(...fresh.childNodes);
  }
  setTimeout(look, 2000);
}

if (moving()) setTimeout(look, 2000);
