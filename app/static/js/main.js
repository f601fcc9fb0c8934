// What htmx does not do. Every form works without these scripts.

import "./navigation.js";
import "./dialog.js";
import "./focus.js";
import "./toasts.js";
import "./poll.js";
import "./session.js";
import "./calendar.js";
import "./bulk.js";
import "./publish.js";
import "./options.js";
import "./copy.js";
import "./menus.js";
import "./clip-panel.js";
import "./covers.js";
import "./selection.js";
import "./plan.js";
import "./passkeys.js";
import "./uploads.js";
import "./zone.js";
