/* Behaviour of the frame: menus, dialogs, palette, theme, sidebar, live jobs. Pages work without it,
   only less smoothly: every dialog is a page of its own too. */
"use strict";

const DIALOG_HEADER = { "X-Backoffice-Dialog": "1" };

/* menus: a popover is placed beside its button when it opens */
function place(popover) {
  const button = document.querySelector(`[popovertarget="${popover.id}"]`);
  const box = button.getBoundingClientRect();
  const width = popover.offsetWidth;
  const height = popover.offsetHeight;
  const left = Math.min(Math.max(8, box.right - width), innerWidth - width - 8);
  const leftAligned = Math.min(box.left, innerWidth - width - 8);
  const below = box.bottom + 4 + height <= innerHeight && button.dataset.menu !== "up";
  popover.style.left = `${box.left < innerWidth / 2 ? Math.max(8, leftAligned) : left}px`;
  popover.style.top = `${below ? box.bottom + 4 : Math.max(8, box.top - height - 4)}px`;
}

document.addEventListener("toggle", (event) => {
  if (event.target.matches?.(".bo-popover") && event.newState === "open") {
    place(event.target);
    event.target.querySelector("a, button")?.focus();
  }
}, true);

document.addEventListener("keydown", (event) => {
  const menu = event.target.closest?.(".bo-popover");
  if (!menu || !["ArrowDown", "ArrowUp"].includes(event.key)) return;
  const items = [...menu.querySelectorAll(".bo-menu-item")];
  const step = event.key === "ArrowDown" ? 1 : -1;
  items[(items.indexOf(document.activeElement) + step + items.length) % items.length]?.focus();
  event.preventDefault();
});
addEventListener("scroll", () => document.querySelectorAll(".bo-popover:popover-open").forEach((open) => open.hidePopover()), { passive: true });

/* dialogs */
const dialog = document.getElementById("dialog");
let opener = null;

/* of several boxes or circles, none is ticked; one alone may stay empty */
function isEmpty(field) {
  if (field.type !== "radio" && field.type !== "checkbox") return !field.value;
  const group = [...dialog.querySelectorAll(`input[name="${CSS.escape(field.name)}"]`)];
  return group.length > 1 && !group.some((one) => one.checked);
}

function show(html) {
  dialog.innerHTML = html;
  if (!dialog.open) dialog.showModal();
  const wrong = dialog.querySelector(".bo-form-row--bad :is(input, textarea, select)");
  const fields = [...dialog.querySelectorAll("input:not([type=hidden]), textarea, select")];
  (wrong || fields.find(isEmpty) || fields[0] || dialog.querySelector("button[type=submit], .bo-dialog-foot .bo-btn"))?.focus();
  dialog.dispatchEvent(new CustomEvent("backoffice:dialog", { bubbles: true }));
}

function follow(response) {
  const target = response.headers.get("X-Backoffice-Location");
  if (target === null) return false;
  const url = new URL(target, location.href);
  url.hash = ""; // else the same address would only scroll, and the message would not be seen
  location.assign(url);
  return true;
}

async function openDialog(link) {
  const response = await fetch(link.href, { headers: DIALOG_HEADER, credentials: "same-origin" });
  const html = await response.text();
  // a refusal that is made for a dialog is shown in it; any other error is a page
  const refused = [403, 409].includes(response.status) && !html.includes("<html");
  if (response.redirected || !(response.ok || refused)) { location.assign(link.href); return; }
  opener = document.querySelector(`[popovertarget="${link.closest(".bo-popover")?.id}"]`) || link;
  link.closest(".bo-popover")?.hidePopover();
  show(html);
}

async function submitDialog(form, submitter) {
  const body = new FormData(form, submitter);
  const buttons = form.querySelectorAll("button[type=submit]");
  buttons.forEach((button) => { button.disabled = true; });
  const response = await fetch(form.action, { method: "POST", body, headers: DIALOG_HEADER, credentials: "same-origin" });
  if (follow(response)) return;
  if (response.redirected) { location.reload(); return; } // the session ran out meanwhile
  const text = await response.text();
  show(response.status > 400 && ![409, 429].includes(response.status) ? refusal(text) : text);
}

/* an error page, told inside the dialog: what was typed stands behind it */
function refusal(text) {
  const page = new DOMParser().parseFromString(text, "text/html");
  const parts = [...page.querySelectorAll("main h1, main p")].map((part) => part.textContent.trim());
  const words = parts.join("\n") || page.title;
  const card = document.createElement("div");
  card.className = "bo-dialog-card";
  const body = document.createElement("p");
  body.className = "bo-dialog-body bo-refusal";
  body.setAttribute("role", "alert");
  body.textContent = words;
  const foot = document.createElement("div");
  foot.className = "bo-dialog-foot";
  foot.innerHTML = '<span class="bo-spring"></span><button type="button" class="bo-btn" data-dialog-close></button>';
  foot.querySelector("button").textContent = dialog.dataset.close;
  card.append(body, foot);
  return card.outerHTML;
}

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[data-dialog]");
  if (link && dialog && !event.ctrlKey && !event.metaKey && !event.shiftKey && event.button === 0) {
    event.preventDefault();
    openDialog(link);
    return;
  }
  if (dialog?.open && event.target.closest?.("[data-dialog-close]")) { event.preventDefault(); dialog.close(); }
  if (event.target === dialog) dialog.close();
});
dialog?.addEventListener("submit", (event) => {
  if (!event.target.matches("[data-dialog-form]")) return;
  event.preventDefault();
  submitDialog(event.target, event.submitter);
});
dialog?.addEventListener("close", () => { dialog.innerHTML = ""; opener?.focus(); });

