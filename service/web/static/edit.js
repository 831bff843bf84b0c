// Saves without leaving the page, so that nothing typed is lost when the answer is an error.
const trouble = document.getElementById("trouble");
let form = document.getElementById("edit-form");
let changed = false;
let refused = false;

function say(text) {
  trouble.textContent = text;
  trouble.hidden = !text;
  if (text) trouble.scrollIntoView({ block: "nearest" });
}

async function renewToken() {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" }, redirect: "manual" });
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const token = page.querySelector('[name="form_token"]');
  if (token) form.elements.form_token.value = token.value;
}

async function save(event) {
  event.preventDefault();
  const button = form.querySelector("[type=submit]");
  button.disabled = true;
  say("");
  try {
    // After signing in again, forms have another token.
    if (refused) await renewToken();
    const answer = await fetch(form.action, {
      method: "POST", body: new URLSearchParams(new FormData(form)), headers: { Accept: "text/html" },
    });
    refused = answer.status === 401 || answer.status === 403;
    if (answer.redirected && answer.ok) {
      changed = false;
      location.assign(answer.url);
      return;
    }
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (page.getElementById("edit-form")) {
      document.getElementById("main").replaceWith(page.getElementById("main"));
      form = document.getElementById("edit-form");
      watch();
      document.querySelector("#main [role=alert]:not([hidden])")?.scrollIntoView({ block: "nearest" });
      return;
    }
    say(answer.status === 401
      ? "You are signed out, so nothing was saved. Sign in again in another tab, then press Save here: nothing is lost."
      : page.querySelector("#main p:not(.status-code)")?.textContent ?? "That did not work. Nothing was saved.");
  } catch {
    say("The service does not answer, so it is not known whether this was saved. Try again in a moment.");
  }
  button.disabled = false;
}

function watch() {
  form.addEventListener("submit", save);
  form.addEventListener("input", () => { changed = true; });
}

addEventListener("beforeunload", (event) => { if (changed) event.preventDefault(); });
watch();
