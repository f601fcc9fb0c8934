// The pages before the sign-in. Sign-up: the browser knows its time zone.

import "./passkeys.js";

const zone = document.querySelector("[data-browser-zone]");
if (zone) zone.value = Intl.DateTimeFormat().resolvedOptions().timeZone ?? "";
