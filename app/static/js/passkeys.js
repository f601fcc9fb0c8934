// Passkeys: a button `data-passkey` lets an authenticator sign, puts its response into its form and sends that.
//
// `data-options` holds what navigator.credentials.create() is to be given; otherwise get() is called, with what the
// server returns at `data-challenge`. Without this script, and where the browser has no passkeys, the button is hidden.

const fromBase64 = (text) =>
  Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (character) => character.charCodeAt(0));

const toBase64 = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

const PROBLEMS = {
  InvalidStateError: "На этом устройстве ваш ключ доступа уже есть.",
  NotAllowedError: "Ключ доступа не сработал: вы отменили запрос, или вышло время. Попробуйте ещё раз.",
  SecurityError: "Для этого адреса ключи доступа не работают. Откройте сайт по его обычному адресу.",
  TypeError: "Нет связи с сервером. Проверьте интернет и попробуйте ещё раз.",
};
const OTHER_PROBLEM = "Ключ доступа не сработал. Попробуйте ещё раз или другим способом.";

class Refusal extends Error {}

async function options({ dataset, form }) {
  if (dataset.options) return JSON.parse(dataset.options);
  const headers = { "X-CSRFToken": form.elements.csrf_token.value };
  const response = await fetch(dataset.challenge, { method: "POST", headers });
  const answer = response.headers.get("Content-Type")?.startsWith("application/json") ? await response.json() : {};
  if (!response.ok) throw new Refusal(answer.problem ?? "Страница устарела. Обновите её и попробуйте ещё раз.");
  return answer;
}

function decoded(publicKey) {
  const withBytes = (one) => ({ ...one, id: fromBase64(one.id) });
  return {
    ...publicKey,
    challenge: fromBase64(publicKey.challenge),
    user: publicKey.user && withBytes(publicKey.user),
    excludeCredentials: publicKey.excludeCredentials?.map(withBytes),
    allowCredentials: publicKey.allowCredentials?.map(withBytes),
  };
}

function encoded({ id, rawId, type, response }) {
  const names = ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"];
  const given = names.filter((name) => response[name]).map((name) => [name, toBase64(response[name])]);
  return JSON.stringify({ id, rawId: toBase64(rawId), type, response: Object.fromEntries(given) });
}

async function sign(button) {
  const problem = button.form.querySelector("[data-passkey-problem]");
  button.disabled = true;
  problem.hidden = true;
  try {
    const publicKey = decoded(await options(button));
    const credentials = navigator.credentials;
    const credential = await (button.dataset.options ? credentials.create({ publicKey }) : credentials.get({ publicKey }));
    button.form.elements.passkey.value = encoded(credential);
    if (button.dataset.action) button.form.action = button.dataset.action;
    button.form.submit();
  } catch (error) {
    problem.querySelector("span").textContent =
      error instanceof Refusal ? error.message : (PROBLEMS[error.name] ?? OTHER_PROBLEM);
    problem.hidden = false;
    button.disabled = false;
    button.focus();
  }
}

function offer() {
  for (const hidden of document.querySelectorAll("[data-passkey]")) hidden.hidden = false;
  for (const note of document.querySelectorAll("[data-without-passkeys]")) note.hidden = true;
}

if (window.PublicKeyCredential) {
  offer();
  document.addEventListener("navigated", offer);
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-passkey]");
    if (button) sign(button);
  });
}
