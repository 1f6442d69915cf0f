// The dialog that asks for a refund: sums up what is typed. What counts is what the server says.
"use strict";

// What so many of the pieces that are left cost: half a minor unit up, as the server's largest
// remainder does for two shares.
function share(left, pieces, chosen) {
  return (2n * left * chosen + pieces) / (2n * pieces);
}

function minor(text, exponent) {
  const found = /^([0-9]*)(?:[.,]([0-9]*))?$/.exec(text.trim());
  if (!found || text.trim() === "") return null;
  const rest = found[2] || "";
  if (rest.length > exponent) return null;
  return BigInt((found[1] || "0") + rest.padEnd(exponent, "0"));
}

function words(amount, currency, exponent) {
  const digits = amount.toString().padStart(exponent + 1, "0");
  const cut = digits.length - exponent;
  const whole = digits.slice(0, cut).replace(/\B(?=(\d{3})+$)/g, ",");
  const symbol = { GBP: "£", EUR: "€", USD: "$", JPY: "¥", KRW: "₩" }[currency];
  return (symbol || currency + " ") + whole + (exponent ? "." + digits.slice(cut) : "");
}

function sumOf(row, exponent) {
  const left = BigInt(row.dataset.left);
  const pieces = BigInt(row.dataset.pieces);
  const typed = row.querySelector("[data-refund-amount]");
  const count = row.querySelector("[data-refund-pieces]");
  const all = row.querySelector("[data-refund-all]");
  if (typed && typed.value) return minor(typed.value, exponent) ?? 0n;
  if (all && all.checked) return left;
  if (!count || !/^[0-9]+$/.test(count.value)) return 0n;
  const chosen = BigInt(count.value);
  return chosen > pieces || pieces === 0n ? 0n : share(left, pieces, chosen);
}

function update(form) {
  const exponent = Number(form.dataset.exponent);
  const show = (amount) => words(amount, form.dataset.currency, exponent);
  let total = 0n;
  for (const row of form.querySelectorAll("[data-refund-row]")) {
    const sum = sumOf(row, exponent);
    total += sum;
    const told = row.querySelector("[data-refund-sum]");
    if (told) told.textContent = sum ? show(sum) : "–";
  }
  const most = BigInt(form.dataset.most);
  form.querySelector("[data-refund-total]").textContent = show(total);
  form.querySelector("[data-refund-after]").textContent = total > most ? "–" : show(most - total);
  form.querySelector("tfoot").classList.toggle("bo-error", total > most);
}

document.addEventListener("input", (event) => {
  const form = event.target.closest?.("[data-refund-form]");
  if (form) update(form);
});
new MutationObserver(() => {
  for (const form of document.querySelectorAll("[data-refund-form]:not([data-summed])")) {
    form.dataset.summed = "1";
    update(form);
  }
}).observe(document.documentElement, { childList: true, subtree: true });
