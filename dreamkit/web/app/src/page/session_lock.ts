/** The lock of a session, which one tab has at a time. */

/** Whether this tab has the lock now, or within `patience` milliseconds; it keeps the lock until its page is left. */
export function lock(id: string, patience: number): Promise<boolean> {
  const options = patience ? { signal: AbortSignal.timeout(patience) } : { ifAvailable: true };
  return new Promise((resolve, reject) => {
    const hold = (held: Lock | null) => {
      resolve(held !== null);
      return held ? new Promise(() => {}) : undefined;
    };
    navigator.locks.request(`dreamkit ${id}`, options, hold).catch((error: DOMException) => {
      if (error.name === "TimeoutError" || error.name === "AbortError") resolve(false);
      else reject(error);
    });
  });
}
