/* A revealed value: put into its place on the record page, gone after a minute, or at once when the
   page is left. Without its place (the dialog opened as a page) it is hidden where it stands. */
"use strict";

const running = new Map();

function button(text) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = "bo-link";
  made.textContent = text;
  return made;
}

function hide(field) {
  const stop = running.get(field);
  running.delete(field);
  stop?.();
}

function count(card, place, restore) {
  const field = card.dataset.revealed;
  const { hides } = card.dataset;
  const end = Date.now() + Number(card.dataset.seconds) * 1000;
  const tick = () => {
    const left = Math.ceil((end - Date.now()) / 1000);
    if (left <= 0) hide(field);
    else place.textContent = hides.replace("{seconds}", String(left));
  };
  hide(field);
  const timer = setInterval(tick, 1000);
  running.set(field, () => { clearInterval(timer); restore(); });
  tick();
}

function copier(card, value) {
  const { copy, copied } = card.dataset;
  const made = button(copy);
  made.addEventListener("click", async () => {
    await navigator.clipboard.writeText(value.textContent);
    made.textContent = copied;
  });
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
  value.setAttribute("role", "status");
  value.textContent = card.querySelector("[data-reveal-value]").textContent;
  const badge = document.createElement("span");
  badge.className = "bo-badge bo-badge--wait";
  const copy = copier(card, value);
  slot.replaceChildren(value, " ", copy);
  signs.forEach((sign) => sign.remove());
  link?.remove();
  (end || slot).append(badge);
  count(card, badge, () => {
    const focused = line.contains(document.activeElement);
    slot.replaceChildren(...mask);
    badge.remove();
    slot.before(...signs);
    if (link) end.append(link);
    if (focused) link?.focus();
  });
  return copy;
}

function showInCard(card) {
  const value = card.querySelector("[data-reveal-value]");
  value.after(" ", copier(card, value));
  count(card, card.querySelector("[data-reveal-left]"), () => {
    value.parentElement.replaceChildren(card.dataset.mask);
  });
}

document.addEventListener("backoffice:dialog", (event) => {
  const card = event.target.querySelector("[data-revealed]");
  if (!card) return;
  const line = document.querySelector(`[data-reveal-field="${CSS.escape(card.dataset.revealed)}"]`);
  if (!line) { showInCard(card); return; }
  hide(card.dataset.revealed);
  const copy = showInLine(card, line);
  event.target.addEventListener("close", () => copy.focus(), { once: true });
  event.target.close();
});

document.querySelectorAll(".bo-main [data-revealed]").forEach(showInCard);
/* the page may be kept for the back button: it must not keep the value */
addEventListener("pagehide", () => { [...running.keys()].forEach(hide); });
