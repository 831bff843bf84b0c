// Results change as one types or chooses; the address always says what is seen.
import { offerCopies } from "./copy.js";

const form = document.getElementById("view");
const query = document.getElementById("query");
const PAUSE = 140;
let waiting = 0;
let running = null;

function address() {
  const kept = [...new FormData(form)].filter(([, value]) => value !== "");
  const sort = document.getElementById("sort");
  // A sort order that nobody chose follows the search: the best match first.
  const pairs = kept.filter(([name]) => name !== "sort" || sort.dataset.chosen || new URLSearchParams(location.search).has("sort"));
  const written = new URLSearchParams(pairs).toString();
  return form.action + (written ? `?${written}` : "");
}

async function show(url, { push }) {
  running?.abort();
  running = new AbortController();
  const results = document.getElementById("results");
  results.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(url, { headers: { Accept: "text/html" }, signal: running.signal });
    if (answer.redirected || !answer.ok) {
      location.assign(url);
      return;
    }
    // The models come before the counts, and are shown at once.
    let text = "";
    let early = false;
    // Not `for await`, which Safari does not know here.
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      text += part.value;
      if (!early && text.includes('id="filters"')) {
        early = true;
        replace(parsed(text), ["results"]);
        remember(url, push);
      }
    }
    replace(parsed(text), ["facets"]);
  } catch (error) {
    if (error.name === "AbortError") return;
    results.removeAttribute("aria-busy");
    document.getElementById("total").textContent = "The service does not answer. What you see may be old.";
  }
}

function parsed(text) {
  return new DOMParser().parseFromString(text, "text/html");
}

function remember(url, push) {
  if (push === true) history.pushState(null, "", url);
  if (push === false) history.replaceState(null, "", url);
}

function replace(page, ids) {
  const focused = document.activeElement;
  const again = focused?.name && focused.form === form && focused !== query
    ? `[name="${CSS.escape(focused.name)}"][value="${CSS.escape(focused.value)}"], select[name="${CSS.escape(focused.name)}"]` : null;
  const opened = new Set([...document.querySelectorAll(".facet:has(.more[open])")].map((facet) => facet.id));
  for (const id of ids) {
    document.getElementById(id)?.replaceWith(page.getElementById(id));
  }
  for (const id of opened) document.getElementById(id)?.querySelector(".more")?.setAttribute("open", "");
  for (const hidden of form.querySelectorAll('input[type="hidden"]')) hidden.remove();
  form.append(...page.getElementById("view").querySelectorAll('input[type="hidden"]'));
  document.title = page.title;
  if (again) document.querySelector(again)?.focus();
  if (ids.includes("results")) offerCopies(document.getElementById("results"));
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  clearTimeout(waiting);
  show(address(), { push: true });
});
query.addEventListener("input", (event) => {
  clearTimeout(waiting);
  if (event.isComposing) return;
  // The first letter of a search begins an entry in the history; the others change it.
  const first = !new URLSearchParams(location.search).has("query");
  waiting = setTimeout(() => show(address(), { push: first }), PAUSE);
});
document.addEventListener("change", ({ target }) => {
  if (target.form !== form || target === query) return;
  if (target.id === "sort") target.dataset.chosen = "yes";
  clearTimeout(waiting);
  show(address(), { push: true });
});
document.addEventListener("click", (event) => {
  const link = event.target.closest(".tabs a, .chosen a, .switch a, .pager a");
  if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  show(link.href, { push: true }).then(() => {
    query.value = new URLSearchParams(location.search).get("query") ?? "";
    if (link.matches(".pager a")) scrollTo({ top: 0 });
  });
});
addEventListener("popstate", () => {
  query.value = new URLSearchParams(location.search).get("query") ?? "";
  show(location.href, {});
});
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && !event.target.closest("input, textarea, select")) {
    event.preventDefault();
    query.focus();
  }
});
offerCopies(document);
// What was typed before this ran.
if (query.value.trim() !== (new URLSearchParams(location.search).get("query") ?? "")) show(address(), { push: true });
