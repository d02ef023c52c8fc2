/* session.js - the token of this browser tab: from the address (#token=..., which is taken out
 * of it at once) or from the dialog; and the tab's own name, by which armd knows it again. */
const TOKEN = "armd.token", NAME = "armd.session";

export function takeTokenFromAddress() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (!token) return;
  sessionStorage.setItem(TOKEN, token);
  history.replaceState(null, "", location.pathname + location.search);
}

export const token = () => sessionStorage.getItem(TOKEN);
export const keepToken = (text) => sessionStorage.setItem(TOKEN, text);
export const dropToken = () => sessionStorage.removeItem(TOKEN);

export function sessionName() {
  let name = sessionStorage.getItem(NAME);
  if (!name) {
    name = Array.from(crypto.getRandomValues(new Uint8Array(8)),
      (x) => x.toString(16).padStart(2, "0")).join("");
    sessionStorage.setItem(NAME, name);
  }
  return name;
}
