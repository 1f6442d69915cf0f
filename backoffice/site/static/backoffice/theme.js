/* Runs before anything is painted, so that a dark page does not flash white. */
(function () {
  const chosen = localStorage.getItem("backoffice-theme");
  const dark = chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.classList.toggle("dark", dark);
})();
