/** Starts the page. */

import { Page } from "./page";
import { loadSite } from "./site";
import { showStatus } from "./status_bar";

loadSite()
  .then((site) => new Page(site).start())
  .catch((error: Error) => showStatus(`The page cannot start: ${error.message}`));
