// Times are of the zone in the user's profile. Where the browser's clock is another, each names its zone (moment.css).

const wallClock = (zone) => new Date().toLocaleString("sv-SE", { timeZone: zone });

function isElsewhere(zone) {
  try {
    return Boolean(zone) && wallClock(zone) !== wallClock();
  } catch {
    return true; // a zone of which this browser knows nothing
  }
}

document.body.classList.toggle("elsewhere", isElsewhere(document.body.dataset.zone));
