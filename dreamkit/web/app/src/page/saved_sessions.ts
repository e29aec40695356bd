/**
 * Sessions, kept in the browser so that reloading or closing the page loses no dream. Each tab has a session of
 * its own, which it locks, and finds again when it is reloaded or comes back; a new tab continues the latest session that
 * no other tab has open.
 */

import type { HistoryEntry } from "./dream_history";
import type { PhotoState } from "./opened_photos";
import { lock } from "./session_lock";
import type { PanelRecipe } from "./shown_recipe";

const CAPACITY = 3; // sessions
const VERSION = 1; // of the format
const OWN = "dreamkit session"; // what a tab knows of itself
const PATIENCE = 2000; // milliseconds for which a tab waits for its own session, which another may have where it is a copy

/** What a session holds: the panel, and the photographs with their dreams, of which the last one is open. */
export interface Session extends PanelRecipe {
  opened: readonly PhotoState[];
}

/** A session as it is stored: photographs and dreams are records of their own, so that each is written once. */
interface Stored extends PanelRecipe {
  id: string;
  time: number;
  opened: (Omit<PhotoState, "photo" | "file" | "entries"> & { entryIds: number[] })[];
}

type StoredPhoto = Pick<PhotoState, "photo" | "file">;
type StoredEntry = Omit<HistoryEntry, "under"> & { underId: number | null };

/** The key of a photograph, or of a dream of it. */
type RecordKey = [session: string, photo: number, ...dream: number[]];

export class SavedSessions {
  private id = "";
  /** The photographs and the dreams that are written, by the text of their keys. */
  private written = new Map<string, object>();
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

  /** The session that this tab continues: its own, or the latest that no other tab has open; null where there is none. */
  async claim(): Promise<Session | null> {
    const own = sessionStorage.getItem(OWN);
    const found = await finished<Stored[]>(this.store("sessions").getAll());
    found.sort((a, b) => Number(b.id === own) - Number(a.id === own) || b.time - a.time);
    for (const stored of found) {
      // The browser frees what a page held a moment after the page is left.
      if (!(await lock(stored.id, stored.id === own ? PATIENCE : 0))) continue;
      this.take(stored.id);
      const session = await this.read(stored).catch(() => null);
      if (session) return session;
      await this.keep(null); // another version of the page wrote it
    }
    this.take(crypto.randomUUID());
    await lock(this.id, 0);
    return null;
  }

  private take(id: string): void {
    this.id = id;
    sessionStorage.setItem(OWN, id);
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
    const needed = new Map<string, object>();
    const need = (key: RecordKey, owner: object, record: StoredPhoto | StoredEntry) => {
      const text = JSON.stringify(key);
      if (this.written.get(text) !== owner) entries.put(record, key);
      needed.set(text, owner);
    };
    for (const { id, photo, file, entries: dreams } of session?.opened ?? []) {
      need([this.id, id], photo, { photo, file });
      const unders = dreams.flatMap(({ under }) => under ?? []);
      const byId = new Map([...unders, ...dreams].map((dream) => [dream.id, dream]));
      for (const [dreamId, dream] of byId) {
        const { under, ...rest } = dream;
        need([this.id, id, dreamId], dream, { ...rest, underId: under?.id ?? null });
      }
    }
    for (const text of this.written.keys()) if (!needed.has(text)) entries.delete(JSON.parse(text) as RecordKey);
    if (session) {
      sessions.put(asStored(session, this.id));
      await this.prune(sessions, entries);
    } else {
      sessions.delete(this.id);
      entries.delete(recordsOf(this.id));
    }
    await completed(transaction);
    this.written = needed;
  }

  /** Forgets the oldest sessions. */
  private async prune(sessions: IDBObjectStore, entries: IDBObjectStore): Promise<void> {
    const found = await finished<Stored[]>(sessions.getAll());
    for (const { id } of found.sort((a, b) => b.time - a.time).slice(CAPACITY)) {
      sessions.delete(id);
      entries.delete(recordsOf(id));
    }
  }

  private async read({ model, recipe, options, opened }: Stored): Promise<Session> {
    const store = this.store("entries");
    const [keys, records] = await Promise.all([
      finished(store.getAllKeys(recordsOf(this.id))) as Promise<RecordKey[]>,
      finished<(StoredPhoto | StoredEntry)[]>(store.getAll(recordsOf(this.id))),
    ]);
    const photos = new Map<number, StoredPhoto>();
    const dreams = new Map<string, HistoryEntry>();
    const written = new Map<string, object>();
    for (const [index, record] of records.entries()) { // a photograph comes before its dreams, and those by their ids
      const [, photoId] = keys[index];
      if ("photo" in record) {
        photos.set(photoId, record);
        written.set(JSON.stringify(keys[index]), record.photo);
        continue;
      }
      const { underId, ...rest } = record;
      const entry = { ...rest, under: underId === null ? null : found(dreams, `${photoId} ${underId}`) };
      dreams.set(`${photoId} ${entry.id}`, entry);
      written.set(JSON.stringify(keys[index]), entry);
    }
    const states = opened.map(({ entryIds, ...state }) => {
      const entries = entryIds.map((id) => found(dreams, `${state.id} ${id}`));
      return { ...state, ...found(photos, state.id), entries };
    });
    this.written = written;
    return { model, recipe, options, opened: states };
  }

  private store(name: string): IDBObjectStore {
    return this.database.transaction(name).objectStore(name);
  }
}

function asStored({ model, recipe, options, opened }: Session, id: string): Stored {
  const states = opened.map(({ photo: _, file: __, entries, ...state }) => {
    return { ...state, entryIds: entries.map((entry) => entry.id) };
  });
  return { id, time: Date.now(), model, recipe, options, opened: states };
}

/** The keys of all records of a session. */
function recordsOf(id: string): IDBKeyRange {
  return IDBKeyRange.bound([id, 0], [id, Infinity, Infinity]);
}

/** A record of a stored session, which another tab may have forgotten. */
function found<Id, Found>(records: Map<Id, Found>, id: Id): Found {
  const record = records.get(id);
  if (!record) throw new Error(`the session lacks its record ${id}`);
  return record;
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
