/** Dreams the recipe of the panel on the whole photograph, and zooms into it. */

import type { NetworkSession } from "./network_session";
import { cloudsPhoto } from "./photograph";
import type { GrowthFilm } from "./growth_film";
import type { Painter } from "./painter";
import type { Pixels, StepUpdate } from "./protocol";
import type { RecipeForm } from "./recipe_form";
import { showStatus } from "./status_bar";
import type { TaskRunner } from "./task_runner";
import type { WholeDream } from "./whole_dream";
import type { Workspace } from "./workspace";

const ZOOM = 1.03; // factor of each turn of the endless zoom

export class Dreamer {
  constructor(
    private readonly work: Workspace,
    private readonly runner: TaskRunner,
    private readonly form: RecipeForm,
    private readonly session: NetworkSession,
    private readonly whole: WholeDream,
    private readonly painter: Painter,
    private readonly film: GrowthFilm,
    private readonly onChange: () => void,
  ) {}

  /** Dreams the recipe on the photograph; strokes are dreamed again. */
  async dream(): Promise<void> {
    if (!this.work.photo || !this.session.network) return;
    this.work.stage.comparison.show(0);
    if (this.painter.painted.hasStrokes) return void (await this.painter.dreamAgain((picture) => this.work.show(picture)));
    if (!(await this.dreamWhole((update) => this.work.show(update.picture)))) this.work.showCurrent();
  }

  /**
   * Dreams the recipe on the photograph, or the strokes again, and shows the dream once it is finished. Returns whether
   * the history has it; one that was stopped is forgotten.
   */
  async dreamUnseen(): Promise<boolean> {
    if (this.painter.painted.hasStrokes) return this.painter.dreamAgain();
    return this.dreamWhole(() => {}, false);
  }

  private async dreamWhole(onStep: (update: StepUpdate) => void, keepsStopped = true): Promise<boolean> {
    const { work, runner } = this;
    await this.painter.interrupt();
    if (!work.photo || !this.session.network) return false;
    const config = this.form.config(work.photo);
    if (work.photo.isNoise) {
      const { height, width } = work.photo; // the seed may have changed
      work.replaceClouds(cloudsPhoto(config, height, width));
    }
    const { photo, history } = work;
    const choice = this.form.choice(this.session.name);
    const start = performance.now();
    if (keepsStopped) showStatus("Dreaming");
    this.film.begin(photo);
    const dream = await this.whole.run("dreaming", photo, { config, choice }, (update) => {
      this.film.add(update.picture);
      onStep(update);
    });
    const isWhole = dream?.provenance.dream.isWhole;
    if (!dream || !(isWhole || (keepsStopped && !runner.isCancelled))) {
      if (keepsStopped) showStatus("Nothing was dreamed");
      return false;
    }
    this.film.end(dream.unblended);
    history.push(dream);
    work.showCurrent();
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    showStatus(`${isWhole ? "Dreamed in" : "Stopped after"} ${seconds} s`, runner.speed.text);
    this.onChange();
    return true;
  }

  async toggleZoom(): Promise<void> {
    const { work, runner } = this;
    if (runner.activity === "zooming") return runner.stop();
    const { network } = this.session;
    if (!work.photo || !network) return;
    await this.painter.interrupt();
    work.stage.comparison.show(0);
    showStatus("Zooming into the dream");
    const config = this.form.config(work.photo);
    const choice = this.form.choice(this.session.name);
    const { history } = work;
    const last: { picture?: Pixels } = {};
    const onStep = ({ picture }: StepUpdate) => {
      this.film.add(picture);
      work.show((last.picture = picture));
    };
    this.film.begin(work.shown);
    await runner.run("zooming", { kind: "zoom", photo: work.shown, config, factor: ZOOM }, onStep);
    const { picture } = last;
    if (!picture) return showStatus("Nothing was dreamed");
    this.film.end(picture);
    history.push({
      picture, provenance: null, origin: "zoom", painting: [], under: null, config, choice, network: network.sha256,
    }); // prettier-ignore
    showStatus("Stopped; Zoom goes on from here");
    this.onChange();
  }
}
