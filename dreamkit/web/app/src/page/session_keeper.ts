/** Keeps the photographs and their dreams in the browser, and brings them back. */

import type { RecipeForm } from "./recipe_form";
import { SavedSessions, type Session } from "./saved_sessions";
import type { NetworkSession } from "./network_session";
import type { ShownRecipe } from "./shown_recipe";
import type { Workspace } from "./workspace";

export class SessionKeeper {
  private sessions: SavedSessions | null = null;
  private isKept = true;

  constructor(
    private readonly work: Workspace,
    private readonly session: NetworkSession,
    private readonly form: RecipeForm,
    private readonly recipe: ShownRecipe,
  ) {}

  /** The session that this tab continues; null where there is none. */
  async open(): Promise<Session | null> {
    this.sessions = await SavedSessions.open((isKept) => this.mark(isKept));
    return (await this.sessions?.claim().catch(() => null)) ?? null;
  }

  /** Shows a session that was kept. */
  restore({ opened }: Session): void {
    this.work.restore(opened);
    this.form.longestSide = this.work.longestSide;
  }

  async keep(): Promise<void> {
    if (!this.work.photo || !this.session.network) return;
    await this.sessions?.keep({ ...this.recipe.ofPanel, opened: this.work.state });
  }

  async forget(): Promise<void> {
    await this.sessions?.forgetAll();
  }

  /** Whether closing the page now would lose a dream. */
  get wouldLose(): boolean {
    return this.work.isUnsaved && (!this.sessions || !this.isKept);
  }

  private mark(isKept: boolean): void {
    this.isKept = isKept;
    document.body.dataset.kept = String(isKept);
  }
}
