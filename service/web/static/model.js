import { offerCopies } from "./copy.js";
import { tellNews } from "./news.js";
import { suggest } from "./suggest.js";

offerCopies(document);
for (const input of document.querySelectorAll("[data-suggest]")) suggest(input);
for (const place of document.querySelectorAll("[data-news]")) tellNews(place);
