// Signs in with the token of a link, and goes on for those who are signed in already.
const form = document.getElementById("sign-in-form");
const state = document.getElementById("link-state");
const { link, target } = form.dataset;
const token = location.hash.slice(1);

if (/^[A-Za-z0-9_-]{20,100}$/.test(token)) {
  // Taken out of the address first, so that it is neither kept nor sent on.
  history.replaceState(null, "", location.pathname + location.search);
  const answer = await fetch(link, { method: "POST", body: new URLSearchParams({ token }) });
  if (answer.ok) {
    location.replace(target);
  } else {
    state.textContent = state.dataset.failed;
    state.hidden = false;
  }
} else if (!form.querySelector("[aria-invalid]")) {
  // A browser sends no cookie with a link from elsewhere, but with what this page asks for.
  const answer = await fetch(target, { method: "HEAD", redirect: "manual", headers: { Accept: "text/html" } });
  if (answer.ok) location.replace(target);
}
