// Offers people and groups as one types, in the list that the browser shows for the field.
const PAUSE = 120;

export function suggest(input) {
  const list = document.getElementById(input.getAttribute("list"));
  let waiting = 0;
  let running = null;
  input.addEventListener("input", () => {
    clearTimeout(waiting);
    const text = input.value.trim();
    if (!text || [...list.options].some((option) => option.value === text)) return;
    waiting = setTimeout(async () => {
      running?.abort();
      running = new AbortController();
      const url = new URL(input.dataset.suggest, location.href);
      url.searchParams.set("text", text);
      try {
        const answer = await fetch(url, { signal: running.signal });
        if (!answer.ok) return;
        const found = await answer.json();
        list.replaceChildren(...found.map(({ value, label }) => {
          const option = document.createElement("option");
          option.value = value;
          option.label = label;
          return option;
        }));
      } catch (error) {
        if (error.name !== "AbortError") throw error;
      }
    }, PAUSE);
  });
}
