/* Passkeys on the pages of signing in: a form that carries `data-passkey-form` asks the browser for
   one, puts the answer into its field `credential` and goes. `get` asks for one that there is (its
   options come with the form, or from its address), `create` makes a new one. */
"use strict";

const canPasskey = Boolean(window.PublicKeyCredential?.parseRequestOptionsFromJSON);

async function optionsOf(form) {
  if (form.dataset.options) return JSON.parse(document.getElementById(form.dataset.options).textContent);
  const response = await fetch(form.action, { headers: { Accept: "application/json" }, credentials: "same-origin" });
  if (!response.ok) throw new Error("no challenge");
  return response.json();
}

async function answerOf(form) {
  const options = await optionsOf(form);
  if (form.dataset.passkeyForm === "create") {
    const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options.creation_options.publicKey);
    return navigator.credentials.create({ publicKey });
  }
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options.request_options.publicKey);
  return navigator.credentials.get({ publicKey });
}

async function goWithPasskey(form) {
  const button = form.querySelector("button[type=submit]");
  const trouble = form.querySelector("[data-passkey-trouble]");
  button.disabled = true;
  trouble.hidden = true;
  try {
    form.elements.namedItem("credential").value = JSON.stringify(await answerOf(form));
    form.submit();
  } catch {
    trouble.hidden = false;
    button.disabled = false;
  }
}

document.querySelectorAll("[data-passkey-form]").forEach((form) => {
  if (!canPasskey) return;
  form.hidden = false;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    goWithPasskey(form);
  });
});
document.querySelectorAll("[data-without-passkeys]").forEach((note) => { note.hidden = canPasskey; });
