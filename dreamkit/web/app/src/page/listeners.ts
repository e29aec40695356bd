/** Connects the controls of the page with what they do. */

import { element, input, select, setPressed, isPressed } from "./elements";
import { listenForFiles } from "./file_input";
import type { Page } from "./page";
import { listenForShortcuts } from "./shortcuts";
import { clearError, showError, showStatus } from "./status_bar";

export function listen(page: Page): void {
  const { chooser, session } = page;
  const onClick = (id: string, action: () => unknown) => element(id).addEventListener("click", () => void action());
  /** As `onClick`, but a double click is one click: its second one would undo the first. */
  const onTap = (id: string, action: () => unknown) =>
    element(id).addEventListener("click", ({ detail }) => void (detail > 1 || action()));
  const toggle = (id: string) => {
    setPressed(id, !isPressed(id));
    page.refresh();
  };
  const followOption = (option: string, rests: boolean) => {
    if (!page.live.follows(option)) return void page.preview.follow();
    if (page.preview.end()) page.refresh();
    return rests ? void page.live.settle(option) : page.live.preview(option);
  };
  onClick("choose", () => input("file").click());
  onClick("replace", () => page.chooseAnother(true));
  onClick("back", () => page.chooseAnother(false));
  onClick("camera", () => chooser.openCamera().then(() => page.refresh()));
  onClick("shoot", () => page.liveCamera.take());
  onTap("live", () => page.liveCamera.toggle());
  onClick("save-live", () => page.saver.saveLive());
  onClick("cancel", () => page.liveCamera.close());
  onClick("turn", () => chooser.turnCamera());
  onClick("paste", () => chooser.paste());
  onClick("next", () => page.queue.next());
  onClick("dream-all", () => page.queue.dreamAll());
  for (const sample of document.querySelectorAll<HTMLElement>("[data-sample]")) {
    sample.addEventListener("click", () => void chooser.openSample(sample.dataset.sample!));
  }
  onClick("pause", () => toggle("pause"));
  onClick("clouds", () => chooser.openClouds());
  for (const id of ["dream", "dream-at-hand"]) onTap(id, () => page.toggleDream());
  onTap("zoom", () => page.dreamer.toggleZoom());
  onTap("dice", () => page.dice());
  onClick("try", () => page.variants.open());
  onClick("undo", () => page.undo());
  onClick("redo", () => page.redo());
  onClick("save", () => page.saver.savePng());
  onClick("save-jpeg", () => page.saver.saveJpeg());
  onClick("save-card", () => page.saver.saveCard());
  onClick("save-film", () => page.saver.saveFilm());
  onClick("finish", () => page.large.finish());
  onClick("save-session", () => page.saver.saveSession());
  onClick("send", () => page.saver.share());
  onClick("share", () => page.share());
  const question = element<HTMLDialogElement>("forget-question");
  onClick("forget", () => question.showModal());
  onClick("keep", () => question.close());
  onTap("forget-all", () => {
    question.close();
    return page.forget();
  });
  onClick("brush", () => {
    toggle("brush");
    if (!isPressed("brush")) return;
    page.palette.reveal();
    showStatus("Choose what grows, and paint it on the picture");
  });
  onClick("erase", () => toggle("erase"));
  onClick("clear", () => page.painter.clear());
  onClick("learn", () => input("concept-files").click());
  input("concept-files").addEventListener("change", () => {
    const files = [...(input("concept-files").files ?? [])];
    input("concept-files").value = "";
    void page.concepts.learn(files);
  });
  select("longest").addEventListener("change", () => void chooser.resize());
  select("model").addEventListener("change", () => void session.open(undefined, []).then(() => page.useNetwork()));
  select("backend").addEventListener("change", async () => {
    clearError();
    await session.open();
    void session.switchToFastest();
  });
  for (const options of [element("tuning"), element("options")]) {
    options.addEventListener("input", ({ target }) => {
      const { type, dataset } = target as HTMLInputElement;
      if (type === "range") followOption(dataset.option!, false); // a number may be half written
    });
    options.addEventListener("change", ({ target }) => {
      followOption((target as HTMLInputElement).dataset.option!, true);
    });
  }
  element("panel").addEventListener("change", ({ target }) => {
    if ((target as HTMLElement).matches("[data-term], [data-recipe]")) void page.preview.follow(true);
    page.refresh(); // what is chosen is kept as well
  });
  listenForFiles((files) => void page.queue.open(files));
  listenForShortcuts({
    compare: () => (page.work.history.current || page.preview.isShown) && page.work.stage.comparison.toggle(),
    escape: () => {
      if (!element("viewfinder").hidden) page.liveCamera.close();
      else if (!element("welcome").hidden) page.chooseAnother(false);
      else if (!page.isIdle) void page.stop();
      else if (page.preview.isShown) page.preview.leave();
      else if (isPressed("brush")) toggle("brush");
    },
  });
  document.addEventListener("fullscreenchange", () => page.refresh());
  window.addEventListener("hashchange", () => void page.links.follow(page.work.photo !== null));
  window.addEventListener("beforeunload", (event) => page.wouldLose && event.preventDefault());
  window.addEventListener("unhandledrejection", (event) => showError(event.reason));
}
