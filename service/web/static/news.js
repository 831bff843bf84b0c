// Says on the page of a model that it has changed meanwhile. Only while it is looked at: a browser has few connections.
export function tellNews(place) {
  const [said, moment] = [place.querySelector("[data-said]"), place.querySelector("[data-moment]")];
  let source = null, timer = 0;

  function tell(event) {
    said.textContent = event.data;
    moment.textContent = "just now";
    place.hidden = false;
    clearTimeout(timer);
    const at = new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
    timer = setTimeout(() => { moment.textContent = `at ${at}`; }, 60000);
  }

  function follow() {
    const looks = document.visibilityState === "visible";
    if (looks && !source) {
      source = new EventSource(place.dataset.news);
      source.addEventListener("message", tell);
    } else if (!looks && source) {
      source.close();
      source = null;
    }
  }

  document.addEventListener("visibilitychange", follow);
  // A page that is kept to go back to holds no connection either.
  addEventListener("pagehide", () => { source?.close(); source = null; });
  addEventListener("pageshow", follow);
  follow();
}
