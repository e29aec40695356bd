/** Photographs that are chosen, dropped or pasted. */

import { element, input } from "./elements";

/** Calls `onFile` with each file that the user gives to the page. */
export function listenForFiles(onFile: (file: File) => void): void {
  input("file").addEventListener("change", () => {
    const [file] = input("file").files ?? [];
    if (file) onFile(file);
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
    const [file] = event.dataTransfer?.files ?? [];
    if (file) onFile(file);
  });
  document.addEventListener("paste", (event) => {
    const [file] = event.clipboardData?.files ?? [];
    if (file) onFile(file);
  });
}
