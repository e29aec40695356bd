/**
 * The offline copy of the page. What the server answers always comes first, so a new build is seen at once; the copy
 * answers where the server does not. It belongs to one build: each file is checked against its hash before it is
 * kept, and a new build replaces all of it.
 */

const SITE = { build: "", files: {}, later: [] }; // `dreamkit export web` writes this line

const FAMILY = `dreamkit ${self.registration.scope} `;
const NAME = FAMILY + SITE.build;

self.addEventListener("install", (event) => event.waitUntil(keepFirst()));
self.addEventListener("activate", (event) => event.waitUntil(forgetOthers()));
self.addEventListener("fetch", (event) => {
  const { method, url } = event.request;
  if (method === "GET" && url.startsWith(self.registration.scope)) event.respondWith(answer(event));
});

/** Keeps all files, except those of further networks, which are kept when they are first used. */
async function keepFirst() {
  const cache = await caches.open(NAME);
  for (const path of Object.keys(SITE.files)) {
    if (SITE.later.includes(path)) continue;
    // A server may redirect index.html to the folder.
    const response = await fetch(addressOf(path === "index.html" ? "" : path), { cache: "no-cache" });
    if (!(await keep(cache, path, response))) throw new Error(`${path} is not that of build ${SITE.build}`);
  }
  await self.skipWaiting();
}

async function forgetOthers() {
  for (const name of await caches.keys()) {
    if (name.startsWith(FAMILY) && name !== NAME) await caches.delete(name);
  }
}

async function answer(event) {
  const path = pathOf(event.request.url);
  const find = async () => (await caches.open(NAME)).match(addressOf(path));
  let response;
  try {
    response = await ask(event.request, path);
  } catch (error) {
    const kept = await find();
    if (kept) return kept;
    throw error;
  }
  if (response.ok && SITE.later.includes(path)) {
    const copy = response.clone();
    event.waitUntil(caches.open(NAME).then((cache) => keep(cache, path, copy)));
  }
  return response;
}

/** Asks the server; its answer may come from the browser's cache only for files whose names hold a hash. */
function ask(request, path) {
  if (path.startsWith("assets/")) return fetch(request);
  return fetch(request.url, { cache: "no-cache", redirect: request.mode === "navigate" ? "manual" : "follow" });
}

/** Keeps a file of this build; returns whether it is one. */
async function keep(cache, path, response) {
  if (!response.ok) return false;
  const body = await response.arrayBuffer();
  // A host may add to the page itself, so its hash is not compared; it names its build.
  const isRight =
    path === "index.html" ? new TextDecoder().decode(body).includes(SITE.build) : (await sha256(body)) === SITE.files[path];
  if (!isRight) return false;
  const headers = new Headers(response.headers);
  for (const name of ["content-encoding", "content-length"]) headers.delete(name); // of the body as it was sent
  await cache.put(addressOf(path), new Response(body, { headers }));
  return true;
}

async function sha256(data) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", data));
  return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function addressOf(path) {
  return new URL(path, self.registration.scope).href;
}

function pathOf(url) {
  const { origin, pathname } = new URL(url);
  return decodeURIComponent((origin + pathname).slice(self.registration.scope.length)) || "index.html";
}
