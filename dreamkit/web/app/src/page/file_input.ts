/** Photographs that are chosen, dropped or pasted. */

import { UserError } from "../engine/errors";
import { button, element, input } from "./elements";

/** Calls `onFiles` with the files that the user gives to the page. */
export function listenForFiles(onFiles: (files: File[]) => void): void {
  const give = (files: FileList | null | undefined) => files?.length && onFiles([...files]);
  input("file").addEventListener("change", () => {
    give(input("file").files);
    input("file").value = "";
  });
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    element("frame").classList.add("over");
  });
  document.addEventListener("dragleave", () => element("frame").classList.remove("over"));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    element("frame").classList.remove("over");
    give(event.dataTransfer?.files);
  });
  document.addEventListener("paste", (event) => give(event.clipboardData?.files));
  button("paste").hidden = !navigator.clipboard?.read;
}

/** The picture in the clipboard. Throws a `UserError` where there is none, or the browser does not give it. */
export async function readClipboard(): Promise<File> {
  const items = await navigator.clipboard.read().catch((error: Error) => {
    throw new UserError(`the clipboard cannot be read (${error.message}); allow it, or press Ctrl V`);
  });
  for (const item of items) {
    const type = item.types.find((each) => each.startsWith("image/"));
    if (type) return new File([await item.getType(type)], "pasted.png", { type });
  }
  throw new UserError("the clipboard holds no picture; copy one first");
}
