/* access.js - looking is free, acting takes the token: the button, the dialog. */
import * as session from "./session.js";

const $ = (id) => document.getElementById(id);

export function startAccess(store, connection) {
  const dialog = $("token-dialog");
  const show = () => {
    const token = session.token();
    if (token) connection().show(token, session.sessionName());
  };
  $("access").addEventListener("click", () => {
    $("token-wrong").textContent = "";
    $("token").value = "";
    dialog.showModal();
  });
  $("token-cancel").addEventListener("click", () => dialog.close());
  $("token-form").addEventListener("submit", (event) => {
    event.preventDefault();
    session.keepToken($("token").value.trim());
    show();
  });
  store.on(["isThere"], ({ isThere }) => isThere && show());
  store.on(["acting", "tokenIsWrong"], ({ acting, tokenIsWrong }) => {
    $("access").textContent = acting ? "You have control" : "Looking only";
    $("access").dataset.acting = String(acting);
    if (acting && dialog.open) dialog.close();
    if (!tokenIsWrong) return;
    session.dropToken();
    $("token-wrong").textContent = "This is not the token.";
    store.set({ tokenIsWrong: false });
  });
}
