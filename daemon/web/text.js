/* text.js - words on the page.  Writing what is there already would make the browser compose the
 * page anew, thirty times a second, for nothing. */
export function setText(element, text) {
  if (element.textContent !== String(text)) element.textContent = text;
}
