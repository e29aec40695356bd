/**
 * Sessions, kept in the browser so that reloading or closing the page loses no dream. Each tab has a session of
 * its own, which it locks; a new tab continues the latest session that no other tab has open.
 */

import type { DreamConfig } from "../engine/config";
import type { HistoryEntry } from "./dream_history";
import type { Photo } from "./photograph";

const CAPACITY = 3; // sessions
const VERSION = 1; // of the format

/** What a session holds. */
export interface Session {
  model: string;
  /** The name of the built-in recipe that the options began with; empty for the page's own. */
  recipe: string;
  /** As in a link: `layers` are terms. */
  options: DreamConfig;
  photo: Photo;
  file: File | null;
  entries: readonly HistoryEntry[];
  position: number;
  savedId: number;
}

/** A session as it is stored: its dreams are records of their own, so that each is written once. */
interface Stored extends Omit<Session, "entries"> {
  id: string;
  time: number;
  entryIds: number[];
}

type StoredEntry = Omit<HistoryEntry, "under"> & { underId: number | null };

export class SavedSessions {
  private id = "";
  private written = new Map<number, HistoryEntry>();
  /** The state to write next; undefined where all is written. */
  private waiting: Session | null | undefined = undefined;
  private writing: Promise<void> | null = null;

  private constructor(
    private readonly database: IDBDatabase,
    private readonly onChange: (isKept: boolean) => void,
  ) {}

  /** Null where the browser stores nothing, as in some private windows. `onChange` tells whether all is kept. */
  static async open(onChange: (isKept: boolean) => void): Promise<SavedSessions | null> {
    if (!globalThis.indexedDB || !navigator.locks) return null;
    try {
      const request = indexedDB.open(`dreamkit ${new URL(".", location.href).pathname}`, VERSION);
      request.onupgradeneeded = () => {
        request.result.createObjectStore("sessions", { keyPath: "id" });
        request.result.createObjectStore("entries");
      };
      return new SavedSessions(await finished(request), onChange);
    } catch {
      return null;
    }
  }

  /** The latest session that no other tab has open, which this tab continues; null where there is none. */
  async claim(): Promise<Session | null> {
    const found = await finished<Stored[]>(this.store("sessions").getAll());
    for (const stored of found.sort((a, b) => b.time - a.time)) {
      if (!(await lock(stored.id))) continue;
      this.id = stored.id;
      const session = await this.read(stored).catch(() => null); // another version of the page may have written it
      if (session) return session;
    }
    this.id ||= crypto.randomUUID();
    await lock(this.id);
    return null;
  }

  /** Keeps a session in place of this tab's one; null forgets it. */
  async keep(session: Session | null): Promise<void> {
    this.onChange(false);
    this.waiting = session;
    this.writing ??= this.write();
    await this.writing;
  }

  /** Forgets all sessions, also those of other tabs. */
  async forgetAll(): Promise<void> {
    await this.keep(null);
    const transaction = this.database.transaction(["sessions", "entries"], "readwrite");
    transaction.objectStore("sessions").clear();
    transaction.objectStore("entries").clear();
    await completed(transaction);
  }

  /** Writes what waits, until nothing does. */
  private async write(): Promise<void> {
    let isKept = true;
    while (this.waiting !== undefined) {
      const session = this.waiting;
      this.waiting = undefined;
      isKept = await this.put(session).then(
        () => true,
        () => false, // the disk is full, or the user forbids it
      );
    }
    this.writing = null;
    this.onChange(isKept);
  }

  private async put(session: Session | null): Promise<void> {
    const transaction = this.database.transaction(["sessions", "entries"], "readwrite");
    const [sessions, entries] = [transaction.objectStore("sessions"), transaction.objectStore("entries")];
    const needed = new Map<number, HistoryEntry>();
    for (const entry of session?.entries ?? []) {
      needed.set(entry.id, entry);
      if (entry.under) needed.set(entry.under.id, entry.under);
    }
    for (const [id, entry] of needed) {
      if (this.written.get(id) === entry) continue;
      const { under, ...rest } = entry;
      entries.put({ ...rest, underId: under?.id ?? null } satisfies StoredEntry, [this.id, id]);
    }
    for (const id of this.written.keys()) if (!needed.has(id)) entries.delete([this.id, id]);
    if (session) {
      const { entries: kept, ...rest } = session;
      sessions.put({ ...rest, id: this.id, time: Date.now(), entryIds: kept.map(({ id }) => id) } satisfies Stored);
      await this.prune(sessions, entries);
    } else {
      sessions.delete(this.id);
    }
    await completed(transaction);
    this.written = needed;
  }

  /** Forgets the oldest sessions. */
  private async prune(sessions: IDBObjectStore, entries: IDBObjectStore): Promise<void> {
    const found = await finished<Stored[]>(sessions.getAll());
    for (const { id } of found.sort((a, b) => b.time - a.time).slice(CAPACITY)) {
      sessions.delete(id);
      entries.delete(IDBKeyRange.bound([id, 0], [id, Infinity]));
    }
  }

  private async read({ entryIds, id: _, time: __, ...rest }: Stored): Promise<Session> {
    const store = this.store("entries");
    const range = IDBKeyRange.bound([this.id, 0], [this.id, Infinity]);
    const stored = await finished<StoredEntry[]>(store.getAll(range));
    const byId = new Map<number, HistoryEntry>();
    for (const { underId, ...entry } of stored.sort((a, b) => a.id - b.id)) {
      // Strokes that another version of the page painted stay in the picture.
      const painting = entry.painting.filter((stroke) => "growth" in stroke);
      byId.set(entry.id, { ...entry, painting, under: underId === null ? null : found(byId, underId) });
    }
    this.written = byId;
    return { ...rest, entries: entryIds.map((id) => found(byId, id)) };
  }

  private store(name: string): IDBObjectStore {
    return this.database.transaction(name).objectStore(name);
  }
}

/** An entry of a stored session, which another tab may have forgotten. */
function found(entries: Map<number, HistoryEntry>, id: number): HistoryEntry {
  const entry = entries.get(id);
  if (!entry) throw new Error(`the session lacks its dream ${id}`);
  return entry;
}

/** Whether this tab has the session now; it keeps the lock until it is closed. */
function lock(id: string): Promise<boolean> {
  return new Promise((resolve) => {
    void navigator.locks.request(`dreamkit ${id}`, { ifAvailable: true }, (held) => {
      resolve(held !== null);
      return held ? new Promise(() => {}) : undefined;
    });
  });
}

function finished<Result>(request: IDBRequest<Result>): Promise<Result> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

function completed(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = transaction.onerror = () => reject(transaction.error);
  });
}
