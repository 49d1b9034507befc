// Passkeys: a form asks the browser, puts its answer into the hidden field and is sent. Without script or passkeys it stays hidden.
const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
const bytes = (word) => Uint8Array.from(atob(word.replace(/-/g, "+").replace(/_/g, "/")), (letter) => letter.charCodeAt(0));
const known = (list) => (list ?? []).map((one) => ({ ...one, id: bytes(one.id) }));

async function ask(form) {
  const token = form.elements.csrfmiddlewaretoken.value;
  const answer = await fetch(form.dataset.passkey, { method: "POST", headers: { "X-CSRFToken": token } });
  const { publicKey } = await answer.json();
  publicKey.challenge = bytes(publicKey.challenge);
  if (!publicKey.user) return navigator.credentials.get({ publicKey: { ...publicKey, allowCredentials: known(publicKey.allowCredentials) } });
  publicKey.user.id = bytes(publicKey.user.id);
  return navigator.credentials.create({ publicKey: { ...publicKey, excludeCredentials: known(publicKey.excludeCredentials) } });
}

function told(credential) {
  const names = ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"];
  const parts = names.filter((name) => credential.response[name]).map((name) => [name, text(credential.response[name])]);
  return { id: credential.id, rawId: text(credential.rawId), type: credential.type, response: Object.fromEntries(parts),
    clientExtensionResults: credential.getClientExtensionResults() };
}

for (const form of window.PublicKeyCredential ? document.querySelectorAll("form[data-passkey]") : []) {
  form.hidden = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const credential = await ask(form).catch(() => null);
    form.querySelector("[role=alert]").hidden = Boolean(credential);
    if (!credential) return;
    form.elements.credential.value = JSON.stringify(told(credential));
    form.submit();
  });
}
