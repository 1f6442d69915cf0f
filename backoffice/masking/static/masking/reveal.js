/* Revealed values: in their place on the record page, or in the dialog for a page of a list. They go
   after a minute, and at once when the page is left, hidden behind another tab or window, or kept
   for the back button. Copying is put on the record first. */
"use strict";

const running = new Map();

function button(text) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = "bo-link";
  made.textContent = text;
  return made;
}

function hide(key) {
  const stop = running.get(key);
  running.delete(key);
  stop?.();
}

function hideAll() {
  [...running.keys()].forEach(hide);
}

function count(card, key, place, restore) {
  const { hides } = card.dataset;
  const end = Date.now() + Number(card.dataset.seconds) * 1000;
  const tick = () => {
    const left = Math.ceil((end - Date.now()) / 1000);
    if (left <= 0) hide(key);
    else place.textContent = hides.replace("{seconds}", String(left));
  };
  hide(key);
  const timer = setInterval(tick, 1000);
  running.set(key, () => { clearInterval(timer); restore(); });
  tick();
  if (document.visibilityState === "hidden") hide(key);
}

/* tell the record that a value is copied; true when it is on the record */
async function note(card, url) {
  const body = new FormData();
  body.append("csrfmiddlewaretoken", card.querySelector("[name=csrfmiddlewaretoken]").value);
  try {
    const answer = await fetch(url, { method: "POST", body, credentials: "same-origin", keepalive: true });
    return answer.status === 204;
  } catch {
    return false;
  }
}

function copier(card, value, url) {
  const { copy, copied, failed } = card.dataset;
  const text = value.textContent;
  const made = button(copy);
  made.addEventListener("click", async () => {
    if (!made.isConnected || !(await note(card, url))) { made.textContent = failed; return; }
    try {
      await navigator.clipboard.writeText(text);
      made.textContent = copied;
    } catch {
      made.textContent = failed;
    }
  });
  value.addEventListener("copy", () => note(card, url)); // by keyboard or menu
  return made;
}

/* on the record page: the clear value stands where the mask stood, the countdown at the line's end */
function showInLine(card, line) {
  const slot = line.querySelector("[data-reveal-value]");
  const mask = [...slot.childNodes];
  const signs = line.querySelectorAll(".bo-masked > :is(.bo-icon, .bo-sr)");
  const end = line.querySelector(".bo-dl-end");
  const link = end?.firstElementChild;
  const value = document.createElement("b");
  const source = card.querySelector("[data-reveal-value]");
  value.setAttribute("role", "status");
  value.textContent = source.textContent;
  source.textContent = "";
  const badge = document.createElement("span");
  badge.className = "bo-badge bo-badge--wait";
  const copy = copier(card, value, card.dataset.copiedUrl);
  slot.replaceChildren(value, " ", copy);
  signs.forEach((sign) => sign.remove());
  link?.remove();
  (end || slot).append(badge);
  count(card, card.dataset.revealed, badge, () => {
    const focused = line.contains(document.activeElement);
    value.textContent = "";
    slot.replaceChildren(...mask);
    badge.remove();
    slot.before(...signs);
    if (link) end.append(link);
    if (focused) link?.focus();
  });
  return copy;
}

/* in the dialog, or in the page that stands for it without one */
function showInCard(card) {
  const left = card.querySelector("[data-reveal-left]");
  const values = [...card.querySelectorAll("[data-reveal-value]")];
  const copies = values.map((value) => {
    const made = copier(card, value, value.dataset.copiedUrl || card.dataset.copiedUrl);
    value.after(" ", made);
    return made;
  });
  count(card, "card", left, () => {
    values.forEach((value) => { value.textContent = value.dataset.mask || card.dataset.mask; });
    copies.forEach((copy) => copy.remove());
    left.textContent = card.dataset.hidden || "";
  });
}

document.addEventListener("backoffice:dialog", (event) => {
  const card = event.target.querySelector("[data-revealed], [data-unmasked]");
  if (!card) return;
  const field = card.dataset.revealed;
  const line = field && document.querySelector(`[data-reveal-field="${CSS.escape(field)}"]`);
  if (!line) {
    showInCard(card);
    event.target.addEventListener("close", () => hide("card"), { once: true });
    return;
  }
  hide(field);
  const copy = showInLine(card, line);
  event.target.addEventListener("close", () => copy.focus(), { once: true });
  event.target.close();
});

document.querySelectorAll(".bo-main :is([data-revealed], [data-unmasked])").forEach(showInCard);
addEventListener("pagehide", hideAll);
addEventListener("pageshow", (event) => { if (event.persisted) hideAll(); });
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "hidden") hideAll();
});
