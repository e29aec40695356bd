/** Starts the page. */

import { keepCopy, offerInstallation } from "./offline_copy";
import { Page } from "./page";
import { loadPictures } from "./recipe_pictures";
import { loadSite } from "./site";
import { showStatus } from "./status_bar";

history.scrollRestoration = "manual"; // after a reload, what was at that place may be another
offerInstallation();
loadSite()
  .then(async (site) => {
    await new Page(site, await loadPictures(site)).start();
    await keepCopy(site.offline).catch(console.warn); // the page works without its copy
  })
  .catch((error: Error) => showStatus(`The page cannot start: ${error.message}`));
