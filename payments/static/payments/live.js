// A refund under way: read the page again and show it when the state has changed, often at first,
// since most refunds are over within a second. It only reads, stops when the tab is hidden or a
// dialog is open, and gives up after an hour.
"use strict";

const FIRST = 400;
const SLOWEST = 5000;
const UNTIL = Date.now() + 60 * 60 * 1000;

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

async function watch(pause) {
  if (Date.now() > UNTIL || !document.querySelector("[data-live]")) return;
  const before = stateIn(document);
  if (!document.hidden && !document.querySelector("dialog[open]")) await look().catch(() => {});
  const next = stateIn(document) === before ? Math.min(pause * 1.2, SLOWEST) : FIRST;
  setTimeout(() => watch(next), next);
}

setTimeout(() => watch(FIRST), FIRST);
