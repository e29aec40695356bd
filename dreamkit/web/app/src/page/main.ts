/** Starts the page. */

import { Page } from "./page";
import { loadPictures } from "./recipe_pictures";
import { loadSite } from "./site";
import { showStatus } from "./status_bar";

loadSite()
  .then(async (site) => new Page(site, await loadPictures(site)).start())
  .catch((error: Error) => showStatus(`The page cannot start: ${error.message}`));
