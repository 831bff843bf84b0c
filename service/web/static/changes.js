// Shows another choice as soon as it is made.
const form = document.getElementById("changes-form");
form.querySelector("button").hidden = true;
form.addEventListener("change", () => form.requestSubmit());
