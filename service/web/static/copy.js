// Buttons that copy the text of an element, and say so.
export function offerCopies(within) {
  if (!navigator.clipboard) return;
  for (const button of within.querySelectorAll("[data-copy]")) {
    button.hidden = false;
    const said = button.lastChild.textContent;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
      button.lastChild.textContent = "Copied";
      setTimeout(() => { button.lastChild.textContent = said; }, 2000);
    });
  }
}