/* ticked rows */
document.addEventListener("change", (event) => {
  if (!event.target.matches?.("[data-tick-all]")) return;
  event.target.closest("table").querySelectorAll("td.bo-tick-cell input").forEach((box) => { box.checked = event.target.checked; });
});

/* palette */
const palette = document.getElementById("palette");
const list = document.getElementById("palette-list");
let asked = 0;

function row(result, index) {
  const item = document.createElement("li");
  item.id = `palette-${index}`;
  item.setAttribute("role", "option");
  item.setAttribute("aria-selected", index === 0 ? "true" : "false");
  item.dataset.url = result.url;
  const icon = document.createElement("span");
  icon.className = "bo-icon";
  icon.setAttribute("aria-hidden", "true");
  icon.textContent = result.icon;
  const kind = document.createElement("small");
  kind.textContent = result.kind;
  item.append(icon, result.title, kind);
  return item;
}

async function ask(form) {
  const mine = ++asked;
  const response = await fetch(form.action, { method: "POST", body: new FormData(form), credentials: "same-origin" });
  if (mine !== asked || !response.ok) return;
  const { results } = await response.json();
  list.replaceChildren(...results.map(row));
  if (!results.length) {
    const none = document.createElement("li");
    none.textContent = list.dataset.empty;
    list.append(none);
  }
}

function move(step) {
  const items = [...list.querySelectorAll("[role=option]")];
  if (!items.length) return;
  const now = items.findIndex((item) => item.getAttribute("aria-selected") === "true");
  items[now]?.setAttribute("aria-selected", "false");
  const next = items[(now + step + items.length) % items.length];
  next.setAttribute("aria-selected", "true");
  next.scrollIntoView({ block: "nearest" });
  palette.querySelector("input[name=term]").setAttribute("aria-activedescendant", next.id);
}

function openPalette() {
  if (!palette || palette.open) return;
  palette.showModal();
  const field = palette.querySelector("input[name=term]");
  field.value = "";
  field.focus();
  ask(palette.querySelector("form"));
}

palette?.addEventListener("input", () => ask(palette.querySelector("form")));
palette?.addEventListener("submit", (event) => {
  event.preventDefault();
  const chosen = list.querySelector("[aria-selected=true]");
  if (chosen) location.assign(chosen.dataset.url);
});
palette?.addEventListener("keydown", (event) => {
  if (event.key === "ArrowDown") { move(1); event.preventDefault(); }
  if (event.key === "ArrowUp") { move(-1); event.preventDefault(); }
});
palette?.addEventListener("click", (event) => {
  const item = event.target.closest("[data-url]");
  if (item) location.assign(item.dataset.url);
  else if (event.target === palette) palette.close();
});
document.addEventListener("click", (event) => { if (event.target.closest?.("[data-open-palette]")) openPalette(); });
document.addEventListener("keydown", (event) => {
  const typing = event.target.matches?.("input, textarea, select");
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") { event.preventDefault(); openPalette(); }
  /* a and r go to the buttons of a decision; Enter decides, never the letter alone */
  if (!typing && !event.ctrlKey && !event.metaKey && !event.altKey && !dialog?.open && ["a", "r"].includes(event.key)) {
    document.querySelector(event.key === "a" ? "[data-approve]" : "[data-reject]")?.focus();
  }
  if (event.key === "/" && !typing) {
    const field = document.querySelector(".bo-exact input:not([type=hidden])");
    if (field) { event.preventDefault(); field.focus(); }
  }
});

/* theme and sidebar */
document.addEventListener("click", (event) => {
  if (event.target.closest?.("[data-theme-toggle]")) {
    const dark = document.documentElement.classList.toggle("dark");
    localStorage.setItem("backoffice-theme", dark ? "dark" : "light");
    document.dispatchEvent(new CustomEvent("backoffice:theme", { detail: { dark } }));
  }
  const button = document.querySelector("[data-open-rail]");
  if (event.target.closest?.("[data-open-rail]")) {
    const open = document.body.classList.toggle("bo-rail-open");
    button.setAttribute("aria-expanded", String(open));
    if (open) document.querySelector(".bo-rail a")?.focus();
  } else if (event.target.closest?.("[data-close-rail]")) {
    document.body.classList.remove("bo-rail-open");
    button?.setAttribute("aria-expanded", "false");
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") document.body.classList.remove("bo-rail-open");
});

/* the tab that is open stays in sight where not all of them fit */
document.querySelector(".bo-tabs [aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });

/* live jobs: each element with data-job asks its address until the job is over */
async function poll(element) {
  let response;
  try {
    response = await fetch(element.dataset.job, { headers: { "X-Backoffice-Poll": "1" }, credentials: "same-origin" });
  } catch { setTimeout(() => poll(element), 5000); return; } // the server is away: ask again later
  if (!response.ok || response.redirected) return;
  const job = await response.json();
  const bar = element.querySelector("progress");
  if (bar) { if (job.percent === null) bar.removeAttribute("value"); else bar.value = job.percent; }
  const parts = { "[data-job-percent]": job.percent === null ? "" : `${job.percent} %`, "[data-job-progress]": job.progress, "[data-job-message]": job.message, "[data-job-rate]": job.rate, "[data-job-left]": job.left };
  for (const [selector, text] of Object.entries(parts)) {
    const part = element.querySelector(selector);
    if (part) part.textContent = text;
  }
  const badge = element.querySelector(".bo-badge");
  if (badge && job.badge) { badge.className = `bo-badge bo-badge--${job.badge[0]}`; badge.textContent = job.badge[1]; }
  if (!job.finished) setTimeout(() => poll(element), 1000);
  else if (element.hasAttribute("data-job-reload")) location.reload();
  else if (element.classList.contains("bo-job-chip")) element.remove();
}
document.querySelectorAll("[data-job]").forEach((element) => setTimeout(() => poll(element), 1000));
