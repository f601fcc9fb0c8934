// Times are of the zone in the user's profile. Where the browser's clock is another, each names its zone (moment.css).
// Compared in minutes: to write a time, the browser would load its calendars, a tenth of a second on a phone.

const here = -new Date().getTimezoneOffset();
document.body.classList.toggle("elsewhere", Number(document.body.dataset.utcMinutes) !== here);
