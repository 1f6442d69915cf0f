// A refund under way: read the page again every few seconds and show it when the state has changed.
// It only reads, stops when the tab is hidden or a dialog is open, and gives up after ten minutes.
"use strict";

const EVERY = 3000;
const MOST = 200;
const MOVING = ["approved", "executing", "unknown", "pending"];

function stateIn(page) {
  return page.querySelector("[data-live-state]")?.dataset.liveState;
}

async function look() {
  const response = await fetch(location.href, { credentials: "same-origin" });
  if (!response.ok || response.redirected) return;
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  if (stateIn(page) && stateIn(page) !== stateIn(document)) {
    document.querySelector("#main").replaceWith(page.querySelector("#main"));
  }
}

async function watch(left) {
  if (left === 0 || !MOVING.includes(stateIn(document))) return;
  if (!document.hidden && !document.querySelector("dialog[open]")) await look().catch(() => {});
  setTimeout(() => watch(left - 1), EVERY);
}

setTimeout(() => watch(MOST), EVERY);
