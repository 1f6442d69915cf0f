/* A passkey as proof of who somebody is, inside any form: the answer goes with what was typed. */
"use strict";

const hasPasskeys = Boolean(window.PublicKeyCredential?.parseRequestOptionsFromJSON);

function showPasskeys() {
  if (!hasPasskeys) return;
  document.querySelectorAll("[data-passkey]").forEach((button) => { button.hidden = false; });
}

async function readPasskey(button) {
  const form = button.closest("form");
  const token = form.querySelector("[name=csrfmiddlewaretoken]").value;
  const response = await fetch(button.dataset.passkey, { method: "POST", headers: { "X-CSRFToken": token }, credentials: "same-origin" });
  const options = await response.json();
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options.publicKey);
  return JSON.stringify(await navigator.credentials.get({ publicKey }));
}

/* the typed field steps aside for a hidden one of the same name */
function sendProof(button, proof) {
  const form = button.closest("form");
  const typed = button.closest(".bo-form-row").querySelector("input");
  const hidden = document.createElement("input");
  hidden.type = "hidden";
  hidden.name = typed.name;
  hidden.value = proof;
  typed.disabled = true;
  button.after(hidden);
  const submits = form.querySelectorAll("button[type=submit]");
  if (submits.length === 1) form.requestSubmit(submits[0]);
  else button.textContent = button.dataset.read; // the person still has to choose
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest?.("[data-passkey]");
  if (!button) return;
  button.disabled = true;
  try {
    sendProof(button, await readPasskey(button));
  } catch {
    button.disabled = false;
    const row = button.closest(".bo-form-row");
    const said = row.querySelector("[data-passkey-said]") || document.createElement("p");
    said.dataset.passkeySaid = "";
    said.className = "bo-error";
    said.setAttribute("role", "alert");
    said.textContent = button.dataset.failed;
    row.append(said);
  }
});
document.addEventListener("backoffice:dialog", showPasskeys);
showPasskeys();
