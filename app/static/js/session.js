// The session may end while a page is open: by time, or by a sign-out in another tab. What was typed stays.

import { holdsTypedText } from "./dialog.js";
import { toast } from "./toasts.js";

let leaving = false; // the next poll must not begin the same navigation anew

// htmx asked without a session: `detail.to` is the sign-in.
document.body.addEventListener("signed-out", ({ detail }) => {
  if (leaving) return;
  if (holdsTypedText()) {
    askToSignIn(detail.to);
    return;
  }
  leaving = true;
  location.assign(detail.to);
});

function askToSignIn(url) {
  const text = "Вы вышли, или сеанс закончился. Войдите в новой вкладке и нажмите ещё раз: введённое останется здесь.";
  toast(text, "error", { link: { url, label: "Войти" } });
}

// The form's token belongs to another session: the user has signed in anew elsewhere, or out.
document.body.addEventListener("stale-page", async ({ detail }) => {
  const response = await fetch(detail.session, { headers: { Accept: "application/json" } });
  const { user, token } = response.ok ? await response.json() : {};
  if (!user) {
    askToSignIn(detail.to);
  } else if (String(user) !== document.body.dataset.user) {
    toast("В этом браузере вошёл другой пользователь. Скопируйте введённое и обновите страницу.", "error");
  } else {
    renewToken(token);
    toast("Страница устарела, мы её обновили. Нажмите ещё раз.");
  }
});

export function renewToken(token) {
  document.body.setAttribute("hx-headers", JSON.stringify({ "X-CSRFToken": token }));
  for (const field of document.querySelectorAll("input[name=csrf_token]")) field.value = token;
}
