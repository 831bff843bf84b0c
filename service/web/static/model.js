import { offerCopies } from "./copy.js";
import { suggest } from "./suggest.js";

offerCopies(document);
for (const input of document.querySelectorAll("[data-suggest]")) suggest(input);
