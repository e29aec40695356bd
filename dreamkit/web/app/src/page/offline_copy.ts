/** The copy of the page that works offline, and the page as an app. */

import { element } from "./elements";

const WORKER = "service-worker.js";

/** An event of Chromium, before which nothing can be installed. */
interface InstallEvent extends Event {
  prompt(): Promise<void>;
}

/** Keeps a copy of the site, or deletes the copy of another site that was at this address. */
export async function keepCopy(keepsOffline: boolean): Promise<void> {
  if (!("serviceWorker" in navigator)) return; // as on pages over plain http
  if (!keepsOffline) return forgetCopy();
  await navigator.serviceWorker.register(WORKER, { updateViaCache: "none" });
  await navigator.serviceWorker.ready;
  document.body.dataset.offline = "ready";
}

async function forgetCopy(): Promise<void> {
  const scope = new URL("./", location.href).href;
  const registration = await navigator.serviceWorker.getRegistration();
  if (registration?.scope !== scope || !registration.active?.scriptURL.endsWith(`/${WORKER}`)) return;
  await registration.unregister();
  for (const name of await caches.keys()) if (name.startsWith(`dreamkit ${scope} `)) await caches.delete(name);
}

/** Offers the page as an app where the browser can install it. */
export function offerInstallation(): void {
  let offer: InstallEvent | null = null;
  window.addEventListener("beforeinstallprompt", (event) => {
    event.preventDefault();
    offer = event as InstallEvent;
    element("install").hidden = false;
  });
  window.addEventListener("appinstalled", () => (element("install").hidden = true));
  element("install").addEventListener("click", () => void offer?.prompt());
}
