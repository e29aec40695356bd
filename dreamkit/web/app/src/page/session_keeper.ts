/** Keeps the photograph and its dreams in the browser, and brings them back. */

import { SavedSessions, type Session } from "./saved_sessions";
import type { NetworkSession } from "./network_session";
import type { RecipeForm } from "./recipe_form";
import type { Workspace } from "./workspace";

export class SessionKeeper {
  private sessions: SavedSessions | null = null;
  private isKept = true;

  constructor(
    private readonly work: Workspace,
    private readonly session: NetworkSession,
    private readonly form: RecipeForm,
  ) {}

  /** The session that this tab continues; null where there is none. */
  async open(): Promise<Session | null> {
    this.sessions = await SavedSessions.open((isKept) => this.mark(isKept));
    return (await this.sessions?.claim().catch(() => null)) ?? null;
  }

  /** Shows a session that was kept. */
  restore({ photo, file, entries, position, savedId, options }: Session): void {
    this.work.open(photo, file);
    this.work.history.restore(entries, position, savedId);
    this.form.longestSide = options.max_size ?? this.form.longestSide;
    this.work.showCurrent();
  }

  async keep(): Promise<void> {
    const { photo, file, history } = this.work;
    if (!photo || !this.session.network) return;
    const { entries, position, savedId } = history;
    const { name: model } = this.session;
    const { options, recipe } = this.form;
    await this.sessions?.keep({ model, recipe: recipe?.name ?? "", options, photo, file, entries, position, savedId });
  }

  async forget(): Promise<void> {
    await this.sessions?.forgetAll();
  }

  /** Whether closing the page now would lose the dream that is shown. */
  get wouldLose(): boolean {
    return this.work.history.isUnsaved && (!this.sessions || !this.isKept);
  }

  private mark(isKept: boolean): void {
    this.isKept = isKept;
    document.body.dataset.kept = String(isKept);
  }
}
